"""Detection metrics of prompts: A^CFG, A^sCFG and A^FLIPD from the scores along guided trajectories.

With eps^CFG = eps_0 + lambda (eps_c - eps_0) at the latents of each step (see `mmh.metrics.prompt_scores`):

A^CFG   = mean of ||eps_c - eps_0||^2                             over the steps; large for memorized prompts,
A^sCFG  = mean of ||eps^CFG||^2                                   over the steps; large,
A^FLIPD = mean of d - sigma tr(d eps^CFG / d z) + ||eps^CFG||^2   over the steps with t <= 0.2; small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


def cfg_norm(
    scores: pd.DataFrame,
    *,
    squared: bool = True,
    steps: int | None = None,
    generations: int | None = None,
) -> pd.Series:
    """A^CFG of prompts: the mean of ||eps_c - eps_0||^2 over steps and generations. Large: memorized.

    Parameters
    ----------
    scores : pandas.DataFrame
        Columns ``prompt_set, prompt, generation, step, metric, value`` and others, of any number of sets.
    squared : bool
        False for the mean of the norm itself, as Wen et al. define their metric.
    steps : int, optional
        The first so many steps of sampling only; 1 for the metric of the initial noise.
    generations : int, optional
        The first so many generations only.

    Returns
    -------
    pandas.Series
        By (prompt_set, prompt).

    Raises
    ------
    InputError
        If the table lacks the metric, or holds fewer steps or generations than asked for.
    """
    metric = "cfg_norm_squared" if squared else "cfg_norm"
    return _mean(scores, metric, steps, generations)


def score_norm(
    scores: pd.DataFrame, *, steps: int | None = None, generations: int | None = None
) -> pd.Series:
    """A^sCFG of prompts: the mean of ||eps^CFG||^2 over steps and generations. Large: memorized.

    Parameters
    ----------
    scores, steps, generations
        As for `cfg_norm`.

    Returns
    -------
    pandas.Series
        By (prompt_set, prompt).

    Raises
    ------
    InputError
        As `cfg_norm` does.
    """
    return _mean(scores, "score_norm_squared", steps, generations)


def flipd_metric(scores: pd.DataFrame, *, generations: int | None = None) -> pd.Series:
    """A^FLIPD of prompts: the mean of FLIPD^CFG over the steps where it was taken. Small: memorized.

    Parameters
    ----------
    scores, generations
        As for `cfg_norm`.

    Returns
    -------
    pandas.Series
        By (prompt_set, prompt), in dimensions.

    Raises
    ------
    InputError
        As `cfg_norm` does.
    """
    return _mean(scores, "flipd", None, generations)


def _mean(scores: pd.DataFrame, metric: str, steps: int | None, generations: int | None) -> pd.Series:
    chosen = scores[scores["metric"] == metric]
    if not len(chosen):
        raise InputError(f"the table of scores holds no {metric}; it has {sorted(set(scores['metric']))}")
    for column, count in (("step", steps), ("generation", generations)):
        if count is not None:
            if not 1 <= count <= chosen[column].max() + 1:
                raise InputError(f"the first {count} values of {column} were asked for, of {metric}")
            chosen = chosen[chosen[column] < count]
    # Generations first: each counts the same. The order is fixed, so the last digits are, too.
    ordered = chosen.sort_values(["prompt_set", "prompt", "generation", "step"])
    each = ordered.groupby(["prompt_set", "prompt", "generation"])["value"].mean()
    return each.groupby(["prompt_set", "prompt"]).mean().rename(metric)
