"""Values that YAML can write and that no configuration can hold."""

from collections.abc import Mapping
from typing import Any

import yaml

# Far more levels than a configuration has, and few enough for all that goes through it.
_DEPTH = 50
DEEP = f"is nested more than {_DEPTH} levels deep, or an anchor holds itself; write it out"


def is_deep(value: Any) -> bool:
    """Whether a value is nested too deep; one that holds itself has no end."""
    level, depth = [value], 0
    while level:
        if depth > _DEPTH:
            return True
        inner: dict[int, Any] = {}  # by identity, as an anchor's value may stand in many places
        for part in level:
            if isinstance(part, Mapping | list):
                inner |= {id(one): one for one in (part.values() if isinstance(part, Mapping) else part)}
        level, depth = list(inner.values()), depth + 1
    return False


def place_of_unreadable(node: Any) -> str:
    """Say on which line the first value stands that has the form of its type and is none, as 2020-99-99.

    Parameters
    ----------
    node : yaml.Node

    Returns
    -------
    str
        ``, line 3``, or the empty string.
    """
    waiting, seen = [node], set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, yaml.ScalarNode):
            try:
                yaml.SafeLoader("").construct_object(one)  # type: ignore[no-untyped-call]
            except (ValueError, KeyError, OverflowError):
                return f", line {one.start_mark.line + 1}"
        elif id(one) not in seen:
            seen.add(id(one))
            parts = [part for pair in one.value for part in (pair if isinstance(pair, tuple) else (pair,))]
            waiting += reversed(parts)
    return ""
