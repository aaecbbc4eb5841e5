"""How well lists of prompts can be told apart from their words alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mmh.detection.contrasts import contrast_records, word_contrasts
from mmh.errors import InputError
from mmh.evaluation.compared import COUNTS, RATES
from mmh.prompts.words import FOLDS, shuffled_areas
from mmh.stats.curves import delong_interval, wilson_interval

NAIVE = ["naive_auc_low", "naive_auc_high", "naive_tpr_low", "naive_tpr_high"]
CHANCE = ["chance_low", "chance_high"]
AUDIT_COLUMNS = [
    "estimator",
    "contrast",
    *COUNTS,
    *RATES,
    *NAIVE,
    *CHANCE,
    "families_positive",
    "families_negative",
]


def audit(
    prompts: pd.DataFrame,
    *,
    pairs: Sequence[Sequence[str]],
    match: bool = True,
    shuffles: int = 0,
    folds: int = FOLDS,
    seed: int = 0,
) -> pd.DataFrame:
    """Say how well lists of prompts can be told apart from their text alone; no model has a part in it.

    Parameters
    ----------
    prompts, pairs, match, folds, seed
        As for `evaluate_prompts`.
    shuffles : int
        Idle labellings that give the range of chance, see `words.shuffled_areas`; each takes as long
        as the contrast itself. At least 2, or 0 for none.

    Returns
    -------
    pandas.DataFrame
        `AUDIT_COLUMNS`: a row per control and contrast. The `naive_` intervals take prompts for independent
        (DeLong's of the AUC, Wilson's of the TPR); the others are over families. `chance_low` and
        `chance_high` are the mean AUC of idle labels -/+ 1.96 standard deviations.

    Raises
    ------
    InputError
        If a set is unknown, or has fewer than two families.
    """
    if shuffles < 0 or shuffles == 1:
        raise InputError(f"shuffles must be 0, or at least 2, it is {shuffles}")
    records: list[dict[str, Any]] = []
    for contrast, rows, controls in word_contrasts(prompts, pairs, match, folds, seed):
        positive, family = rows["positive"].to_numpy(), rows["family"].to_numpy()
        chance = shuffled_areas(
            rows["text"].tolist(), positive, family, shuffles=shuffles, folds=folds, seed=seed
        ).reindex(columns=controls)
        middle, spread = chance.mean(), 1.96 * chance.std()
        for record in contrast_records(rows, controls, [], contrast, signs={}):
            name = record["estimator"]
            area = delong_interval(rows[name].to_numpy(), positive)
            rate = wilson_interval(round(record["tpr_at_1fpr"] * positive.sum()), int(positive.sum()))
            record |= zip(NAIVE, (area.low, area.high, rate.low, rate.high), strict=True)
            record |= zip(CHANCE, (middle[name] - spread[name], middle[name] + spread[name]), strict=True)
            record["families_positive"] = len(np.unique(family[positive]))
            record["families_negative"] = len(np.unique(family[~positive]))
            records.append(record)
    return pd.DataFrame(records, columns=AUDIT_COLUMNS)
