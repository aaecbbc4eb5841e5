"""How close each generation comes to the training image of its prompt, by the copy descriptor."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mmh.io.arrays import read_arrays

COLUMNS = ("prompt_set", "prompt", "generation", "train", "similarity")


def training_images(prompts: pd.DataFrame, captions: pd.DataFrame | None) -> pd.Series:
    """Say which training image each prompt is of.

    Parameters
    ----------
    prompts : pandas.DataFrame
        `prompt_set`, `prompt`, `text`, `train`.
    captions : pandas.DataFrame, optional
        `item`, `caption` of an image set, by whose captions prompts are looked up; `train` decides without.

    Returns
    -------
    pandas.Series
        int64 by (`prompt_set`, `prompt`); prompts of no image are absent.
    """
    if captions is not None:
        first = captions.drop_duplicates("caption").set_index("caption")["item"]
        prompts = prompts.assign(train=prompts["text"].map(first).astype("Int64"))
    known = prompts.dropna(subset=["train"])
    return known.set_index(["prompt_set", "prompt"])["train"].astype(np.int64)


def generation_matches(
    files: Sequence[Path],
    known: pd.Series,
    pixels: np.ndarray,
    ids: np.ndarray,
    embedded: Callable[[np.ndarray, np.ndarray], np.ndarray],
    report: Callable[[int], None],
) -> pd.DataFrame:
    """Compare generations with the training images of their prompts.

    Parameters
    ----------
    files : sequence of path
        ``generations/<prompt_set>/<span>.npz``.
    known : pandas.Series
        From `training_images`.
    pixels : (m, 3, h, w) uint8
        The training images.
    ids : (m,) int64
        Their ids.
    embedded : callable
        Images (n, 3, h, w) and their ids -> unit embeddings (n, k).
    report : callable
        Called with the number of files done.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`; `similarity` is the cosine. Prompts whose training image is not at hand are absent.
    """
    place = pd.Series(np.arange(len(ids)), index=ids)
    parts = []
    for done, path in enumerate(files, 1):
        drawn, number, prompt, generation = read_arrays(path, "image", "id", "prompt", "generation")
        keys = pd.MultiIndex.from_arrays([np.full(len(prompt), path.parent.name), prompt])
        train = known.reindex(keys).to_numpy(dtype=np.float64)
        here = np.isfinite(train) & np.isin(train, ids)
        if here.any():
            own, which = np.unique(train[here].astype(np.int64), return_inverse=True)
            images_own = embedded(pixels[place[own]], own)
            cosine = (embedded(drawn[here], number[here]) * images_own[which]).sum(axis=1, dtype=np.float64)
            columns = {"prompt": prompt[here], "generation": generation[here], "train": own[which]}
            parts.append(pd.DataFrame({"prompt_set": path.parent.name, **columns, "similarity": cosine}))
        report(done)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))
