"""The label sheet: one HTML page on which a person judges the candidate pairs, and its empty spreadsheet.

The page is a single file that works from disk: images, style and script are inside, and its content security
policy lets nothing leave it.
"""

import base64
import hashlib
import html
import io
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from mmh.errors import InputError
from mmh.io.files import atomic
from mmh.labels.sheet_pairs import sheet_hash

COLUMNS = ("pair", "sample", "train", "label", "rater", "time", "blind", "page_version", "sheet")
"""Columns of the CSV that the page exports, and of the template."""
# A digest of the page's files: an edit of them changes this module, and so reruns the export.
PAGE_VERSION = "1-3e226e49"
LIMIT = 56_000_000
"""Most bytes of a page's images: 600 pairs of 32x32 stay far below, 300 photographs of 512x512 need WebP."""
QUALITIES = (95, 90, 85, 80, 75)
"""Qualities of WebP that are tried in turn, where lossless images would make the page too large."""

_PAGE = Path(__file__).with_name("label_page")
_ESTIMATED = 24  # images that a quality is first tried on


def page_version() -> str:
    """Compute the version that `PAGE_VERSION` must state: its number, then a digest of the page's files.

    Returns
    -------
    str
        Such as ``1-3fa9c2d1``.
    """
    digest = hashlib.sha256()
    for name in ("page.html", "page.css", "page.js"):
        digest.update((_PAGE / name).read_bytes() + b"\0")
    return f"{PAGE_VERSION.split('-')[0]}-{digest.hexdigest()[:8]}"


def write_sheet(
    pairs: pd.DataFrame,
    samples: Mapping[int, np.ndarray],
    train: Mapping[int, np.ndarray],
    page: str | os.PathLike[str],
    template: str | os.PathLike[str],
    *,
    experiment: str,
    limit: int = LIMIT,
) -> dict[str, int | str]:
    """Write the page, and the empty CSV for people who would rather type labels into a spreadsheet.

    Parameters
    ----------
    pairs : pandas.DataFrame
        From `sheet_pairs` or `restrict`; pairs without a `place` stay out.
    samples, train : mapping of int to ndarray
        Pixels, from `sheet_images`.
    page, template : path
        HTML and CSV to write.
    experiment : str
        Shown on the page, and in the name of the file it exports.
    limit : int
        Most bytes of images on the page: lossless PNG if that fits, else the best WebP of `QUALITIES` that
        does; the page says which.

    Returns
    -------
    dict
        `pairs`, `bytes`, `images` (how they are encoded) and `sheet`, for the job's record.

    Raises
    ------
    InputError
        If the page has no pair, or its images do not fit.
    """
    shown = pairs[pairs["place"].notna()].sort_values("place")
    if shown.empty:
        raise InputError(f"the label sheet of {experiment} has no pair")
    generated, matched = shown["sample"].unique().tolist(), shown["train"].unique().tolist()
    uris, encoding = _encode([samples[i] for i in generated] + [train[i] for i in matched], limit)
    sheet = sheet_hash(shown["pair"])
    place_of = {name: k for k, name in enumerate(generated)}
    match_of = {name: len(generated) + k for k, name in enumerate(matched)}
    rows = shown.drop(columns="place").replace({np.nan: None}).to_dict("records")
    for row in rows:
        row |= {"generated": place_of[row["sample"]], "match": match_of[row["train"]]}
    data = {
        "experiment": experiment,
        "sheet": sheet,
        "version": PAGE_VERSION,
        "encoding": encoding,
        "pairs": rows,
        "images": uris,
    }
    text = _fill(data)
    empty = shown[["pair", "sample", "train"]].reindex(columns=list(COLUMNS)).assign(sheet=sheet)
    with atomic(page) as partial:
        partial.write_text(text, encoding="utf-8")
    with atomic(template) as partial:
        empty.to_csv(partial, index=False, lineterminator="\n", encoding="utf-8")
    return {"pairs": len(rows), "bytes": len(text.encode()), "images": encoding, "sheet": sheet}


def _fill(data: Mapping[str, object]) -> str:
    """Put style, script and data into the page; what is put in is not searched for places again."""
    style, script = ((_PAGE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    plain = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    parts = {
        "TITLE": html.escape(str(data["experiment"])),
        "STYLE": style,
        "SCRIPT": script,
        "STYLE_HASH": _policy_hash(style),
        "SCRIPT_HASH": _policy_hash(script),
        # Within a script element only "<" could end it early.
        "DATA": plain.replace("<", "\\u003c"),
    }
    page = (_PAGE / "page.html").read_text(encoding="utf-8")
    return re.sub(r"@@([A-Z_]+)@@", lambda found: parts[found[1]], page)


def _policy_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _encode(images: Sequence[np.ndarray], limit: int) -> tuple[list[str], str]:
    """Encode images as data URIs, without loss if their total stays within the limit."""
    steps: list[tuple[str, Callable[[np.ndarray], bytes], str]] = [("png", _png, "lossless PNG")]
    steps += [("webp", _webp(quality), f"WebP, quality {quality}") for quality in QUALITIES]
    tried = images[:: max(1, len(images) // _ESTIMATED)]
    for kind, encode, name in steps:
        # A few images tell whether it is worth while to encode them all.
        if 4 / 3 * sum(len(encode(image)) for image in tried) / len(tried) * len(images) > 1.2 * limit:
            continue
        head = f"data:image/{kind};base64,"
        uris = [head + base64.b64encode(encode(image)).decode() for image in images]
        if sum(map(len, uris)) <= limit:
            return uris, name
    raise InputError(
        f"{len(images)} images of {images[0].shape[1]}x{images[0].shape[0]} do not fit into a label sheet of "
        f"{limit / 1e6:.0f} MB; lower candidates.top"
    )


def _png(image: np.ndarray) -> bytes:
    return _saved(image, format="PNG", compress_level=9)


def _webp(quality: int) -> Callable[[np.ndarray], bytes]:
    return lambda image: _saved(image, format="WEBP", quality=quality, method=4)


def _saved(image: np.ndarray, **options: str | int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, **options)  # type: ignore[arg-type]
    return buffer.getvalue()
