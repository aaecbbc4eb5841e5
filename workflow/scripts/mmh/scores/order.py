"""The order in which scores that follow from others are computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmh.errors import InputError
from mmh.options.forms import fields
from mmh.scores.base import SCORES, Config


def parts(options: Config) -> list[str]:
    """Names of the scores that one follows from.

    Parameters
    ----------
    options : mapping
        Of an estimator, with its `method`.

    Returns
    -------
    list of str
        Empty for an estimator that is computed from images.
    """
    row = SCORES[options["method"]]
    if row.shape != "ratio":
        return []
    named = [
        key for key, of in fields(row.Options).items() if of.named and of.named.what.endswith("estimator")
    ]
    return [options[key] for key in named if key in options]


def part_name(estimator: str, part: str) -> str:
    """Name of the rows of a further number that an estimator's pass gave."""
    return f"{estimator}:{part}"


def in_order(ratios: Mapping[str, Config]) -> dict[str, Any]:
    """Sort scores so that each stands after those that it follows from.

    Parameters
    ----------
    ratios : mapping
        Options by name.

    Returns
    -------
    dict
        In their own order as far as that may be.

    Raises
    ------
    InputError
        If some follow from each other.
    """
    waiting, found = dict(ratios), {}
    while waiting:
        ready = next((name for name in waiting if not waiting.keys() & set(parts(waiting[name]))), None)
        if ready is None:
            raise InputError(f"these ratios follow from each other: {', '.join(waiting)}")
        found[ready] = waiting.pop(ready)
    return found


def circle(name: str, estimators: Mapping[str, Config]) -> list[str]:
    """Find the way from a score over those that it follows from back to itself.

    Parameters
    ----------
    name : str
    estimators : mapping
        Options by name, well formed; some may be missing.

    Returns
    -------
    list of str
        The names on the way, `name` first and last; empty if there is none.
    """
    ways, seen = [[name]], set()
    while ways:
        way = ways.pop()
        for part in parts(estimators[way[-1]]) if way[-1] in estimators else ():
            if part == name:
                return [*way, part]
            if part not in seen:
                seen.add(part)
                ways.append([*way, part])
    return []
