"""The page that answers whether a model memorizes someone's images."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import pandas as pd

from mmh.audit import markup
from mmh.audit.image_answer import ALIKE, CLOSE, LOW, Answer

LISTED = 200
"""Rows of the table on the page; all are in the CSV beside it."""
_KINDS = {CLOSE: "a sample comes close", LOW: "LID_θ is low", ALIKE: "SSCD finds a sample alike"}


def image_page(
    answer: Answer,
    train: np.ndarray,
    samples: np.ndarray,
    names: Sequence[str],
    *,
    level: float,
    shown: int,
    facts: Mapping[str, str],
    unseen: Sequence[str],
) -> str:
    """Write the page.

    Parameters
    ----------
    answer : Answer
    train, samples : (n, C, H, W) and (s, C, H, W) float32
    names : sequence of str
        File of each training image.
    level : float
        False discovery rate.
    shown : int
        Pairs on the contact sheet, and pictures in the table.
    facts : mapping of str to str
        Cost, versions and digests.
    unseen : sequence of str
        What was not looked at.

    Returns
    -------
    str
    """
    distinct = answer.table.drop_duplicates("group")
    parts = [
        ("The most suspect images", _sheet(distinct.head(shown), train, samples, names, level)),
        (
            "All images, the most suspect first",
            _table(distinct, train, names, level, shown, len(answer.table)),
        ),
    ]
    if answer.sets:
        parts.append(("The set as a whole", _sets(answer)))
    parts += [
        (
            "What the numbers mean, and what they assume",
            markup.bullets([*_meaning(answer.table), *answer.notes]),
        ),
        ("What was not looked at", markup.bullets(unseen)),
        ("Cost, versions and digests", markup.listed(facts)),
    ]
    title = "Does this model memorize these images?"
    return markup.page(title, answer.sentence, yes=answer.yes, parts=parts)


def _sheet(
    rows: pd.DataFrame, train: np.ndarray, samples: np.ndarray, names: Sequence[str], level: float
) -> str:
    lead = (
        '<p class="note">Left: your image. Right: the sample of the model that comes nearest to it. Judge '
        "by eye: do details agree that nobody would draw twice?</p>"
    )
    figures = []
    for row in rows.itertuples():
        pair = [
            markup.picture(train[row.train], f"training image {names[row.train]}"),
            markup.picture(samples[row.sample], f"nearest sample, number {row.sample}"),
        ]
        mark = "memorized, " if row.q <= level else ""
        figures.append(markup.pictures(pair, f"{row.rank}. {names[row.train]}: {mark}q {row.q:.2g}"))
    return lead + markup.sheet(figures)


def _table(
    rows: pd.DataFrame, train: np.ndarray, names: Sequence[str], level: float, shown: int, n: int
) -> str:
    heads = {"rank": "rank", "image": "", "file": "file", "score": "score", "percentile": "percentile (null)"}
    heads |= {"p": "p", "q": "q", "copies": "copies", "ratio": "nearest / around"}
    optional = {"sscd": "SSCD", "lid_model": "LID_θ", "lid_data": "LID_*", "verdict": "by LID"}
    heads |= {key: head for key, head in optional.items() if key in rows}
    cells = []
    for place, row in enumerate(rows.head(LISTED).to_dict("records")):
        cell = {key: f"{row[key]:.3g}" for key in heads if isinstance(row.get(key), float)}
        cell |= {"rank": str(row["rank"]), "copies": str(row["copies"]), "file": escape(names[row["train"]])}
        cell["image"] = markup.picture(train[row["train"]], "") if place < shown else ""
        cell["verdict"] = escape(str(row.get("verdict", "")))
        cell["found"] = "yes" if row["q"] <= level else ""
        cells.append(cell)
    said = f"<p class='note'>{len(rows)} distinct images of {n}"
    said += f", the first {LISTED} of them" if len(rows) > LISTED else ""
    said += f"; shaded: q at most {level:g}. The file audit.csv beside this page has every image.</p>"
    return said + markup.table(heads, cells, text=("file", "verdict"))


def _sets(answer: Answer) -> str:
    heads = {
        "kind": "evidence",
        "area": "yours above hold-out",
        "p": "p",
        "n": "your images",
        "null": "hold-out",
    }
    rows = [
        {
            "kind": escape(_KINDS[kind]),
            "area": f"{100 * test.area:.1f} %",
            "p": f"{test.p:.2g}",
            "n": str(test.n),
            "null": str(test.n_null),
        }
        for kind, test in answer.sets.items()
    ]
    return markup.table(heads, rows, text=("kind",)) + (
        '<p class="note">Rank test by permutation; copies of one image count as one. 50 %: your images and '
        "the hold-out images are alike to the model.</p>"
    )


def _meaning(table: pd.DataFrame) -> list[str]:
    lines = [
        "Nearest / around: distance of an image to the nearest sample, over its mean distance to the "
        "distinct images that are nearest to it, of yours and the hold-out images (calibrated l2, seen from "
        "the image). Small: a copy.",
    ]
    if "sscd" in table:
        lines.append("SSCD: largest cosine of the image to a sample, by the copy descriptor. Near 1: a copy.")
    if "lid_model" in table:
        lines.append(
            "LID_θ: local intrinsic dimension of the model at the image, by FLIPD. Small: few directions in "
            "which the model would vary the image; 0 for one that it has learned by heart."
        )
    if "lid_data" in table:
        lines.append(
            "LID_*: the same of your images, by local PCA among them. Small: they vary little there."
        )
    by = "LID_θ, the lowest highest" if "lid_model" in table else "that ratio, the smallest highest"
    lines.append(
        "Order: images called memorized first, then by score: the percentile of the image among yours by "
        f"{by}."
    )
    return lines
