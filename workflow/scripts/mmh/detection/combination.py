"""Which detectors of prompts add to others: several fitted together, each prompt scored out of its fold.

A fit sees the labels of other families alone, as the classifier of the words does, and in the same folds. So
what is compared are two scores of the same prompts, and the gain of one over the other is paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mmh.compute import rng
from mmh.detection.audit import CHANCE
from mmh.detection.contrasts import word_contrasts
from mmh.detection.prompt_detectors import prompt_detectors
from mmh.errors import InputError
from mmh.evaluation.compared import COUNTS, RATES, Compared, interval_columns
from mmh.evaluation.names import PROMPTS
from mmh.prompts.words import FOLDS, family_folds
from mmh.stats.curves import auc

Array = NDArray[np.float64]
Way = Literal["logistic", "region"]
COMBINED = ["estimator", "kind", "of", "contrast", *COUNTS, *RATES, "baseline", *interval_columns("auc_gain")]
COMBINED += ["base", *interval_columns("base_gain"), *CHANCE]


class Fit(NamedTuple):
    """Detectors that are fitted together, and how."""

    by: Way
    of: tuple[str, ...]


def combination(
    prompts: pd.DataFrame,
    scores: pd.DataFrame,
    *,
    pairs: Sequence[Sequence[str]],
    base: str,
    detectors: Sequence[str],
    fits: Mapping[str, Fit],
    steps: Sequence[int] = (1,),
    generations: Sequence[int] | None = None,
    shuffles: int = 0,
    folds: int = FOLDS,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare detectors by themselves, each together with one of them, and fits of several.

    Parameters
    ----------
    prompts, scores, pairs, steps, generations, folds, seed
        As for `mmh.detection.detection_table.evaluate_prompts`.
    base : str
        The detector that the others are to add to.
    detectors : sequence of str
        The others: each is fitted together with it, by logistic regression.
    fits : mapping of str to Fit
        Further fits, by name.
    shuffles : int
        Labellings that do not depend on the prompts, each with fits of its own: what chance gives.

    Returns
    -------
    pandas.DataFrame
        `COMBINED`: by contrast the detectors, what each adds to the base (``<base> + <detector>``), the fits,
        and the text-only controls. `auc_gain` is over the best control, `base_gain` over the base.
        `chance_low` and `chance_high` are the mean AUC of idle labels -/+ 1.96 standard deviations.

    Raises
    ------
    InputError
        If a detector or a set is unknown, or a prompt lacks a score.
    """
    found = prompt_detectors(scores, steps=steps, generations=generations)
    alone = list(dict.fromkeys([base, *detectors]))
    added = {f"{base} + {name}": Fit("logistic", (base, name)) for name in alone[1:]}
    fitted = added | dict(fits)
    for name in dict.fromkeys([*alone, *(one for fit in fits.values() for one in fit.of)]):
        if name not in found:
            raise InputError(f"combination: there is no detector '{name}'; there are {', '.join(found)}")
    beside = found.reindex(pd.MultiIndex.from_frame(prompts[["prompt_set", "prompt"]]))
    table = pd.concat([prompts.reset_index(drop=True), beside.reset_index(drop=True)], axis=1)
    records: list[dict[str, Any]] = []
    for contrast, rows, controls in word_contrasts(table, pairs, False, folds, seed):
        if rows[list(found)].isna().any(axis=None):
            raise InputError(
                f"contrast '{contrast}': some prompts lack scores; score all prompts of both sets"
            )
        positive, families = rows["positive"].to_numpy(), rows["family"].to_numpy()
        columns = fitted_scores(rows, positive, families, fitted, folds=folds, seed=seed)
        chance = _chance(rows, positive, families, fitted, shuffles, folds=folds, seed=seed)
        names = [*alone, *fitted, *controls]
        taken = pd.concat([rows[[*alone, *controls]], columns], axis=1)[names]
        compared = Compared(taken.to_numpy(np.float64), positive, families, names, {}, "family")
        best = compared.best(controls)
        for name in names:
            record = compared.record(name, PROMPTS + contrast, best)
            kinds = (("detector", alone), ("added", added), ("fit", fits), ("control", controls))
            record["kind"] = next(kind for kind, group in kinds if name in group)
            record["of"] = " + ".join(fitted[name].of) if name in fitted else ""
            record["base"] = base
            gain = compared.areas.difference(names.index(name), names.index(base))
            values = (gain.estimate, gain.low, gain.high, gain.reason)
            record |= zip(interval_columns("base_gain"), values, strict=True)
            record |= zip(CHANCE, chance.get(name, (np.nan, np.nan)), strict=True)
            records.append(record)
    return pd.DataFrame(records, columns=COMBINED)


def fitted_scores(
    rows: pd.DataFrame,
    positive: NDArray[np.bool_],
    families: NDArray[Any],
    fits: Mapping[str, Fit],
    *,
    folds: int = FOLDS,
    seed: int = 0,
) -> pd.DataFrame:
    """Score each prompt by fits that have seen no prompt of its family.

    Parameters
    ----------
    rows : pandas.DataFrame
        A column for each detector, larger = memorized.
    positive : (n,) bool
        Class of each prompt.
    families : (n,) int
        Family of each.
    fits : mapping of str to Fit
    folds, seed
        As for `mmh.prompts.words.family_folds`.

    Returns
    -------
    pandas.DataFrame
        (n, fits) float64, larger speaks for the positive class.
    """
    fold = family_folds(families, positive, folds=folds, seed=seed)
    ways = {"logistic": _log_odds, "region": _distance}
    columns = {}
    for name, fit in fits.items():
        values, out = rows[list(fit.of)].to_numpy(np.float64), np.empty(len(rows))
        for k in np.unique(fold):
            held = fold == k
            out[held] = ways[fit.by](values[~held], positive[~held], values[held])
        columns[name] = out
    return pd.DataFrame(columns, index=rows.index)


def _log_odds(known: Array, positive: NDArray[np.bool_], held: Array) -> Array:
    """Log-odds by logistic regression (l2 penalty) on standardised columns, classes weighted equally."""
    from sklearn.linear_model import LogisticRegression

    middle, spread = known.mean(0), known.std(0)
    spread = np.where(spread > 0, spread, 1.0)
    model = LogisticRegression(class_weight="balanced", max_iter=1000)
    model.fit((known - middle) / spread, positive)
    odds: Array = model.decision_function((held - middle) / spread)
    return odds


def _distance(known: Array, positive: NDArray[np.bool_], held: Array) -> Array:
    """Mean over the columns of (x - m)^2 / s^2, with m and s of the ordinary prompts alone."""
    ordinary = known[~positive]
    middle, spread = ordinary.mean(0), ordinary.std(0)
    away: Array = (np.square(held - middle) / np.where(spread > 0, spread, 1.0) ** 2).mean(1)
    return away


def _chance(
    rows: pd.DataFrame,
    positive: NDArray[np.bool_],
    families: NDArray[Any],
    fits: Mapping[str, Fit],
    shuffles: int,
    *,
    folds: int,
    seed: int,
) -> dict[str, tuple[float, float]]:
    """Range of the AUC of each fit when labels are idle: families in random order, the first are positive."""
    if not shuffles or not fits:
        return {}
    member, count = np.unique(families, return_inverse=True)[1], int(positive.sum())
    areas = []
    for k in range(shuffles):
        place = rng.generator(seed, "combination-shuffles", k).permutation(member.max() + 1)[member]
        idle = np.zeros(len(member), dtype=bool)
        idle[np.argsort(place, kind="stable")[:count]] = True
        columns = fitted_scores(rows, idle, families, fits, folds=folds, seed=seed)
        areas.append([auc(columns[name].to_numpy(), idle) for name in fits])
    middle, spread = np.mean(areas, axis=0), 1.96 * np.std(areas, axis=0, ddof=1)
    return {name: (float(m - s), float(m + s)) for name, m, s in zip(fits, middle, spread, strict=True)}
