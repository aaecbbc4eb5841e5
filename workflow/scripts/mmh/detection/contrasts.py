"""Contrasts of memorized items with others, the controls beside every detector, and their rows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mmh.errors import InputError
from mmh.evaluation.compared import Compared
from mmh.evaluation.names import MATCHED, TURNED, contrast_name
from mmh.evaluation.samples import MIN_CLASS
from mmh.prompts.matching import matched
from mmh.prompts.words import family_folds, oriented, word_controls

MIN_PAIRS = 20
"""Fewer matched pairs than this make no contrast."""


def word_contrasts(
    prompts: pd.DataFrame, pairs: Sequence[Sequence[str]], match: bool, folds: int, seed: int
) -> Iterator[tuple[str, pd.DataFrame, list[str]]]:
    """Give each contrast's name, its prompts with `positive` and the text-only controls, and their names."""
    for pair in pairs:
        for name in pair:
            if not (prompts["prompt_set"] == name).any():
                known = ", ".join(prompts["prompt_set"].unique())
                raise InputError(f"prompt set '{name}' is unknown; there are {known}")
        rows = prompts[prompts["prompt_set"].isin(pair)].reset_index(drop=True)
        rows["positive"] = rows["prompt_set"] == pair[0]
        yield contrast_name(*pair), *with_controls(rows, folds, seed)
        if not match:
            continue
        chosen = matched(rows["text"].tolist(), rows["positive"].to_numpy())
        if len(chosen) >= 2 * MIN_PAIRS:
            near = rows.iloc[chosen].reset_index(drop=True)
            if near.groupby("positive")["family"].nunique().min() > 1:
                yield contrast_name(*pair) + MATCHED, *with_controls(near, folds, seed)


def with_controls(table: pd.DataFrame, folds: int, seed: int) -> tuple[pd.DataFrame, list[str]]:
    """Add the controls that see the words alone; give their names."""
    positive, families = table["positive"].to_numpy(), table["family"].to_numpy()
    controls = word_controls(table["text"].tolist(), positive, families, folds=folds, seed=seed)
    return pd.concat([table, controls], axis=1), list(controls)


def with_turned(
    table: pd.DataFrame, names: Sequence[str], folds: int, seed: int
) -> tuple[pd.DataFrame, list[str]]:
    """Add scores that need no model, each turned round where the other folds say so; give their names."""
    positive, families = table["positive"].to_numpy(), table["family"].to_numpy()
    if not len(names):
        return table, []
    fold = family_folds(families, positive, folds=folds, seed=seed)
    columns = {f"{name}{TURNED}": oriented(table[name].to_numpy(), positive, fold) for name in names}
    return table.assign(**columns), list(columns)


def contrast_records(
    table: pd.DataFrame,
    names: Sequence[str],
    baselines: Sequence[str],
    contrast: str,
    *,
    signs: Mapping[str, float],
) -> list[dict[str, Any]]:
    """Evaluate columns of one contrast, larger = memorized; `signs` gives medians their own sign again."""
    positive, columns = table["positive"].to_numpy(), list(names)
    if min(positive.sum(), (~positive).sum()) < MIN_CLASS:
        raise InputError(f"contrast '{contrast}' needs {MIN_CLASS} items of each class, {len(table)} in all")
    found = Compared(
        table[columns].to_numpy(dtype=np.float64),
        positive,
        table["family"].to_numpy(),
        columns,
        signs,
        "family",
    )
    return [found.record(name, contrast, found.best(baselines)) for name in columns]
