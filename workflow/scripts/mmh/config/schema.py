"""The schema of the configuration for editors, from the classes that read it; plug-ins are not in it.

``python -m mmh.config.schema FILE`` writes it (``make schema``).
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic.fields import FieldInfo

from mmh.config.model import Configuration
from mmh.options.base import Alternative, Block, Options, Unique
from mmh.options.forms import Kind, described, fields, one_of_many

_TYPES = {int: "integer", float: "number", str: "string", bool: "boolean", list: "array", dict: "object"}
_MARKS = {
    Ge: ("ge", "minimum"),
    Gt: ("gt", "exclusiveMinimum"),
    Le: ("le", "maximum"),
    Lt: ("lt", "exclusiveMaximum"),
}


def schema() -> dict[str, Any]:
    """The schema of the whole configuration.

    Returns
    -------
    dict
        JSON schema, draft 2020-12.
    """
    whole = _of_form(Configuration)
    entry = whole["properties"]["experiments"]["additionalProperties"]
    entry["if"] = {"not": {"required": ["accuracy"]}}
    entry["then"] = {"required": ["data", "model"]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "mmh configuration", **whole}


def _of_form(*forms: type[Options], key: str = "", name: str = "") -> dict[str, Any]:
    """An object with the keys of some classes, and one that says which kind it is."""
    properties = {key: {"const": name, "description": f"always {name}"}} if key else {}
    required = [key] if key else []
    for form in forms:
        for field, of in fields(form).items():
            properties[field] = _of_kind(of, described(form, field), form.model_fields[field])
            required += [field] if form.model_fields[field].is_required() else []
    whole: dict[str, Any] = {"type": "object", "description": described(forms[-1])}
    return {**whole, "properties": properties, "required": required, "additionalProperties": False}


def _of_kind(of: Kind, text: str, field: FieldInfo | None = None) -> dict[str, Any]:
    """A value of some type; `text` says what it is."""
    found = _plain(of, text)
    if text:
        found["description"] = text
    default = field.get_default(call_default_factory=True) if field and not field.is_required() else None
    if default is not None:
        found["default"] = default.model_dump(exclude_none=True) if isinstance(default, Options) else default
    return found


def _plain(of: Kind, text: str) -> dict[str, Any]:
    if isinstance(of.block, Block):
        return _of_block(of.block)
    if of.block:
        parts = {name: _of_form(*one.forms) for name, one in of.block.alternatives().items()}
        for name, one in of.block.alternatives().items():
            parts[name]["description"] = one.text or parts[name]["description"]
        return {"type": "object", "properties": parts, "additionalProperties": False}
    if of.form:
        return _of_form(of.form)
    if of.members:
        return {"anyOf": [_of_kind(member, "") for member in of.members]}
    if of.choices:
        values = [*of.choices, *([None] if of.null else [])]
        return {"const": values[0]} if len(values) == 1 else {"enum": values}
    name = _TYPES[of.base]
    found: dict[str, Any] = {"type": [name, "null"] if of.null else name}
    for mark, (attribute, word) in _MARKS.items():
        if of.mark(mark):
            found[word] = getattr(of.mark(mark), attribute)
    for one in of.marks:
        found |= {"pattern": one.pattern} if getattr(one, "pattern", None) else {}
    sizes = ("minItems", "maxItems") if of.base is list else ("minProperties", "maxProperties")
    found |= {sizes[0]: of.mark(MinLen).min_length} if of.mark(MinLen) else {}
    found |= {sizes[1]: of.mark(MaxLen).max_length} if of.mark(MaxLen) else {}
    found |= {"uniqueItems": True} if of.mark(Unique) else {}
    if of.inner:
        within = "items" if of.base is list else "additionalProperties"
        found[within] = _of_kind(of.inner, one_of_many(of.inner))
    return found


def _of_block(block: Block) -> dict[str, Any]:
    """Alternatives: each is a closed object, and its key, or the keys that it has, choose it."""
    found = block.alternatives()
    if len(found) == 1:
        return _of_form(*next(iter(found.values())).forms)
    if not block.key:
        return _union(found)
    one_of = f"which kind; one of {', '.join(found)}"
    branches = [
        {
            "if": {"properties": {block.key: {"const": name}}, "required": [block.key]},
            "then": _of_form(*one.forms, key=block.key, name=name),
        }
        for name, one in found.items()
    ]
    choice = {block.key: {"enum": list(found), "description": one_of}}
    return {"type": "object", "required": [block.key], "properties": choice, "allOf": branches}


def _union(found: Mapping[str, Alternative]) -> dict[str, Any]:
    """Alternatives that a key of their own tells apart, or something outside of the block."""
    forms = {one.forms: None for one in found.values()}
    if not all(name in fields(one.forms[-1]) for name, one in found.items()):
        return {"type": "object", "anyOf": [_of_form(*one) for one in forms]}
    branches = [{"if": {"required": [name]}, "then": _of_form(*one.forms)} for name, one in found.items()]
    needed = [{"required": [name]} for name in found]
    return {"type": "object", "anyOf": needed, "allOf": branches}


def main() -> None:
    """Write the schema to the file that is named."""
    Path(sys.argv[1]).write_text(json.dumps(schema(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
