"""Scores of prompts as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

    from mmh.prompts.scoring import PromptScores

Array = NDArray[np.float64]
Places = NDArray[np.int64]


def score_table(
    scores: PromptScores,
    *,
    prompt_set: str,
    prompts: Sequence[int] | Places,
    generations: int,
    images: Mapping[str, Array] | None = None,
) -> pd.DataFrame:
    """List scores one per row.

    Parameters
    ----------
    scores : PromptScores
        Of n prompts.
    prompt_set, prompts, generations
        As for `prompt_scores`.
    images : mapping, optional
        What was measured on the generations themselves, by name: (items,), listed at the last step.

    Returns
    -------
    pandas.DataFrame
        Columns ``prompt_set, prompt, generation, step, t, index, sigma, metric, value``; rows by prompt,
        generation, metric, step.
    """
    import pandas as pd

    numbers, grid, all_steps = np.asarray(prompts, dtype=np.int64), scores.grid, np.arange(len(scores.grid))

    def listed(names: Sequence[str], steps: Places, value: Array) -> pd.DataFrame:
        """Rows of values (items, names, steps)."""
        shape = (len(numbers), generations, len(names), len(steps))

        def column(values: Any, axis: int) -> Any:
            sizes = [1, 1, 1, 1]
            sizes[axis] = -1
            return np.broadcast_to(np.asarray(values).reshape(sizes), shape).ravel()

        return pd.DataFrame(
            {
                "prompt_set": prompt_set,
                "prompt": column(numbers, 0),
                "generation": column(np.arange(generations), 1),
                "step": column(steps, 3),
                "t": column(grid.t[steps], 3),
                "index": column(grid.index[steps], 3),
                "sigma": column(np.sqrt(1.0 - grid.abar[steps]), 3),
                "metric": column(np.array(names, dtype=object), 2),
                "value": value.ravel(),
            }
        )

    parts = [listed([name], all_steps[-1:], np.asarray(value)) for name, value in (images or {}).items()]
    if scores.values:
        table = listed(list(scores.values), all_steps, np.stack(list(scores.values.values()), axis=1))
        parts.insert(0, table[table["value"].notna()])
    return pd.concat(parts, ignore_index=True)
