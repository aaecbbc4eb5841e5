"""What a world is in which a claim does not hold, and how it is asked there."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mmh.calibration.drawing import Clusters
from mmh.calibration.moving import with_area
from mmh.claims.base import CLAIMS, Context, Finding
from mmh.compute import rng
from mmh.stats.curves import compare

if TYPE_CHECKING:
    import pandas as pd

    from mmh.stats.resampling import Interval

Null = Literal["no effect", "no effect, sizes kept", "edge"]
"""Nothing is there, for labels or for scores have changed clusters; or just as much as does not count yet."""
MIN_CLASS = 2
NO_EFFECT: Null = "no effect"
SIZES_KEPT: Null = "no effect, sizes kept"
EDGE: Null = "edge"
Draw = Callable[[np.random.Generator, int], Context]


@dataclass(frozen=True)
class World:
    """Data on which what is asked is not so.

    Attributes
    ----------
    claim : str
        Number of the claim; empty for the AUCs of the evaluation.
    null : str
        In which way.
    findings : callable
        Draws data from a generator and gives what is found on them; the number of the trial says which end
        of a region the truth lies at, where it has two.
    """

    claim: str
    null: Null
    findings: Callable[[np.random.Generator, int], list[Finding]]


@dataclass(frozen=True)
class Drawn(Context):
    """Tables of a claim whose samples or images are drawn: what stands in the others does not count."""

    samples: pd.DataFrame | None = None
    sets: pd.DataFrame | None = None

    def labelled(self, estimators: Sequence[str]) -> pd.DataFrame:
        """The samples drawn."""
        assert self.samples is not None
        return self.samples

    def images(self, names: Sequence[str], estimators: Sequence[str]) -> pd.DataFrame:
        """The images drawn."""
        assert self.sets is not None
        return self.sets[self.sets["items"].isin(list(names))].reset_index(drop=True)

    def prompts(self, names: Sequence[str], asked: Sequence[Any]) -> pd.DataFrame:
        """The prompts drawn."""
        return self.images(names, ())


def drawn(
    context: Context, *, samples: Any = None, sets: Any = None, options: Any = None, **tables: Any
) -> Drawn:
    """Put drawn tables in the place of those that a claim would read."""
    kept = {field.name: getattr(context, field.name) for field in fields(Context)}
    changed = {} if options is None else {"options": context.options.model_copy(update=options)}
    kept |= {"tables": {**context.tables, **tables}, **changed}
    return Drawn(**kept, samples=samples, sets=sets)


def world(claim: str, null: Null, draw: Draw, said: str = "", *, unsaid: str = "", role: str = "") -> World:
    """Ask a claim of data that are drawn.

    Parameters
    ----------
    claim, null
        As of `World`.
    draw : callable
        What the claim's test reads.
    said, unsaid : str
        Only findings count whose statistic holds the one, and does not hold the other.
    role : str
        Only those of this role; any if empty.
    """

    def findings(stream: np.random.Generator, trial: int) -> list[Finding]:
        return [
            found
            for found in CLAIMS[claim].test(draw(stream, trial))
            if said in found.statistic
            and not (unsaid and unsaid in found.statistic)
            and role in ("", found.role)
        ]

    return World(claim, null, findings)


def end(region: tuple[float, float], trial: int) -> float:
    """The end of a region at which the truth lies: of two, one after the other."""
    ends = [value for value in region if math.isfinite(value)]
    return ends[trial % len(ends)]


def areas(
    scores: np.ndarray, positive: np.ndarray, cluster: np.ndarray, names: Sequence[str], unit: str
) -> dict[str, Callable[..., Interval]]:
    """Intervals of AUC by score, each at any level; nothing where a class has fewer than two observations."""
    if min(positive.sum(), (~positive).sum()) < MIN_CLASS:
        return {}
    found = compare(scores, positive, cluster, unit=unit)
    return {name: partial(found.area, k) for k, name in enumerate(names)}


class MovedAreas:
    """Scores with a wanted AUC between classes that stay as they are, while clusters are drawn anew.

    Parameters
    ----------
    scores : (n, S) float
        Larger speaks for the positive class.
    positive : (n,) bool
    cluster : (n,) int
    area : float
        AUC of all scores, in (0, 1).
    """

    def __init__(self, scores: np.ndarray, positive: np.ndarray, cluster: np.ndarray, area: float) -> None:
        ties = rng.generator(0, "calibration-ties")
        self.scores = np.column_stack([with_area(column, positive, area, ties) for column in scores.T])
        self.positive, self.clusters = positive, Clusters(cluster)

    def draw(self, stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Scores, classes and clusters of one draw; clusters with positives are drawn by themselves."""
        rows, cluster = self.clusters.redrawn(stream, self.positive)
        return self.scores[rows], self.positive[rows], cluster


def area_rows(
    contrast: str,
    scores: np.ndarray,
    positive: np.ndarray,
    cluster: np.ndarray,
    names: Sequence[str],
    unit: str,
) -> list[dict[str, Any]]:
    """Rows of ``evaluation.csv``, as far as a claim reads them.

    Parameters
    ----------
    contrast : str
    scores : (n, S) float
        Larger speaks for the positive class.
    positive : (n,) bool
    cluster : (n,) int
    names : sequence of str
        Of the scores.
    unit : str
        What a cluster is.

    Returns
    -------
    list of dict
        `estimator`, `contrast`, counts, and the AUC with its interval and how it was made.
    """
    records = []
    for name, at in areas(scores, positive, cluster, names, unit).items():
        one = at()
        record = {"estimator": name, "contrast": contrast, "n_positive": int(positive.sum())}
        record |= {"n_negative": int((~positive).sum()), "n_clusters": one.n_clusters, "unit": unit}
        record |= {"auc": one.estimate, "auc_low": one.low, "auc_high": one.high, "auc_reason": one.reason}
        records.append(record | {"auc_method": one.method, "auc_df": one.df})
    return records


AREA_COLUMNS = [
    *("estimator", "contrast", "n_positive", "n_negative", "n_clusters", "unit"),
    *("auc", "auc_low", "auc_high", "auc_reason", "auc_method", "auc_df"),
]
"""Of `area_rows`."""


def detector(name: str, contrast: str, at: Callable[..., Any]) -> Finding:
    """Ask whether an AUC differs from 1/2: inside if it lies above, outside if below."""
    return Finding(f"AUC of {name}, {contrast}", at, (0.5, math.inf), null="0.5")
