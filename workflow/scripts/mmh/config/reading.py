"""Read a configuration block by block: every block by the classes that its own keys choose."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mmh.options.base import Alternative, Block, Blocks, Options
from mmh.options.forms import Kind, Node, described, fields, may_be_left_out, nodes
from mmh.options.messages import (
    Mistake,
    form_mistakes,
    missing_key,
    not_among,
    unknown_key,
    wanted,
    wrong_type,
)

Path = tuple[Any, ...]


@dataclass(frozen=True)
class Read:
    """A block, or its part that one class of options reads."""

    path: Path
    options: Options
    row: Any


@dataclass
class Reading:
    """What is found in a configuration.

    Attributes
    ----------
    mistakes : list of Mistake
    misplaced : list of Mistake
        Keys too many or too few for what another section says: nothing is malformed.
    nodes : list of Node
        Every part with its type, also of malformed blocks.
    read : list of Read
        The well-formed blocks.
    """

    mistakes: list[Mistake] = field(default_factory=list)
    misplaced: list[Mistake] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    read: list[Read] = field(default_factory=list)

    def block(
        self,
        found: Alternative,
        value: Any,
        path: Path,
        key: str = "",
        others: Iterable[Alternative] = (),
    ) -> None:
        """Read a block and the blocks in it.

        Parameters
        ----------
        found : Alternative
        value : any
            The block.
        path : tuple
            Where it stands.
        key : str
            Its key that chose the alternative.
        others : iterable of Alternative
            What else could have been chosen.
        """
        *plans, own = found.forms
        if not isinstance(value, Mapping):
            self.mistakes.append(wrong_type(path, value, "object", found.text or described(own)))
            return
        known = [*([key] if key else []), *(name for form in found.forms for name in fields(form))]
        rest = {name: part for name, part in value.items() if not key or name != key}
        for form in plans:
            self._form(
                form, {name: rest.pop(name) for name in fields(form) if name in rest}, path, known, None
            )
        before = len(self.mistakes)
        self._form(own, rest, path, known, found.row)
        for mistake in self.mistakes[before:] if found.owner else ():
            text = _of_owner(found, others, mistake)
            if text:
                self.mistakes.remove(mistake)
                self.misplaced.append(Mistake(mistake.path, text, mistake.block))

    def _form(
        self, form: type[Options], value: Mapping[str, Any], path: Path, known: list[str], row: Any
    ) -> None:
        options, mistakes = form_mistakes(form, value, path, known)
        self.mistakes += mistakes
        if options is not None:
            self.read.append(Read(path, options, row))
        for node in nodes(Kind(form, form), value, path):
            self.nodes.append(node)
            if isinstance(node.value, Mapping):
                self._enter(node, value)
            elif node.value is None and node.form and may_be_left_out(node.form, node.path[-1]):
                meaning = described(node.form, node.path[-1])
                self.mistakes.append(wrong_type(node.path, None, wanted(node.kind), meaning))

    def _enter(self, node: Node, around: Mapping[str, Any]) -> None:
        """Read the block that a mark announces."""
        block = node.kind.block
        alternatives = block.alternatives() if block else {}
        if isinstance(block, Block):
            name = block.chosen(node.value, around) if block.chosen else node.value.get(block.key)
            if isinstance(name, str) and name in alternatives:
                others = [one for other, one in alternatives.items() if other != name]
                self.block(alternatives[name], node.value, node.path, block.key, others)
            elif not block.chosen and block.key not in node.value:
                meaning = f"which kind; one of {', '.join(alternatives)}"
                self.mistakes.append(missing_key(node.path, block.key, meaning))
            elif not block.chosen:
                self.mistakes.append(not_among((*node.path, block.key), name, alternatives))
        for name, value in node.value.items() if isinstance(block, Blocks) else ():
            if name in alternatives:
                self.block(alternatives[name], value, (*node.path, name))
            else:
                self.mistakes.append(unknown_key(node.path, name, alternatives))


def _of_owner(found: Alternative, others: Iterable[Alternative], mistake: Mistake) -> str:
    """Say of a key too many or too few who has it not, or needs it; nothing of other mistakes."""
    form = found.forms[-1]
    forms = [form, *(other.forms[-1] for other in others)]
    shared = [name for name in fields(form) if all(name in fields(one) for one in forms)]
    own = [name for name in fields(form) if name not in shared]
    key, text = mistake.path[-1], mistake.text
    if text.startswith("missing;") and key in own:
        needed = [name for name in own if form.model_fields[name].is_required()]
        return f"missing; {found.owner} needs {', '.join(needed)}"
    if text.startswith("unknown key") and any(key in fields(one) for one in forms):
        return f"{found.owner} takes {', '.join(own)} only; remove it"
    return ""


def completed(config: Mapping[str, Any], read: Iterable[Read]) -> dict[str, Any]:
    """The configuration with the defaults of all keys that were left out.

    Parameters
    ----------
    config : mapping
    read : iterable of Read
        Its well-formed blocks.

    Returns
    -------
    dict
        A copy, without parts that two keys share; keys whose default is None stay away.
    """
    whole = _copy(config)
    for one in read:
        part: Any = whole
        for key in one.path:
            part = part[key]
        # What a metric shares with its section stays open here: a default would hide what the section says.
        _fill(part, one.options, getattr(one.row, "shared", ()))
    found: dict[str, Any] = whole
    return found


def with_integers(config: Mapping[str, Any], mistakes: Iterable[Mistake]) -> dict[str, Any] | None:
    """Write whole numbers that stand as ``2.0`` where an integer is wanted as integers.

    Parameters
    ----------
    config : mapping
    mistakes : iterable of Mistake
        What is wrong with it.

    Returns
    -------
    dict or None
        A copy; None if no mistake is of that kind.
    """
    whole, changed = _copy(config), False
    for mistake in mistakes:
        part: Any = whole
        for key in mistake.path[:-1]:
            part = part[key] if _has(part, key) else None
        value = part[mistake.path[-1]] if _has(part, mistake.path[-1]) else None
        if isinstance(value, float) and value.is_integer() and " is a number, expected " in mistake.text:
            part[mistake.path[-1]], changed = int(value), True
    return whole if changed else None


def _has(part: Any, key: Any) -> bool:
    if isinstance(part, Mapping):
        return key in part
    return isinstance(part, list) and isinstance(key, int) and key < len(part)


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(part) for key, part in value.items()}
    return [_copy(part) for part in value] if isinstance(value, list) else value


def _fill(part: Any, value: Any, left_open: Collection[str] = ()) -> None:
    if isinstance(value, Options):
        for key in type(value).model_fields:
            if key in left_open and key not in part:
                continue
            inner = getattr(value, key)
            if key in part:
                _fill(part[key], inner)
            elif inner is not None:
                part[key] = (
                    inner.model_dump(exclude_none=True) if isinstance(inner, Options) else _copy(inner)
                )
    elif isinstance(value, dict):
        for key, inner in value.items():
            _fill(part[key], inner)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            _fill(part[place], inner)
