"""Averages of the metrics of prompts: A^CFG, A^sCFG and A^FLIPD from the scores along guided trajectories.

With eps^CFG = eps_0 + lambda (eps_c - eps_0) at the latents of each step (see `mmh.prompts.scoring`):

A^CFG   = mean of ||eps_c - eps_0||^2                             over the steps; large for memorized prompts,
A^sCFG  = mean of ||eps^CFG||^2                                   over the steps; large,
A^FLIPD = mean of d - sigma tr(d eps^CFG / d z) + ||eps^CFG||^2   over the steps with t <= 0.2; small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mmh.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


class Trajectories(NamedTuple):
    """One metric of n prompts: `values` (n, generations, steps), prompts, levels and numbers of steps."""

    prompts: pd.MultiIndex
    values: NDArray[np.float64]
    t: NDArray[np.float64]
    steps: NDArray[np.int64]

    def mean(self, generations: int | None = None, steps: NDArray[np.bool_] | None = None) -> pd.Series:
        """Mean over the first generations and over some steps, by (prompt_set, prompt); of all by default."""
        import pandas as pd

        chosen = self.values[:, :generations, slice(None) if steps is None else steps]
        return pd.Series(chosen.mean(axis=(1, 2)), index=self.prompts)


def trajectories(scores: pd.DataFrame, metric: str) -> Trajectories:
    """Arrange the scores of one metric.

    Parameters
    ----------
    scores : pandas.DataFrame
        Columns ``prompt_set, prompt, generation, step, t, metric, value`` and others, of any number of sets,
        in any order.
    metric : str
        Which one.

    Returns
    -------
    Trajectories
        Prompts sorted, generations by their ids, steps by falling t.

    Raises
    ------
    InputError
        If there are no scores of the metric, or prompts differ in generations or steps.
    """
    import numpy as np
    import pandas as pd

    rows = scores[scores["metric"] == metric]
    if rows.empty:
        raise InputError(f"the table of scores holds no {metric}; it has {sorted(set(scores['metric']))}")
    keys = ["prompt_set", "prompt", "generation"]
    rows = rows.sort_values([*keys, "t"], ascending=[True, True, True, False], kind="stable")
    prompts = pd.MultiIndex.from_frame(rows[keys[:2]].drop_duplicates())
    t = rows["t"].to_numpy(dtype=np.float64)
    n_steps = int((rows[keys] == rows[keys].iloc[0]).all(axis=1).sum())
    n_generations = len(rows) // (len(prompts) * n_steps)
    shape = (len(prompts), n_generations, n_steps)
    whole = len(rows) == np.prod(shape) and (rows.groupby(keys[:2])["generation"].nunique() == shape[1]).all()
    if not whole or (t.reshape(shape) != t[:n_steps]).any() or (np.diff(t[:n_steps]) >= 0).any():
        raise InputError(
            f"prompt scores: '{metric}' must have the same generations and steps for every prompt, each "
            "once; score the prompts again"
        )
    values, numbers = rows["value"].to_numpy(dtype=np.float64), rows["step"].to_numpy(np.int64)[:n_steps]
    return Trajectories(prompts, values.reshape(shape), t[:n_steps], numbers)


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
        As for `trajectories`.
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
        If the table lacks the metric, prompts differ in generations or steps, or there are not as many of
        either as are asked for.
    """
    return _mean(scores, "cfg_norm_squared" if squared else "cfg_norm", steps, generations)


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
    import numpy as np

    found = trajectories(scores, metric)
    sizes = dict(zip(("generation", "step"), found.values.shape[1:], strict=True))
    for column, count in (("step", steps), ("generation", generations)):
        if count is not None and not 1 <= count <= sizes[column]:
            raise InputError(f"the first {count} values of {column} were asked for, of {metric}")
    first = None if steps is None else np.arange(sizes["step"]) < steps
    return found.mean(generations, first).rename(metric)
