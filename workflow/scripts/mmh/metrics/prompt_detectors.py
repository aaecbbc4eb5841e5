"""Scores of prompts along their trajectories, reduced to one number per prompt and detector.

A detector is named `metric.variant.nG`: the mean over G generations of the metric at the first sampling step
(`first`), over the first k (`firstk`) or all steps (`mean`), over noise levels t <= 0.2 (`low`), or of the
generation itself (`final`).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mmh.errors import InputError

LARGE = {"cfg_norm_squared": True, "cfg_norm": True, "score_norm_squared": True, "flipd": False, "png": False}
"""Metrics of prompts; whether a large value speaks for memorization."""
LOW_T = 0.2
LOW = ("flipd",)
"""Metrics that are averaged over t <= `LOW_T` (paper Eq. 28), the others from the first step on."""
IMAGE = ("png",)
"""What is measured on the generation itself, once: a control that needs no network."""
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
    unknown = sorted(set(scores["metric"]) - set(LARGE))
    if unknown:
        raise InputError(f"prompt scores: metric '{unknown[0]}' is unknown; there are {', '.join(LARGE)}")
    columns: dict[str, pd.Series] = {}
    for metric in (name for name in LARGE if (scores["metric"] == name).any()):
        index, values, t = _trajectories(scores[scores["metric"] == metric], metric)
        available = values.shape[1]
        for count in dict.fromkeys(generations or (1, available)):
            if not 1 <= count <= available:
                raise InputError(f"prompt scores: {count} generations asked for, '{metric}' has {available}")
            for variant, chosen in _variants(metric, t, steps).items():
                mean = values[:, :count, chosen].mean(axis=(1, 2)) * (1 if LARGE[metric] else -1)
                columns[f"{metric}.{variant}.n{count}"] = pd.Series(mean, index=index)
    return pd.DataFrame(columns)


def _trajectories(rows: pd.DataFrame, metric: str) -> tuple[pd.MultiIndex, np.ndarray, np.ndarray]:
    """Arrange one metric as (prompts, generations, steps), with the prompts and t (steps,)."""
    keys = ["prompt_set", "prompt", "generation"]
    rows = rows.sort_values([*keys, "t"], ascending=[True, True, True, False], kind="stable")
    index = pd.MultiIndex.from_frame(rows[keys[:2]].drop_duplicates())
    t = rows["t"].to_numpy(dtype=np.float64)
    n_steps = int((rows[keys] == rows[keys].iloc[0]).all(axis=1).sum())
    n_generations = len(rows) // (len(index) * n_steps)
    shape = (len(index), n_generations, n_steps)
    whole = len(rows) == np.prod(shape) and (rows.groupby(keys[:2])["generation"].nunique() == shape[1]).all()
    if not whole or (t.reshape(shape) != t[:n_steps]).any() or (np.diff(t[:n_steps]) >= 0).any():
        raise InputError(
            f"prompt scores: '{metric}' must have the same generations and steps for every prompt, each "
            "once; score the prompts again"
        )
    return index, rows["value"].to_numpy(dtype=np.float64).reshape(shape), t[:n_steps]


def _variants(metric: str, t: np.ndarray, steps: Sequence[int]) -> dict[str, np.ndarray]:
    """Which steps each variant averages, (steps,) bool."""
    if metric in IMAGE:
        return {"final": np.ones(len(t), dtype=bool)}
    if metric in LOW:
        if not (t <= LOW_T).any():
            raise InputError(
                f"prompt scores: '{metric}' has no step with t <= {LOW_T}, the least is {t.min()}"
            )
        return {"low": t <= LOW_T}
    variants: dict[str, np.ndarray] = {}
    for k in dict.fromkeys(steps):
        if not 1 <= k <= len(t):
            raise InputError(f"prompt scores: {k} first steps asked for, '{metric}' has {len(t)}")
        variants["first" if k == 1 else f"first{k}"] = np.arange(len(t)) < k
    return variants | {"mean": np.ones(len(t), dtype=bool)}
