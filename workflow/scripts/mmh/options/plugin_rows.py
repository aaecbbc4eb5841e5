"""Checks of rows that plug-ins bring: their names, their options, and what their own checks say."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pydantic import ConfigDict, ValidationError

from mmh.options.base import Options

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def row_mistakes(row: Any) -> Iterator[str]:
    """Find what a row must not be, before anything asks it for something.

    Parameters
    ----------
    row : type
        A class of a plug-in.

    Yields
    ------
    str
        One sentence per mistake, about the class.
    """
    if not isinstance(row.name, str):
        yield f"the name of {row.__qualname__} is {row.name!r}; it must be a text"
    elif not NAME.fullmatch(row.name):
        yield f"the name {row.name!r} is part of file paths: letters, digits, '-' and '_' only"
    for key in ("Options", "Sampling"):
        form = getattr(row, key, None)
        if form is None and key == "Sampling":
            continue
        if not (isinstance(form, type) and issubclass(form, Options)):
            yield f"{row.__qualname__}.{key} must be a subclass of mmh.options.base.Options"
            continue
        try:
            yield from (f"{row.__qualname__}.{key}.{text}" for text in _bad_defaults(form))
        except Exception as error:  # a type that pydantic knows nothing of
            yield f"{row.__qualname__}.{key} cannot be read: {' '.join(str(error).split())}"


def _bad_defaults(form: type[Options]) -> Iterator[str]:
    strict = type(form.__name__, (form,), {"model_config": ConfigDict(validate_default=True)})
    try:
        strict.model_validate({})  # type: ignore[attr-defined]
    except ValidationError as error:
        for one in error.errors(include_url=False):
            field = form.model_fields[str(one["loc"][0])]
            left_out = field.default is None and field.default_factory is None
            if one["type"] != "missing" and not left_out:
                yield f"{one['loc'][0]}: its default {one['input']!r} is refused: {one['msg']}"


def mistakes_of(row: Any, check: Callable[[], Iterable[str]], where: str) -> Iterator[str]:
    """Give the mistakes that a row's check finds; a check of a plug-in that fails is a mistake itself.

    Parameters
    ----------
    row : type
    check : callable
        Calls the check.
    where : str
        Path of the block, for messages.

    Yields
    ------
    str
    """
    if row.plugin is None:
        yield from check()
        return
    remedy = "a check yields one text per mistake"
    try:
        found: Any = check()
        if found is None or isinstance(found, str):
            yield f"{where}: the check of {row.name!r} in {row.plugin} gives {found!r}; {remedy}"
            return
        for text in found:
            if isinstance(text, str):
                yield text
            else:
                yield f"{where}: the check of {row.name!r} in {row.plugin} gives {text!r}; {remedy}"
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        yield f"{where}: the check of {row.name!r} in {row.plugin} fails: {reason}"
