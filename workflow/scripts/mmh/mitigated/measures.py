"""What mitigated generations are like: copies, alike, of the right class, from which noise, at what cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mmh.compute.complexity import png_bits
from mmh.io.arrays import read_arrays
from mmh.mitigated.classes import Classify

Embed = Callable[[NDArray[np.uint8], NDArray[np.int64]], NDArray[np.float32]]
Agree = Callable[[NDArray[np.uint8], list[str]], NDArray[np.float64]]
TUNING, EVALUATED = "tuning", "evaluated"
_DRAWN = ("image", "latent", "id", "prompt", "generation")
_SAID = ("text", "squared_norm", "rows", "accepted")


@dataclass(frozen=True)
class Truth:
    """What generations are compared with.

    Attributes
    ----------
    train : pandas.Series
        Training image of each prompt by (`prompt_set`, `prompt`), of `retrieval.generation_matches`.
    family : pandas.Series
        Family of each prompt, by the same.
    image : numpy.ndarray
        uint8 (m, 3, H, W), the training images.
    ids : numpy.ndarray
        int64 (m,).
    classes : numpy.ndarray or None
        int64 (m,), where the images have classes.
    """

    train: pd.Series
    family: pd.Series
    image: NDArray[np.uint8]
    ids: NDArray[np.int64]
    classes: NDArray[np.int64] | None = None


def noise_p(squared_norm: NDArray[np.float64], dim: int) -> NDArray[np.float64]:
    """Two-sided p of ||x_T||^2 under its law for a normal noise, chi^2 with `dim` degrees of freedom."""
    from scipy.stats import chi2

    law = chi2(dim)
    return np.asarray(np.minimum(1.0, 2 * np.minimum(law.cdf(squared_norm), law.sf(squared_norm))))


def alike(embedding: NDArray[np.float32], group: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean cosine of each image to the other images of its group, (n,); NaN where there are no others."""
    out = np.full(len(group), np.nan)
    order = np.argsort(group, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        if len(rows) > 1:
            cosine = embedding[rows].astype(np.float64) @ embedding[rows].astype(np.float64).T
            out[rows] = (cosine.sum(1) - np.diag(cosine)) / (len(rows) - 1)
    return out


def compared(
    drawn: NDArray[np.uint8],
    number: NDArray[np.int64],
    prompt: NDArray[np.int64],
    text: Sequence[str],
    truth: Truth,
    embedded: Embed,
    *,
    prompt_set: str,
    group: NDArray[np.int64],
    classify: Classify | None,
    agree: Agree | None,
    cut: float,
) -> dict[str, NDArray[np.float64]]:
    """Compare images with the training images and the texts of their prompts, and with each other.

    Parameters
    ----------
    drawn : numpy.ndarray
        uint8 (n, 3, H, W).
    number, prompt : numpy.ndarray
        int64 (n,), ids of the images, and their prompts within the set.
    text : sequence of str
        What CLIP compares each with.
    truth, embedded, classify, agree, cut
        As for `measured`.
    prompt_set : str
    group : numpy.ndarray
        int64 (n,), which images are compared with each other.

    Returns
    -------
    dict of str to numpy.ndarray
        `family`, `similarity`, `copy`, `alike`, `correct`, `clip`, (n,) each.
    """
    place = pd.Series(np.arange(len(truth.ids)), index=truth.ids)
    keys = pd.MultiIndex.from_arrays([np.full(len(prompt), prompt_set), prompt])
    train = truth.train.reindex(keys).to_numpy(dtype=np.float64)
    here = np.isfinite(train) & np.isin(train, truth.ids)
    vectors = embedded(drawn, number)
    similarity, correct = np.full(len(prompt), np.nan), np.full(len(prompt), np.nan)
    if here.any():
        own, which = np.unique(train[here].astype(np.int64), return_inverse=True)
        of_own = embedded(truth.image[place[own]], own)[which]
        similarity[here] = (vectors[here] * of_own).sum(axis=1, dtype=np.float64)
        if classify is not None and truth.classes is not None:
            wanted = truth.classes[place[own].to_numpy()][which]
            correct[here] = classify(drawn[here]) == wanted
    return {
        "family": truth.family.reindex(keys).to_numpy(np.int64),
        "similarity": similarity,
        "copy": np.where(np.isfinite(similarity), similarity >= cut, np.nan),
        "alike": alike(vectors, group),
        "correct": correct,
        "clip": agree(drawn, list(text)) if agree is not None else np.full(len(prompt), np.nan),
    }


def measured(
    files: Sequence[Path],
    truth: Truth,
    embedded: Embed,
    *,
    classify: Classify | None = None,
    agree: Agree | None = None,
    cut: float,
    tuned: int,
    report: Callable[[int], None],
) -> pd.DataFrame:
    """Measure generations.

    Parameters
    ----------
    files : sequence of path
        ``mitigated/<mitigation>/<prompt_set>/<span>.npz``.
    truth : Truth
    embedded : callable
        Images and their ids to unit embeddings (n, k).
    classify : callable, optional
        Images to classes; without it none is said to be right.
    agree : callable, optional
        Images and their prompts to cosines of CLIP.
    cut : float
        Similarity from which a generation is a copy.
    tuned : int
        First prompts of each set that options were chosen on: their `part` is `TUNING`, else `EVALUATED`.
    report : callable
        Called with the number of files done.

    Returns
    -------
    pandas.DataFrame
        `mmh.io.tables.MITIGATED`, in the order of the files. `similarity` (to the prompt's training image),
        `copy` and `correct` (it has that image's class) are missing where there is none, `alike` for one
        generation; `png` in bits.
    """
    parts = []
    for done, path in enumerate(files, 1):
        drawn, latent, number, prompt, generation = read_arrays(path, *_DRAWN)
        text, squared, rows, accepted = read_arrays(path, *_SAID)
        how: dict[str, Any] = {"prompt_set": path.parent.name, "group": prompt, "cut": cut}
        how |= {"classify": classify, "agree": agree}
        found = compared(drawn, number, prompt, text.tolist(), truth, embedded, **how)
        columns = {
            "mitigation": path.parent.parent.name,
            "prompt_set": path.parent.name,
            "prompt": prompt,
            "generation": generation,
            "family": found.pop("family"),
            "part": np.where(prompt < tuned, TUNING, EVALUATED),
            **found,
            "rows": rows,
            "log_norm": 0.5 * np.log(squared),
            "noise_p": noise_p(squared, int(np.prod(latent.shape[1:]))),
            "accepted": accepted.astype(np.int64),
            "png": png_bits(np.moveaxis(drawn, 1, -1)).astype(np.float64),
        }
        parts.append(pd.DataFrame(columns))
        report(done)
    return pd.concat(parts, ignore_index=True)
