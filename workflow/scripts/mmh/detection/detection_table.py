"""Rows of ``evaluation.csv`` for detectors of memorized images and prompts, beside what needs no model.

A contrast is one set of memorized items against one set of others. On each, every detector is compared
with the best *control*: the text of captions or prompts alone, and the PNG size of images, turned round where
the other folds say that it points the other way (`<name>.turned`): a control need not follow the papers.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mmh.detection.prompt_detectors import prompt_detectors
from mmh.errors import InputError
from mmh.evaluation.names import MATCHED, PROMPTS, TURNED, Detector, contrast_name
from mmh.evaluation.samples import COLUMNS, FPR, MIN_CLASS, score_record
from mmh.metrics.base import METRICS
from mmh.prompts.words import (
    FOLDS,
    family_folds,
    matched,
    oriented,
    shuffled_areas,
    word_controls,
)
from mmh.stats.curves import MIN_CLUSTERS, cluster_bootstrap, delong_interval, wilson_interval

MIN_PAIRS = 20
"""Fewer matched pairs than this make no contrast."""
NAIVE = ["naive_auc_low", "naive_auc_high", "naive_tpr_low", "naive_tpr_high"]
CHANCE = ["chance_low", "chance_high"]
AUDIT_COLUMNS = [*COLUMNS[:11], *NAIVE, *CHANCE, "families_positive", "families_negative"]


def evaluate_image_sets(
    scores: pd.DataFrame,
    sets: Mapping[str, pd.DataFrame],
    *,
    pairs: Sequence[Sequence[str]],
    estimators: Sequence[str],
    baselines: Sequence[str] = ("png",),
    large: Sequence[str] = (),
    folds: int = FOLDS,
    resamples: int = 1000,
    seed: int = 0,
    min_clusters: int = MIN_CLUSTERS,
) -> pd.DataFrame:
    """Evaluate scores of real images, a set of memorized ones against a set of others.

    Parameters
    ----------
    scores : pandas.DataFrame
        Long table: `items` (name of the set), `item`, `estimator`, `value`.
    sets : mapping of str to pandas.DataFrame
        By set `item`, `caption`, `family`; families of different sets are different ones.
    pairs : sequence of (str, str)
        Set of memorized images and set of others, one contrast each.
    estimators, baselines : sequence of str
        Scores to evaluate, and those that need no model. Text-only controls join the baselines where every
        image of both sets has a caption.
    large : sequence of str
        Scores whose large values speak for memorization, such as the norm of the guidance vector; small ones
        do for all others.
    folds, seed
        As for `words.word_controls`.
    resamples, seed, min_clusters
        As for `stats.cluster_bootstrap`; families are the clusters.

    Returns
    -------
    pandas.DataFrame
        `evaluation.COLUMNS`; by contrast, then estimators, baselines, text-only controls. `baseline` is the
        control with the largest AUC on the contrast itself, a choice that favours the controls.

    Raises
    ------
    InputError
        If a set or a name is unknown, a class is too small, or an image lacks a score or has several.
    """
    names = list(dict.fromkeys([*estimators, *baselines]))
    unknown = [name for name in large if name not in names]
    if unknown:
        raise InputError(f"'{unknown[0]}' is said to be large for memorized images, but it is not evaluated")
    records: list[dict[str, Any]] = []
    for pair in pairs:
        parts = []
        for name in pair:
            if name not in sets:
                raise InputError(f"image set '{name}' is unknown; there are {', '.join(sets)}")
            part = sets[name][["item", "caption", "family"]].assign(set=name)
            values = {e: _of_set(scores, name, e, part["item"]) * (1 if e in large else -1) for e in names}
            parts.append(part.assign(**values))
        table = pd.concat(parts, ignore_index=True).rename(columns={"caption": "text"})
        table["family"] = table.groupby(["set", "family"], sort=False).ngroup()
        table["positive"] = table["set"] == pair[0]
        table, controls = _turned(table, baselines, folds, seed)
        if table["text"].fillna("").str.strip().ne("").all():
            table, text = _with_controls(table, folds, seed)
            controls += text
        records += _records(
            table,
            list(dict.fromkeys([*names, *controls])),
            controls,
            contrast_name(*pair),
            resamples=resamples,
            seed=seed,
            min_clusters=min_clusters,
        )
    return pd.DataFrame(records, columns=COLUMNS)


def evaluate_prompts(
    prompts: pd.DataFrame,
    scores: pd.DataFrame,
    *,
    pairs: Sequence[Sequence[str]],
    steps: Sequence[int] = (1,),
    generations: Sequence[int] | None = None,
    match: bool = True,
    folds: int = FOLDS,
    resamples: int = 1000,
    seed: int = 0,
    min_clusters: int = MIN_CLUSTERS,
) -> pd.DataFrame:
    """Evaluate metrics of prompts, memorized ones against others, beside the text-only controls.

    Parameters
    ----------
    prompts : pandas.DataFrame
        `prompt_set`, `prompt`, `text`, `family`.
    scores, steps, generations
        As for `prompt_detectors`.
    pairs : sequence of (str, str)
        Set of memorized prompts and set of others, one contrast each.
    match : bool
        Add each contrast anew among prompts that agree in length and capitals, see `words.matched`.
    folds, seed
        As for `words.word_controls`.
    resamples, seed, min_clusters
        As for `stats.cluster_bootstrap`; families are the clusters.

    Returns
    -------
    pandas.DataFrame
        `evaluation.COLUMNS`; by contrast (`PROMPTS` before its name), then detectors, then controls;
        `baseline` as in `evaluate_image_sets`.

    Raises
    ------
    InputError
        As `prompt_detectors` does; also if a set is unknown or a prompt has no scores.
    """
    detectors = prompt_detectors(scores, steps=steps, generations=generations)
    beside = detectors.reindex(pd.MultiIndex.from_frame(prompts[["prompt_set", "prompt"]]))
    table = pd.concat([prompts.reset_index(drop=True), beside.reset_index(drop=True)], axis=1)
    records: list[dict[str, Any]] = []
    simple = [name for name in detectors if _is_simple(name)]
    for contrast, rows, text in _word_contrasts(table, pairs, match, folds, seed):
        lacking = rows[rows[list(detectors)].isna().any(axis=1)]
        if len(lacking):
            first = lacking.iloc[0]
            raise InputError(
                f"prompt {first['prompt']} of '{first['prompt_set']}' lacks scores, as {len(lacking)} of "
                f"{len(rows)} do; score all prompts of both sets"
            )
        rows, turned = _turned(rows, simple, folds, seed)
        controls = [*turned, *text]
        records += _records(
            rows,
            [*detectors, *controls],
            controls,
            PROMPTS + contrast,
            resamples=resamples,
            seed=seed,
            min_clusters=min_clusters,
        )
    return pd.DataFrame(records, columns=COLUMNS)


def _is_simple(name: str) -> bool:
    """Whether a detector of prompts needs no network."""
    detector = Detector.parse(name)
    return detector is not None and METRICS[detector.metric].control


def audit(
    prompts: pd.DataFrame,
    *,
    pairs: Sequence[Sequence[str]],
    match: bool = True,
    shuffles: int = 0,
    folds: int = FOLDS,
    resamples: int = 1000,
    seed: int = 0,
    min_clusters: int = MIN_CLUSTERS,
) -> pd.DataFrame:
    """Say how well lists of prompts can be told apart from their text alone; no model has a part in it.

    Parameters
    ----------
    prompts, pairs, match, folds, resamples, seed, min_clusters
        As for `evaluate_prompts`.
    shuffles : int
        Idle labellings that give the range of chance, see `words.shuffled_areas`; each takes as long
        as the contrast itself. At least 2, or 0 for none.

    Returns
    -------
    pandas.DataFrame
        `AUDIT_COLUMNS`: a row per control and contrast. The `naive_` intervals take prompts for independent
        (DeLong's of the AUC, Wilson's of the TPR); the others resample families. `chance_low` and
        `chance_high` are the mean AUC of idle labels -/+ 1.96 standard deviations.

    Raises
    ------
    InputError
        If a set is unknown, or has fewer than two families.
    """
    if shuffles < 0 or shuffles == 1:
        raise InputError(f"shuffles must be 0, or at least 2, it is {shuffles}")
    records: list[dict[str, Any]] = []
    for contrast, rows, controls in _word_contrasts(prompts, pairs, match, folds, seed):
        positive, family = rows["positive"].to_numpy(), rows["family"].to_numpy()
        chance = shuffled_areas(
            rows["text"].tolist(), positive, family, shuffles=shuffles, folds=folds, seed=seed
        ).reindex(columns=controls)
        middle, spread = chance.mean(), 1.96 * chance.std()
        options = {"resamples": resamples, "seed": seed, "min_clusters": min_clusters}
        for record in _records(rows, controls, [], contrast, **options):
            name = record["estimator"]
            area = delong_interval(rows[name].to_numpy(), positive)
            rate = wilson_interval(round(record["tpr_at_1fpr"] * positive.sum()), int(positive.sum()))
            record |= zip(NAIVE, (area.low, area.high, rate.low, rate.high), strict=True)
            record |= zip(CHANCE, (middle[name] - spread[name], middle[name] + spread[name]), strict=True)
            record["families_positive"] = len(np.unique(family[positive]))
            record["families_negative"] = len(np.unique(family[~positive]))
            records.append(record)
    return pd.DataFrame(records, columns=AUDIT_COLUMNS)


def _word_contrasts(
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
        yield contrast_name(*pair), *_with_controls(rows, folds, seed)
        if not match:
            continue
        chosen = matched(rows["text"].tolist(), rows["positive"].to_numpy())
        if len(chosen) >= 2 * MIN_PAIRS:
            near = rows.iloc[chosen].reset_index(drop=True)
            if near.groupby("positive")["family"].nunique().min() > 1:
                yield contrast_name(*pair) + MATCHED, *_with_controls(near, folds, seed)


def _with_controls(table: pd.DataFrame, folds: int, seed: int) -> tuple[pd.DataFrame, list[str]]:
    positive, families = table["positive"].to_numpy(), table["family"].to_numpy()
    controls = word_controls(table["text"].tolist(), positive, families, folds=folds, seed=seed)
    return pd.concat([table, controls], axis=1), list(controls)


def _turned(
    table: pd.DataFrame, names: Sequence[str], folds: int, seed: int
) -> tuple[pd.DataFrame, list[str]]:
    """Add scores that need no model, each turned round where the other folds say so; give their names."""
    positive, families = table["positive"].to_numpy(), table["family"].to_numpy()
    if not len(names):
        return table, []
    fold = family_folds(families, positive, folds=folds, seed=seed)
    columns = {f"{name}{TURNED}": oriented(table[name].to_numpy(), positive, fold) for name in names}
    return table.assign(**columns), list(columns)


def _of_set(scores: pd.DataFrame, name: str, estimator: str, items: pd.Series) -> np.ndarray:
    """Take an estimator's values of a set's images, in their order."""
    rows = scores[(scores["items"] == name) & (scores["estimator"] == estimator)]
    values = rows.set_index("item")["value"]
    if values.index.has_duplicates:
        item = values.index[values.index.duplicated()][0]
        raise InputError(f"'{estimator}' has several values for image {item} of '{name}' (several t?)")
    absent = items[~items.isin(values.index)]
    if len(absent):
        raise InputError(
            f"'{estimator}' has no value for {len(absent)} of {len(items)} images of '{name}', first image "
            f"{absent.iloc[0]}; score the whole set, or leave the estimator out"
        )
    return values.reindex(items).to_numpy(dtype=np.float64)


def _records(
    table: pd.DataFrame,
    names: Sequence[str],
    baselines: Sequence[str],
    contrast: str,
    *,
    resamples: int,
    seed: int,
    min_clusters: int,
) -> list[dict[str, Any]]:
    """Evaluate columns of one contrast, larger = memorized, on one set of draws."""
    positive, columns = table["positive"].to_numpy(), list(names)
    if min(positive.sum(), (~positive).sum()) < MIN_CLASS:
        raise InputError(f"contrast '{contrast}' needs {MIN_CLASS} items of each class, {len(table)} in all")
    draws = cluster_bootstrap(
        table[columns].to_numpy(dtype=np.float64),
        positive,
        table["family"].to_numpy(),
        resamples=resamples,
        seed=seed,
        ids=[zlib.crc32(contrast.encode())],  # the draws depend on no other contrast
        fpr=FPR,
        min_clusters=min_clusters,
    )
    areas = [draws.auc[columns.index(name)] for name in baselines]
    best = baselines[int(np.argmax(areas))] if areas else None
    return [score_record(name, contrast, best, columns, draws, positive) for name in columns]
