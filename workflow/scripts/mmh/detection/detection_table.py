"""Rows of ``evaluation.csv`` for detectors of memorized images and prompts, beside what needs no model.

A contrast is one set of memorized items against one set of others. On each, every detector is compared
with the best *control*: the text of captions or prompts alone, and the PNG size of images, turned round where
the other folds say that it points the other way (`<name>.turned`): a control need not follow the papers.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mmh.detection.contrasts import contrast_records, with_controls, with_turned, word_contrasts
from mmh.detection.prompt_detectors import prompt_detectors
from mmh.errors import InputError
from mmh.evaluation.names import PROMPTS, Detector, contrast_name
from mmh.evaluation.samples import COLUMNS
from mmh.metrics.base import METRICS
from mmh.prompts.words import (
    FOLDS,
)
from mmh.stats.curves import MIN_CLUSTERS


def evaluate_detection(
    images: tuple[pd.DataFrame, Mapping[str, pd.DataFrame]] | None,
    prompts: tuple[pd.DataFrame, pd.DataFrame] | None,
    *,
    options: Mapping[str, Any],
    seed: int,
) -> pd.DataFrame:
    """Evaluate image sets, prompts, or both, in this order.

    Parameters
    ----------
    images : (scores, sets), optional
        As for `evaluate_image_sets`.
    prompts : (prompts, scores), optional
        As for `evaluate_prompts`; one of the two must be given.
    options : mapping
        `images` and `prompts`: what else these two take; all other keys go to both.
    seed : int
        Root seed of the run.

    Returns
    -------
    pandas.DataFrame
        As of these two.
    """
    common = {key: value for key, value in options.items() if key not in {"images", "prompts"}}
    parts = []
    if images is not None:
        scores, sets = images
        parts.append(evaluate_image_sets(scores, sets, seed=seed, **common, **options["images"]))
    if prompts is not None:
        asked, scores = prompts
        parts.append(evaluate_prompts(asked, scores, seed=seed, **common, **options["prompts"]))
    return pd.concat(parts, ignore_index=True)


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
        table, controls = with_turned(table, baselines, folds, seed)
        if table["text"].fillna("").str.strip().ne("").all():
            table, text = with_controls(table, folds, seed)
            controls += text
        records += contrast_records(
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
    for contrast, rows, text in word_contrasts(table, pairs, match, folds, seed):
        lacking = rows[rows[list(detectors)].isna().any(axis=1)]
        if len(lacking):
            first = lacking.iloc[0]
            raise InputError(
                f"prompt {first['prompt']} of '{first['prompt_set']}' lacks scores, as {len(lacking)} of "
                f"{len(rows)} do; score all prompts of both sets"
            )
        rows, turned = with_turned(rows, simple, folds, seed)
        controls = [*turned, *text]
        records += contrast_records(
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
