"""What pydantic finds wrong, as sentences: path, value, what is expected, what the key means, a hint."""

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import TypeAdapter, ValidationError

from mmh.options.base import Options
from mmh.options.forms import Kind, described, fields, fits, one_of_many

_TYPES = {int: "integer", float: "number", str: "string", bool: "boolean", list: "array", dict: "object"}
_RANGES = ((Ge, "ge", ">="), (Gt, "gt", ">"), (Le, "le", "<="), (Lt, "lt", "<"))


@dataclass(frozen=True)
class Mistake:
    """One mistake of the configuration.

    Attributes
    ----------
    path : tuple
        Keys and indices down to the place; of a missing key, its own path.
    text : str
        What is wrong there.
    block : tuple
        Path of what is malformed: the place, or the block that has a key too many or too few.
    """

    path: tuple[Any, ...]
    text: str
    block: tuple[Any, ...]

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.path)) or 'the file'}: {self.text}"


def did_you_mean(word: str, known: Iterable[Any]) -> str:
    """Hint for a misspelt name.

    Parameters
    ----------
    word : str
    known : iterable of str

    Returns
    -------
    str
        ``" (did you mean 'x'?)"`` or the empty string.
    """
    close = difflib.get_close_matches(str(word), [str(k) for k in known], n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def unknown_key(path: tuple[Any, ...], key: Any, known: Iterable[str]) -> Mistake:
    """A key that a block does not have."""
    text = f"unknown key{did_you_mean(key, known)}; known here: {', '.join(known)}"
    return Mistake((*path, key), text, path)


def missing_key(path: tuple[Any, ...], key: str, meaning: str) -> Mistake:
    """A key that a block must have."""
    return Mistake((*path, key), f"missing; {meaning or 'this key must be given'}", path)


def not_among(path: tuple[Any, ...], value: Any, allowed: Iterable[Any]) -> Mistake:
    """A value that is none of a few."""
    known = ", ".join(map(repr, allowed))
    text = f"{value!r} is not allowed{did_you_mean(value, allowed)}; one of {known}"
    return Mistake(path, text, path)


def wrong_type(path: tuple[Any, ...], value: Any, wanted: str, meaning: str) -> Mistake:
    """A value of another type."""
    name = "null" if value is None else _TYPES.get(type(value), type(value).__name__)
    text = f"{value!r} is {_a(name)}, expected {wanted}{_colon(meaning)}{_number_hint(value, wanted)}"
    return Mistake(path, text, path)


def _a(name: str) -> str:
    """Put the article before the name of a type."""
    return name if name == "null" else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _number_hint(value: Any, wanted: str) -> str:
    """Say how a number is written that YAML, or the command line, took for text."""
    if not isinstance(value, str) or not ("number" in wanted or "integer" in wanted):
        return ""
    try:
        number = float(value)
    except ValueError:
        return ""
    if not math.isfinite(number):
        return ""
    mantissa, letter, exponent = value.strip().lower().partition("e")
    if letter and wanted == "integer":
        return f"; YAML takes {value} for text, write {number:.0f}" if number.is_integer() else ""
    if letter:
        point = mantissa if "." in mantissa else f"{mantissa}.0"
        sign = "" if exponent[0] in "+-" else "+"
        return f"; YAML takes {value} for text, write {point}e{sign}{exponent}"
    return "; write it without quotes (of --config, nested values arrive as text: use --configfile)"


def form_mistakes(
    form: type[Options], value: Mapping[str, Any], path: tuple[Any, ...], known: Iterable[str] = ()
) -> tuple[Options | None, list[Mistake]]:
    """Read a block.

    Parameters
    ----------
    form : type
        Class of its options.
    value : mapping
    path : tuple
        Where it stands.
    known : iterable of str, optional
        All keys that the block may have, if other classes read some of them.

    Returns
    -------
    Options or None, list of Mistake
        None if there is a mistake.
    """
    try:
        return form.model_validate(value), []
    except ValidationError as error:
        of = Kind(form, form)
        found = []
        for one in error.errors(include_url=False, include_context=False, include_input=False):
            found += list(_sentence(one["type"], tuple(one["loc"]), of, value, path, tuple(known)))
        return None, list(dict.fromkeys(found))


def _sentence(
    code: str, loc: tuple[Any, ...], of: Kind, value: Any, path: tuple[Any, ...], known: tuple[str, ...]
) -> Iterator[Mistake]:
    """Follow a place down to the value, then say what is wrong with it."""
    meaning = described(of.form) if of.form else ""
    at: tuple[Any, ...] = ()
    while loc and not of.members:
        part, *rest = loc
        if code in ("extra_forbidden", "invalid_key") and not rest:
            key = _as_written(part, value)
            yield unknown_key((*path, *at), key, (not at and known) or fields(of.form or Options))
            return
        if code == "missing" and not rest:
            yield missing_key((*path, *at), part, described(of.form or Options, part))
            return
        if rest == ["[key]"]:
            if not of.block:  # where a key of a block is unknown, that is said instead
                yield _no_text((*path, *at), _as_written(part, value))
            return
        if of.form:
            meaning, of = described(of.form, part), fields(of.form)[part]
        elif of.inner:
            of = of.inner
            meaning = one_of_many(of) or meaning
            part = _as_written(part, value) if isinstance(value, Mapping) else part
        value, at, loc = value[part], (*at, part), tuple(rest)
    if isinstance(value, float) and not math.isfinite(value):
        return  # said of every number, also where any is allowed
    if of.members:
        yield from _of_union(of, value, (*path, *at), meaning)
    else:
        yield _of_value(code, of, value, (*path, *at), meaning)


def _as_written(part: Any, value: Mapping[Any, Any]) -> Any:
    """A key of a mapping; pydantic gives one that is neither a text nor an integer as a text."""
    return next((key for key in value if key == part or str(part) in (str(key), repr(key))), part)


def _no_text(path: tuple[Any, ...], key: Any) -> Mistake:
    name = "null" if key is None else _TYPES.get(type(key), type(key).__name__)
    text = f"the name {key} is {_a(name)}, expected string; put it in quotes"
    return Mistake((*path, key), text, path)


def _of_value(code: str, of: Kind, value: Any, path: tuple[Any, ...], meaning: str) -> Mistake:
    if code.endswith("_type"):
        return wrong_type(path, value, wanted(of), meaning)
    if code == "literal_error":
        return not_among(path, value, of.choices)
    if code.startswith(("greater_than", "less_than")):
        text = f"{value!r} is out of range, expected {allowed_range(of)}"
    elif code == "too_short":
        least = of.mark(MinLen).min_length
        text = f"{value!r} " + ("should be non-empty" if least == 1 else f"is too short, expected {least}")
    elif code == "too_long":
        text = f"{value!r} is too long, expected {of.mark(MaxLen).max_length} at most"
    elif code == "string_pattern_mismatch":
        pattern = next(mark.pattern for mark in of.marks if getattr(mark, "pattern", None))
        text = f"{value!r} does not match {pattern!r}"
    elif code == "repeats":
        text = f"{value!r} has non-unique elements"
    else:
        text = f"{value!r} is not allowed ({code})"
    return Mistake(path, text + _colon(meaning), path)


def _of_union(of: Kind, value: Any, path: tuple[Any, ...], meaning: str) -> Iterator[Mistake]:
    """A union of types is judged by the member of the value's type; one with fixed words as a whole."""
    if any(member.choices for member in of.members):
        expected = " or ".join(alternative(member) for member in of.members)
        told = all(words in meaning for words in map(alternative, of.members))
        text = f"{value!r} is not allowed{_colon(meaning)}"
        yield Mistake(path, text if told and meaning else f"{text}; expected {expected}", path)
        return
    fitting = [member for member in of.members if fits(member, value)]
    if not fitting:
        yield wrong_type(path, value, wanted(of), meaning)
        return
    try:
        TypeAdapter(fitting[0].annotation, config={"strict": True}).validate_python(value)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_context=False, include_input=False):
            for mistake in _sentence(one["type"], tuple(one["loc"]), fitting[0], value, path, ()):
                yield Mistake(mistake.path, mistake.text + _colon(meaning), mistake.block)


def wanted(of: Kind) -> str:
    """The types that a value may have, in words."""
    names = [_TYPES.get(member.base, "object") for member in of.members or (of,)]
    if of.choices:
        names = sorted({_TYPES[type(choice)] for choice in of.choices})
    return " or ".join(names + ["null"] * of.null)


def alternative(of: Kind) -> str:
    """One member of a union in words: ``an integer >= 1``, ``auto``."""
    if of.choices:
        return " or ".join(map(str, of.choices))
    name = wanted(of)
    return f"{'an' if name[0] in 'aeio' else 'a'} {name} {allowed_range(of)}".strip()


def allowed_range(of: Kind) -> str:
    """The range of a number in words: ``> 0 and <= 1``."""
    marks = [(sign, getattr(mark, key)) for kind_, key, sign in _RANGES if (mark := of.mark(kind_))]
    return " and ".join(f"{sign} {bound}" for sign, bound in marks)


def _colon(meaning: str) -> str:
    return f": {meaning}" if meaning else ""
