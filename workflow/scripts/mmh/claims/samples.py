"""The papers' claims, each as a statistic with an interval and a verdict: the rows of ``claims.csv``.

A claim is a function of plain tables that yields (statistic, interval, region): it `holds` if the interval
lies wholly inside the claimed region, `fails` if it lies wholly outside, and is `undecided` otherwise. To add
one, write one function under `_claim`; those about text-to-image models are in `mmh.claims.captions`.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mmh.claims import captions as claims_text
from mmh.errors import InputError
from mmh.evaluation.samples import CONTRASTS, NEGATIVE, contrast_rows, labelled_scores
from mmh.stats.curves import Interval, median_interval, paired_auc_difference

COLUMNS = ["claim", "statement", "figure", "statistic", "estimate", "low", "high", "n", "verdict"]

Region = tuple[float, float]
Finding = tuple[str, Interval, Region]

# Every option with its default; lists name estimators.
DEFAULTS: dict[str, Any] = {
    "flipd": "flipd",  # claim 1: read at the three places; 7, 9, 10, 18: FLIPD given the caption
    "tolerance": {"isolated": 0.4, "centre": 0.2, "arc": 0.2},  # claim 1: what "about" means, in dimensions
    "model_estimators": [],  # claims 2, 3: LID_theta
    "data_estimators": ["lpca"],  # claim 4: LID_*
    "considerable": 5.0,  # claim 4: least difference of medians, in dimensions
    "comparable": 5.0,  # claim 5: largest difference of medians, in dimensions
    "ratios": {},  # claim 6: name of LID / PNG -> name of its LID
    "clusters": "group",  # column of the training table
    "exclude": [],  # samples that calibrated t0
    "overfit_gap": 0.0,  # od: LID_* - LID_theta of the overfit model exceeds this, in dimensions
    "control_gap": 0.0,  # od: control - overfit LID_theta exceeds this, in dimensions
    **claims_text.DEFAULTS,
}


@dataclass(frozen=True)
class Context:
    """What a claim may read: tables by name, options, and the bootstrap's settings."""

    tables: Mapping[str, pd.DataFrame]
    options: Mapping[str, Any]
    resamples: int
    seed: int

    def labelled(self, estimators: Sequence[str]) -> pd.DataFrame:
        """Scores of the labelled samples, as `evaluation.labelled_scores` gives them."""
        return labelled_scores(
            *(self.tables[name] for name in ("scores", "labels", "matches", "train")),
            estimators=estimators,
            clusters=self.options["clusters"],
            exclude=self.options["exclude"],
        )


@dataclass(frozen=True)
class _Claim:
    statement: str
    figure: str
    needs: tuple[str, ...]
    check: Callable[[Context], Iterator[Finding]]


REGISTRY: dict[str, _Claim] = {}


def _claim(
    name: str, statement: str, figure: str, needs: tuple[str, ...]
) -> Callable[[Callable[[Context], Iterator[Finding]]], Callable[[Context], Iterator[Finding]]]:
    def register(check: Callable[[Context], Iterator[Finding]]) -> Callable[[Context], Iterator[Finding]]:
        REGISTRY[name] = _Claim(statement, figure, needs, check)
        return check

    return register


def verdict(interval: Interval, region: Region) -> str:
    """Judge an interval against the region that a claim states.

    Parameters
    ----------
    interval : Interval
        The statistic; NaN bounds mean that the data do not bound it.
    region : (low, high)
        Where the claim says that the statistic lies; infinite where one-sided. Its ends are on neither side.

    Returns
    -------
    str
        `holds`, `fails` or `undecided`.
    """
    low, high = region
    if math.isnan(interval.low) or math.isnan(interval.high):
        return "undecided"
    if low < interval.low and interval.high < high:
        return "holds"
    if interval.high < low or interval.low > high:
        return "fails"
    return "undecided"


def check_claims(
    claims: Sequence[str | int],
    tables: Mapping[str, pd.DataFrame],
    *,
    options: Mapping[str, Any] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Check the claims that are asked of an experiment.

    Parameters
    ----------
    claims : sequence of str or int
        Keys of `REGISTRY`: the numbers of the claims, and `od`.
    tables : mapping
        `evaluation`, `scores` (with `items`), `labels`, `matches`, `train`; `regions` with `sample` and
        `region` (`isolated`, `centre`, `arc`, others are ignored); `paired` as `evaluation.paired_lid` makes
        it; `image_sets` as `evaluation.image_sets.read_sets` makes it. Only those that the claims need.
    options : mapping, optional
        Replaces entries of `DEFAULTS`.
    resamples, seed : int
        Of the bootstrap.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`; claims in the order asked. A claim on which the data say nothing has a row without
        estimate, n = 0, `undecided`.

    Raises
    ------
    InputError
        If a claim or an option is unknown, or a table that a claim needs is not given.
    """
    chosen = dict(options or {})
    unknown = sorted(set(chosen) - set(DEFAULTS))
    if unknown:
        raise InputError(f"claims: unknown option '{unknown[0]}'; there are {', '.join(DEFAULTS)}")
    context = Context(tables, {**DEFAULTS, **chosen}, resamples, seed)
    records = []
    for name in map(str, claims):
        if name not in REGISTRY:
            raise InputError(f"claim '{name}' is unknown; there are {', '.join(REGISTRY)}")
        claim = REGISTRY[name]
        missing = [table for table in claim.needs if table not in tables]
        if missing:
            raise InputError(
                f"claim {name} needs the table '{missing[0]}', which this experiment does not have"
            )
        nothing = ("no data", Interval(np.nan, np.nan, np.nan, 0), (-np.inf, np.inf))
        for statistic, interval, region in list(claim.check(context)) or [nothing]:
            numbers = (interval.estimate, interval.low, interval.high, interval.n)
            judged = verdict(interval, region)
            records.append((name, claim.statement, claim.figure, statistic, *numbers, judged))
    return pd.DataFrame(records, columns=COLUMNS)


@_claim(
    "1",
    "FLIPD is about 0 at the copied isolated point and at the centre, about 1 on the circle",
    "lid_scatter",
    ("scores", "regions"),
)
def _three_places(context: Context) -> Iterator[Finding]:
    scores, name = context.tables["scores"], context.options["flipd"]
    rows = scores[(scores["items"] == "samples") & (scores["estimator"] == name)]
    if rows["item"].duplicated().any():
        raise InputError(f"claim 1: '{name}' has several values for a sample (several t?)")
    rows = rows[~rows["item"].isin(set(context.options["exclude"]))]
    values = rows.merge(context.tables["regions"], left_on="item", right_on="sample")
    for number, (place, expected) in enumerate((("isolated", 0.0), ("centre", 0.0), ("arc", 1.0))):
        here = values.loc[values["region"] == place, "value"].to_numpy()
        tolerance = context.options["tolerance"][place]
        interval = median_interval(here, ids=[1, number], resamples=context.resamples, seed=context.seed)
        about = f"median {name}, {place} (about {expected:g}: within {tolerance:g})"
        yield about, interval, (expected - tolerance, expected + tolerance)


def _smaller(context: Context, contrast: str) -> Iterator[Finding]:
    table = context.tables["evaluation"]
    rows = table[table["contrast"] == contrast].set_index("estimator")
    for name in context.options["model_estimators"]:
        if name in rows.index:
            row = rows.loc[name]
            interval = Interval(row.auc, row.auc_low, row.auc_high, int(row.n_positive + row.n_negative))
            yield f"AUC of {name}, {contrast} against not memorized (above .5)", interval, (0.5, np.inf)


@_claim(
    "2",
    "LID_theta is smaller for exactly memorized than for not memorized samples",
    "lid_model",
    ("evaluation",),
)
def _exact_smaller(context: Context) -> Iterator[Finding]:
    return _smaller(context, "exact")


@_claim(
    "3",
    "LID_theta is smaller for reconstructively memorized than for not memorized samples",
    "lid_model",
    ("evaluation",),
)
def _reconstructive_smaller(context: Context) -> Iterator[Finding]:
    return _smaller(context, "reconstructive")


@_claim(
    "4",
    "LID_* of the match is considerably lower for exactly memorized than for not memorized samples",
    "lid_data",
    ("scores", "labels", "matches", "train"),
)
def _data_lower(context: Context) -> Iterator[Finding]:
    threshold = context.options["considerable"]
    for name, interval in _data_differences(context, "exact", 4):
        statistic = f"median {name}, not memorized minus exact (above {threshold:g})"
        yield statistic, interval, (threshold, np.inf)


@_claim(
    "5",
    "LID_* of the match is comparable for reconstructively memorized and for not memorized samples",
    "lid_data",
    ("scores", "labels", "matches", "train"),
)
def _data_comparable(context: Context) -> Iterator[Finding]:
    margin = context.options["comparable"]
    for name, interval in _data_differences(context, "reconstructive", 5):
        statistic = f"median {name}, not memorized minus reconstructive (within {margin:g})"
        yield statistic, interval, (-margin, margin)


def _data_differences(context: Context, label: str, claim: int) -> Iterator[tuple[str, Interval]]:
    """Difference of the medians of LID_*, not memorized minus one class, by estimator."""
    for number, name in enumerate(context.options["data_estimators"]):
        table = context.labelled([name]).dropna(subset=[name])
        control, copies = (table[table["label"] == wanted] for wanted in (NEGATIVE, label))
        if len(control) and len(copies):
            yield (
                name,
                median_interval(
                    control[name].to_numpy(),
                    copies[name].to_numpy(),
                    clusters=control["cluster"].to_numpy(),
                    other_clusters=copies["cluster"].to_numpy(),
                    ids=[claim, number],
                    resamples=context.resamples,
                    seed=context.seed,
                ),
            )


@_claim(
    "6",
    "Dividing LID by PNG size improves the separation of memorized from not memorized samples",
    "lid_complexity",
    ("scores", "labels", "matches", "train"),
)
def _ratio_improves(context: Context) -> Iterator[Finding]:
    ratios = context.options["ratios"]
    table = context.labelled(list(dict.fromkeys([*ratios, *ratios.values()])))
    for number, contrast in enumerate(CONTRASTS):
        for ratio, plain in ratios.items():
            rows = contrast_rows(table, contrast).dropna(subset=[ratio, plain])
            positive = rows["positive"].to_numpy()
            if min(positive.sum(), (~positive).sum()) < 2:
                continue
            interval = paired_auc_difference(
                -rows[ratio].to_numpy(),
                -rows[plain].to_numpy(),
                positive,
                rows["cluster"].to_numpy(),
                ids=[6, number],
                resamples=context.resamples,
                seed=context.seed,
            )
            yield f"AUC of {ratio} minus {plain}, {contrast} (above 0)", interval, (0.0, np.inf)


@_claim(
    "od",
    "An overfit model's LID is below that of the data at the same images, and below that of a control model",
    "lid_paired",
    ("paired",),
)
def _overfit(context: Context) -> Iterator[Finding]:
    table = context.tables["paired"]
    model = table["lid_model"].to_numpy()
    pairs = (
        ("LID_* minus LID_theta", "lid_data", "overfit_gap"),
        ("LID_theta, control minus overfit", "lid_control", "control_gap"),
    )
    for number, (what, column, option) in enumerate(pairs):
        interval = median_interval(
            table[column].to_numpy(),
            model,
            paired=True,
            ids=[0, number],
            resamples=context.resamples,
            seed=context.seed,
        )
        gap = context.options[option]
        yield f"difference of medians, {what} (above {gap:g})", interval, (gap, np.inf)


for _number, (_statement, _figure, _needs, _check) in claims_text.CLAIMS.items():
    _claim(_number, _statement, _figure, _needs)(_check)
