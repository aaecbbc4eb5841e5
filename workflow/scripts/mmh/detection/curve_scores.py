"""Scores of detectors and controls of one contrast of prompts, for their ROC curves."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mmh.detection.prompt_detectors import prompt_detectors
from mmh.errors import InputError
from mmh.evaluation.names import TURNED
from mmh.prompts.words import FEATURES, FOLDS, NGRAMS, word_controls


def is_control(name: str) -> bool:
    """Tell a control, which sees the text alone or a picture's PNG size, from a detector.

    Parameters
    ----------
    name : str
        Estimator of the evaluation.

    Returns
    -------
    bool
    """
    return name == NGRAMS or name in FEATURES or name.endswith(TURNED)


def curve_scores(
    prompts: pd.DataFrame,
    scores: pd.DataFrame,
    pair: Sequence[str],
    names: Sequence[str],
    *,
    steps: Sequence[int] = (1,),
    generations: Sequence[int] | None = None,
    folds: int = FOLDS,
    seed: int = 0,
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Compute the scores whose curves are drawn, as the evaluation does.

    Parameters
    ----------
    prompts : DataFrame
        `prompt_set`, `prompt`, `text`, `family`.
    scores : DataFrame
        Long table of the prompts' scores.
    pair : (str, str)
        Sets of memorized and of other prompts.
    names : sequence of str
        Detectors and controls.
    steps, generations
        As for `detection_table.prompt_detectors`.
    folds, seed
        As for `words.word_controls`; the same as the evaluation's give the same controls.

    Returns
    -------
    scores : (n, len(names)) DataFrame
        Larger speaks for memorization.
    positive : (n,) bool
        Whether a prompt is of the first set.
    families : (n,) int64

    Raises
    ------
    InputError
        If a name is unknown, or a prompt lacks a score.
    """
    rows = prompts[prompts["prompt_set"].isin(list(pair))].reset_index(drop=True)
    positive, families = (rows["prompt_set"] == pair[0]).to_numpy(), rows["family"].to_numpy(np.int64)
    detectors = prompt_detectors(scores, steps=steps, generations=generations)
    known = [*detectors.columns, NGRAMS, *FEATURES]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"figures.prompt_detection.curves: no '{unknown[0]}'; there are {', '.join(known)}")
    table = detectors.reindex(pd.MultiIndex.from_frame(rows[["prompt_set", "prompt"]])).reset_index(drop=True)
    if any(is_control(name) for name in names):
        texts = rows["text"].tolist()
        table = pd.concat([table, word_controls(texts, positive, families, folds=folds, seed=seed)], axis=1)
    lacking = table[list(names)].isna().any(axis=1)
    if lacking.any():
        first = rows[lacking.to_numpy()].iloc[0]
        raise InputError(
            f"prompt {first['prompt']} of '{first['prompt_set']}' lacks scores; score all prompts"
        )
    return table[list(names)], positive, families
