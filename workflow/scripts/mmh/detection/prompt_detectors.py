"""Scores of prompts along their trajectories, reduced to one number per prompt and detector."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mmh.errors import InputError
from mmh.evaluation.names import Detector, first_steps, one_step
from mmh.metrics.averages import Trajectories, trajectories
from mmh.metrics.base import METRICS, in_order

SCORE_COLUMNS = ("prompt_set", "prompt", "generation", "step", "t", "metric", "value")


def prompt_detectors(
    scores: pd.DataFrame, *, steps: Sequence[int] = (1,), generations: Sequence[int] | None = None
) -> pd.DataFrame:
    """Reduce the scores of prompts along their trajectories to one number per prompt and detector.

    Parameters
    ----------
    scores : pandas.DataFrame
        `SCORE_COLUMNS`. Steps follow falling `t`: the first is the one of the largest t.
    steps : sequence of int
        Numbers k of first steps to average, besides all of them.
    generations : sequence of int, optional
        Numbers of generations to average, in the order of their ids; by default 1 and all.

    Returns
    -------
    pandas.DataFrame
        Indexed by `prompt_set` and `prompt`, sorted; a float64 column per detector, larger = memorized.

    Raises
    ------
    InputError
        If a metric is unknown, prompts differ in generations or steps, or there are not as many of either as
        are asked for.
    """
    present = set(scores["metric"])
    known = in_order(present)  # with all that there are, a new metric would rerun this
    unknown = sorted(present - set(known))
    if unknown:
        raise InputError(
            f"prompt scores: metric '{unknown[0]}' is unknown; there are "
            f"{', '.join(in_order(METRICS.rows()))}"
        )
    columns: dict[str, pd.Series] = {}
    total = int(scores["step"].max()) + 1 if len(scores) else 0
    for metric in known:
        found = trajectories(scores, metric)
        available = found.values.shape[1]
        for count in dict.fromkeys(generations or (1, available)):
            if not 1 <= count <= available:
                raise InputError(f"prompt scores: {count} generations asked for, '{metric}' has {available}")
            if count < METRICS[metric].generations:
                continue
            for variant, chosen in _variants(metric, found, steps, total).items():
                sign = 1 if METRICS[metric].large else -1
                columns[str(Detector(metric, variant, count))] = found.mean(count, chosen) * sign
    return pd.DataFrame(columns)


def _variants(metric: str, found: Trajectories, steps: Sequence[int], total: int) -> dict[str, np.ndarray]:
    """Which steps each variant averages, (steps,) bool."""
    row, t = METRICS[metric], found.t
    if row.needs == "image":
        return {"final": np.ones(len(t), dtype=bool)}
    if row.until is not None:
        if not (t <= row.until).any():
            raise InputError(
                f"prompt scores: '{metric}' has no step with t <= {row.until}, the least is {t.min()}"
            )
        return {"low": t <= row.until}
    if row.chooses() and len(t) < total:
        return _at_chosen_steps(found.steps, steps)
    variants: dict[str, np.ndarray] = {}
    for k in dict.fromkeys(steps):
        if not 1 <= k <= len(t):
            raise InputError(f"prompt scores: {k} first steps asked for, '{metric}' has {len(t)}")
        variants[first_steps(k)] = np.arange(len(t)) < k
    return variants | {"mean": np.ones(len(t), dtype=bool)}


def _at_chosen_steps(seen: np.ndarray, steps: Sequence[int]) -> dict[str, np.ndarray]:
    """Each step that a metric saw by itself, and the first so many where it saw all of them."""
    firsts = [k for k in dict.fromkeys(steps) if np.isin(np.arange(k), seen).all()]
    variants = {first_steps(k): seen < k for k in firsts}
    singles = [int(step) for step in seen if not (step == 0 and 1 in firsts)]
    return variants | {one_step(step + 1): seen == step for step in singles}
