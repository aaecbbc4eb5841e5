"""The tables of rows, as what the blocks of the configuration may hold."""

import functools
from collections.abc import Mapping
from typing import Any

from mmh.claims.base import CLAIMS
from mmh.figures.base import FIGURES
from mmh.metrics.base import METRICS
from mmh.mitigations.base import MITIGATIONS
from mmh.models.base import KINDS, SamplingPlan
from mmh.options.base import Alternative
from mmh.rows import Table, rows_of
from mmh.scores.base import SCORES
from mmh.worlds.base import WORLDS

TABLES: list[Table[Any]] = [SCORES, KINDS, WORLDS, FIGURES, METRICS, CLAIMS, MITIGATIONS]


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
