"""What a class of options says about a value: where its parts stand, what they may be, what they mean."""

import ast
import functools
import inspect
import itertools
import re
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from pydantic.fields import FieldInfo

from mmh.options.base import Block, Blocks, Named, Options

# First words of descriptions that keep their capital inside a sentence.
_PROPER = {
    "Adam",
    "Euler",
    "Fig",
    "Figs",
    "Fourier",
    "Gaussian",
    "Heun",
    "Hutchinson",
    "Jaccard",
    "Python",
    "Spearman",
}


@dataclass(frozen=True)
class Kind:
    """A type taken apart.

    Attributes
    ----------
    core : any
        The type, without ``Annotated`` and without ``None``.
    base : any
        ``list`` of ``list[str]``; the type itself where it has no parameters.
    marks : tuple
        Ranges, patterns, and the marks of `mmh.options.base`.
    null : bool
        Whether None is allowed; a key that may be left out is not None.
    parts : tuple of Kind
        Of a list its items, of a mapping its names and its values, of a union its members.
    annotation : any
        The type as it was written.
    """

    core: Any
    base: Any
    marks: tuple[Any, ...] = ()
    null: bool = False
    parts: tuple["Kind", ...] = ()
    annotation: Any = None

    @functools.cached_property
    def form(self) -> type[Options] | None:
        """The class of options that it is, if it is one."""
        own = isinstance(self.core, type) and issubclass(self.core, Options)
        return self.core if own else None

    @functools.cached_property
    def block(self) -> Block | Blocks | None:
        """How the options of a mapping follow from what it says, if they do."""
        return next((mark for mark in self.marks if isinstance(mark, Block | Blocks)), None)

    @functools.cached_property
    def named(self) -> Named | None:
        """What a text names, if it names something."""
        return next((mark for mark in self.marks if isinstance(mark, Named)), None)

    @functools.cached_property
    def plain(self) -> bool:
        """Whether nothing in it is a section, a block or a name."""
        marked = self.form or self.block or self.named
        return not marked and all(part.plain for part in self.parts)

    @property
    def members(self) -> tuple["Kind", ...]:
        """Members of a union, empty for any other type."""
        return self.parts if self.base is Union else ()

    @property
    def choices(self) -> tuple[Any, ...]:
        """Values that a ``Literal`` allows, empty for other types."""
        return typing.get_args(self.core) if self.base is Literal else ()

    @property
    def inner(self) -> "Kind | None":
        """What a list or a mapping holds."""
        return self.parts[-1] if self.base in (list, dict) and self.parts else None

    def mark(self, kind: type) -> Any:
        """The first mark of a class, or None."""
        return next((mark for mark in self.marks if isinstance(mark, kind)), None)


def kind(annotation: Any, marks: tuple[Any, ...] = ()) -> Kind:
    """Take a type apart.

    Parameters
    ----------
    annotation : any
        As it stands in a class of options.
    marks : tuple
        What stands beside it.

    Returns
    -------
    Kind
    """
    null, written = False, annotation
    while True:
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if origin is Annotated:
            annotation, marks = arguments[0], (*marks, *_flat(arguments[1:]))
        elif origin in (Union, types.UnionType):
            members = [one for one in arguments if one is not type(None)]
            null = null or len(members) < len(arguments)
            if len(members) > 1:
                return Kind(annotation, Union, marks, null, tuple(map(kind, members)), written)
            annotation = members[0]
        else:
            parts = tuple(map(kind, arguments)) if origin in (list, dict) else ()
            return Kind(annotation, origin or annotation, marks, null, parts, written)


def _flat(marks: tuple[Any, ...]) -> Iterator[Any]:
    for mark in marks:
        yield from mark.metadata if isinstance(mark, FieldInfo) else [mark]


@functools.cache
def fields(form: type[Options]) -> dict[str, Kind]:
    """Types of all keys of a class of options, in their order."""
    found = {}
    for key, field in form.model_fields.items():
        of = kind(field.annotation, tuple(field.metadata))
        found[key] = replace(of, null=False) if may_be_left_out(form, key) else of
    return found


def may_be_left_out(form: type[Options], key: str) -> bool:
    """Whether a key has no value if it is left out; None stands for that alone, and nobody writes it."""
    field = form.model_fields[key]
    return not field.is_required() and field.default is None and field.default_factory is None


def fits(of: Kind, value: Any) -> bool:
    """Whether a value is of a type, whatever is in it."""
    if of.choices:
        return value in of.choices
    if isinstance(value, bool):
        return of.base is bool
    return isinstance(value, dict if of.form else (int, float) if of.base is float else of.base)


@dataclass(frozen=True)
class Node:
    """A part of the configuration with its type: a value, or a name that a mapping has it under.

    Attributes
    ----------
    path : tuple
    kind : Kind
    value : any
    form : type or None
        The class whose key it is, if it is the value of one.
    """

    path: tuple[Any, ...]
    kind: Kind
    value: Any
    form: type[Options] | None = None


def nodes(of: Kind, value: Any, path: tuple[Any, ...], form: type[Options] | None = None) -> Iterator[Node]:
    """The parts of a value that are sections, blocks or names, as far as they have the form asked for.

    Blocks are yielded and not entered.

    Parameters
    ----------
    of : Kind
    value : any
    path : tuple
        Where the value stands.
    form : type, optional
        The class whose key it is.

    Yields
    ------
    Node
    """
    yield Node(path, of, value, form)
    for member in of.members:
        if fits(member, value):
            yield from nodes(member, value, path)
    if of.block or of.plain:
        return
    if of.form and isinstance(value, Mapping):
        for key, within in fields(of.form).items():
            if key in value:
                yield from nodes(within, value[key], (*path, key), of.form)
    elif of.base is dict and of.parts and isinstance(value, Mapping):
        for key, part in value.items():
            yield Node(path, of.parts[0], key)
            yield from nodes(of.parts[1], part, (*path, key))
    elif of.base is list and of.parts and isinstance(value, list):
        for index, part in enumerate(value):
            yield from nodes(of.parts[0], part, (*path, index))


def described(form: type[Options], key: str = "") -> str:
    """What a class of options, or one of its keys, means: its docstring as part of a sentence.

    Parameters
    ----------
    form : type
    key : str
        A field; the class itself by default.

    Returns
    -------
    str
        Empty if there is none.
    """
    text = (inspect.getdoc(form) or "") if not key else ""
    for owner in form.__mro__ if key else ():
        text = text or _field_texts(owner).get(key, "")
    text = text or ((form.model_fields[key].description or "") if key else "")
    text = " ".join(text.split("\n\n")[0].split()).removesuffix(".")
    first = re.match(r"[A-Z][a-z]*\b(?!')", text)
    return text[:1].lower() + text[1:] if first and first[0] not in _PROPER else text


def one_of_many(of: Kind) -> str:
    """What an item of a list or a mapping is, empty if its type does not say it."""
    return described(of.form) if of.form else of.block.text if isinstance(of.block, Block) else ""


@functools.cache
def _field_texts(owner: type) -> dict[str, str]:
    """Texts under the fields of a class, read from its source."""
    body = _classes(owner.__module__).get(owner.__qualname__, [])
    found = {}
    for field, text in itertools.pairwise(body):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            found[field.target.id] = str(text.value.value)
    return found


@functools.cache
def _classes(module: str) -> dict[str, list[ast.stmt]]:
    """Bodies of a module's classes, by qualified name."""
    file = getattr(sys.modules.get(module), "__file__", None)
    found: dict[str, list[ast.stmt]] = {}

    def collect(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                found[prefix + node.name] = node.body
                collect(node.body, f"{prefix}{node.name}.")

    if file:
        collect(ast.parse(Path(file).read_text(encoding="utf-8")).body, "")
    return found
