"""Measures of prompts that were sampled on the way of a descent on their embedding, and their table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmh.compute.complexity import png_bits
from mmh.io.arrays import read_arrays
from mmh.mitigated.classes import Classify
from mmh.mitigated.measures import EVALUATED, Agree, Embed, Truth, compared
from mmh.mitigated.table import HOW, comparison

METRICS = ("flipd", "watched", "similarity", "copies", "clip", "correct", "png")
"""A^FLIPD along the way that is sampled; what the descent raises or lowers, where latents are held;
likeness to the training image; CLIP to the prompt as it was; bits of the PNG of the image."""
COLUMNS = ["mitigation", "prompt_set", "iteration", "metric", "estimate", "low", "high", *HOW]
COLUMNS += ["difference", "difference_low", "difference_high"]


def measured_iterates(
    files: Sequence[Path],
    truth: Truth,
    embedded: Embed,
    *,
    classify: Classify | None = None,
    agree: Agree | None = None,
    cut: float,
    report: Callable[[int], None],
) -> pd.DataFrame:
    """Measure generations on the way of a descent.

    Parameters
    ----------
    files : sequence of path
        ``iterates/<mitigation>/<prompt_set>/<span>.npz``.
    truth, embedded, classify, agree, cut, report
        As for `mmh.mitigated.measures.measured`.

    Returns
    -------
    pandas.DataFrame
        `mmh.io.tables.ITERATED`, in the order of the files.
    """
    parts = []
    for done, path in enumerate(files, 1):
        drawn, number, prompt, generation = read_arrays(path, "image", "id", "prompt", "generation")
        iteration, text, flipd, watched = read_arrays(path, "iteration", "text", "flipd", "watched")
        keys = pd.DataFrame({"prompt": prompt, "iteration": iteration})
        how: dict[str, Any] = {"prompt_set": path.parent.name, "cut": cut}
        how |= {"classify": classify, "agree": agree, "group": keys.groupby(list(keys)).ngroup().to_numpy()}
        found = compared(drawn, number, prompt, text.tolist(), truth, embedded, **how)
        columns = {
            "mitigation": path.parent.parent.name,
            "prompt_set": path.parent.name,
            "prompt": prompt,
            "generation": generation,
            "iteration": iteration,
            "family": found.pop("family"),
            "flipd": flipd,
            "watched": watched,
            **{name: found[name] for name in ("similarity", "copy", "clip", "correct")},
            "png": png_bits(np.moveaxis(drawn, 1, -1)).astype(np.float64),
        }
        parts.append(pd.DataFrame(columns))
        report(done)
    return pd.concat(parts, ignore_index=True)


def iterates_table(table: pd.DataFrame) -> pd.DataFrame:
    """Give means at each iteration, with intervals over families, and paired differences from the first.

    Parameters
    ----------
    table : pandas.DataFrame
        From `measured_iterates`.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`; metrics that no generation has are absent.
    """
    named = table.assign(
        descent=table["mitigation"], mitigation=table["iteration"].astype(str), part=EVALUATED
    )
    first = str(table["iteration"].min())
    found = comparison(named, first, metrics=METRICS, by=["descent"])
    found = found.assign(iteration=found["mitigation"].astype(np.int64), mitigation=found["descent"])
    return found[COLUMNS]
