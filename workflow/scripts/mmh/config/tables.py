"""The tables of rows, as what the blocks of the configuration may hold."""

import functools
from collections.abc import Mapping
from typing import Any

from mmh.claims.base import CLAIMS
from mmh.config.options import Alternative, Options
from mmh.figures.base import FIGURES
from mmh.models.base import KINDS, SamplingPlan
from mmh.rows import Table
from mmh.scores.base import SCORES
from mmh.worlds.base import WORLDS

TABLES: list[Table[Any]] = [SCORES, KINDS, WORLDS, FIGURES, CLAIMS]


def rows_of(table: Table[Any]) -> Mapping[str, Alternative]:
    """What a block may hold that names a row of a table.

    Parameters
    ----------
    table : Table

    Returns
    -------
    dict of str to Alternative
    """
    return _alternatives(tuple(table.rows().values()))


@functools.cache
def _alternatives(rows: tuple[Any, ...]) -> Mapping[str, Alternative]:
    found = {}
    for row in rows:
        forms = (row.Options,) if row.planning() is Options else (row.planning(), row.Options)
        found[row.name] = Alternative(forms, row, getattr(row, "shows", ""))
    return found


def score_blocks() -> Mapping[str, Alternative]:
    """Blocks under `estimators`."""
    return rows_of(SCORES)


def kind_blocks() -> Mapping[str, Alternative]:
    """Sections `model`."""
    return rows_of(KINDS)


def world_blocks() -> Mapping[str, Alternative]:
    """Sections `data`."""
    return rows_of(WORLDS)


def figure_blocks() -> Mapping[str, Alternative]:
    """Blocks under `figures`."""
    return rows_of(FIGURES)


def sampling_blocks() -> Mapping[str, Alternative]:
    """Sections `sampling`, by the kind of the model."""
    return _samplings(tuple(KINDS.rows().values()))


@functools.cache
def _samplings(rows: tuple[Any, ...]) -> Mapping[str, Alternative]:
    return {
        row.name: Alternative((SamplingPlan, row.Sampling), owner=f"a model of kind {row.name!r}")
        for row in rows
        if row.Sampling
    }


def sampling_kind(block: Mapping[str, Any], experiment: Mapping[str, Any]) -> str:
    """The kind of the model that is sampled."""
    model = experiment.get("model")
    return str(model.get("kind", "")) if isinstance(model, Mapping) else ""
