"""Metrics of prompts at single steps of their trajectories, and how well each tells memorized ones there."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mmh.errors import InputError
from mmh.metrics.averages import trajectories
from mmh.metrics.base import METRICS
from mmh.stats.curves import compare

MIN_CLASS = 2
KEYS = ["prompt_set", "prompt"]


class Statistic(NamedTuple):
    """What is asked of each prompt.

    Attributes
    ----------
    metric : str
        Name of a metric.
    step : int or None
        Number of the step, from 1 for the noisiest; None: the mean over all that it sees.
    generations : int
        How many generations are averaged: values of each, not of their mean.
    """

    metric: str
    step: int | None
    generations: int

    @property
    def said(self) -> str:
        """In words."""
        where = "all steps" if self.step is None else f"step {self.step}"
        return f"{self.metric} at {where}, n = {self.generations}"


class Steps(NamedTuple):
    """A metric of prompts, step by step: means over the first generations, larger speaks for memorization.

    Attributes
    ----------
    prompts : pandas.MultiIndex
        (prompt_set, prompt), n of them.
    values : numpy.ndarray
        float64 (n, steps).
    numbers : numpy.ndarray
        int64 (steps,), from 1 for the noisiest.
    t : numpy.ndarray
        float64 (steps,).
    """

    prompts: pd.MultiIndex
    values: NDArray[np.float64]
    numbers: NDArray[np.int64]
    t: NDArray[np.float64]


def metric_by_step(scores: pd.DataFrame, metric: str, generations: int) -> Steps:
    """Average a metric over the first generations, at each step that it sees.

    Parameters
    ----------
    scores : pandas.DataFrame
        Long table of prompts' scores: `SCORE_COLUMNS` of `mmh.detection.prompt_detectors`.
    metric : str
    generations : int

    Returns
    -------
    Steps

    Raises
    ------
    InputError
        If there are no scores of the metric, or fewer generations.
    """
    found = trajectories(scores, metric)
    available = found.values.shape[1]
    if not 1 <= generations <= available:
        raise InputError(f"prompt scores: {generations} generations asked for, '{metric}' has {available}")
    sign = 1 if METRICS[metric].large else -1
    values = sign * found.values[:, :generations].mean(axis=1)
    return Steps(found.prompts, values, found.steps + 1, found.t)


def prompt_statistics(
    prompts: pd.DataFrame, scores: pd.DataFrame, sets: Sequence[str], asked: Sequence[Statistic]
) -> pd.DataFrame:
    """Give what is asked of each prompt of some sets.

    Parameters
    ----------
    prompts : pandas.DataFrame
        `prompt_set`, `prompt`, `family`.
    scores : pandas.DataFrame
        As for `metric_by_step`.
    sets : sequence of str
        Prompt sets.
    asked : sequence of Statistic

    Returns
    -------
    pandas.DataFrame
        `items` (the set), `family`, and a column by `Statistic.said` for each, larger = memorized.

    Raises
    ------
    InputError
        If a metric does not see a step, a set is unknown, or a prompt has no scores.
    """
    rows, columns = _rows(prompts, sets), {}
    by_metric: dict[tuple[str, int], tuple[Steps, pd.DataFrame]] = {}
    for one in dict.fromkeys(asked):
        key = one.metric, one.generations
        if key not in by_metric:
            steps = metric_by_step(scores, *key)
            by_metric[key] = steps, _placed(rows, steps)
        found, values = by_metric[key]
        if one.step is not None and one.step not in values:
            seen = ", ".join(map(str, found.numbers))
            raise InputError(f"prompt scores: '{one.metric}' is not taken at step {one.step}, but at {seen}")
        columns[one.said] = (values.mean(axis=1) if one.step is None else values[one.step]).to_numpy()
    table = pd.DataFrame({"items": rows["prompt_set"], "family": rows["family"]}).reset_index(drop=True)
    return table.assign(**columns)


def _rows(prompts: pd.DataFrame, sets: Sequence[str]) -> pd.DataFrame:
    """Prompts of some sets."""
    known = list(dict.fromkeys(prompts["prompt_set"]))
    for name in sets:
        if name not in known:
            raise InputError(f"prompt set '{name}' is unknown; there are {', '.join(known)}")
    return prompts[prompts["prompt_set"].isin(list(sets))]


def _placed(rows: pd.DataFrame, found: Steps) -> pd.DataFrame:
    """Values of some prompts, in their order, a column for each step."""
    index = pd.MultiIndex.from_frame(rows[KEYS])
    values = pd.DataFrame(found.values, index=found.prompts, columns=found.numbers).reindex(index)
    lacking = values.isna().any(axis=1).to_numpy()
    if lacking.any():
        name, prompt = index[int(np.flatnonzero(lacking)[0])]
        raise InputError(f"prompt {prompt} of '{name}' lacks scores; score all prompts of both sets")
    return values


def areas_by_step(
    prompts: pd.DataFrame,
    scores: pd.DataFrame,
    pair: Sequence[str],
    metrics: Sequence[str],
    generations: Sequence[int],
) -> pd.DataFrame:
    """AUC of metrics at every step that they see, with intervals over families of prompts.

    Parameters
    ----------
    prompts, scores
        As for `prompt_statistics`.
    pair : (str, str)
        Set of memorized prompts and set of others.
    metrics : sequence of str
    generations : sequence of int
        Numbers of generations that are averaged.

    Returns
    -------
    pandas.DataFrame
        `metric`, `generations`, `step`, `t`, `n_positive`, `n_negative`, `n_clusters`, `unit`, `auc`,
        `auc_low`, `auc_high`, `auc_reason`.

    Raises
    ------
    InputError
        As `prompt_statistics` does; also if a set has fewer than two prompts.
    """
    rows, records = _rows(prompts, pair), []
    positive = (rows["prompt_set"] == pair[0]).to_numpy()
    sizes = int(positive.sum()), int((~positive).sum())
    if min(sizes) < MIN_CLASS:
        raise InputError(f"prompt sets {' and '.join(pair)}: {MIN_CLASS} prompts of each are needed")
    for metric, count in itertools.product(metrics, generations):
        found = metric_by_step(scores, metric, count)
        values = _placed(rows, found).to_numpy()
        compared = compare(values, positive, rows["family"].to_numpy(), unit="family")
        for place, (number, t) in enumerate(zip(found.numbers, found.t, strict=True)):
            area = compared.area(place)
            record = {"metric": metric, "generations": count, "step": int(number), "t": float(t)}
            record |= {"n_positive": sizes[0], "n_negative": sizes[1], "n_clusters": area.n_clusters}
            record |= {"unit": "family", "auc": area.estimate, "auc_low": area.low}
            records.append(record | {"auc_high": area.high, "auc_reason": area.reason})
    return pd.DataFrame(records)
