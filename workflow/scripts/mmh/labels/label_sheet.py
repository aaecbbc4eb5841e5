"""The label sheet: one HTML page on which a person judges the candidate pairs, and the tables beside it.

The page is a single file that works from disk: images, style and script are inside, and its content security
policy lets nothing leave it. A pair is named by a hash of what is shown, so that a label can never be taken
for a word on other pixels.
"""

import base64
import hashlib
import html
import io
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from mmh.compute import rng
from mmh.errors import InputError
from mmh.images.complexity import to_uint8
from mmh.io.files import atomic
from mmh.retrieval.candidates import gather

COLUMNS = ("pair", "sample", "train", "label", "rater", "time", "blind", "page_version", "sheet")
"""Columns of the CSV that the page exports, and of the template."""
TABLE = ("pair", "sample", "train", "sscd", "calibrated_l2", "by", "place")
METRICS = ("sscd", "calibrated_l2")
# A digest of the page's files: an edit of them changes this module, and so reruns the export.
PAGE_VERSION = "1-c22842ba"
LIMIT = 56_000_000
"""Most bytes of a page's images: 600 pairs of 32x32 stay far below, 300 photographs of 512x512 need WebP."""
QUALITIES = (95, 90, 85, 80, 75)
"""Qualities of WebP that are tried in turn, where lossless images would make the page too large."""

_PAGE = Path(__file__).with_name("label_page")
_ACTIVE = re.compile(
    r"'*[=+\-@\t\r]"
)  # how a cell starts that a spreadsheet would calculate, or a guarded one
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


def guard_cell(cell: str) -> str:
    """Keep a spreadsheet from calculating a cell: put ' before a leading = + - @, tab or carriage return.

    Parameters
    ----------
    cell : str
        Any text.

    Returns
    -------
    str
        A cell that starts so only after some ' gets one more, so that `unguard_cell` undoes every case.
    """
    return "'" + cell if _ACTIVE.match(cell) else cell


def unguard_cell(cell: str) -> str:
    """Undo `guard_cell`.

    Parameters
    ----------
    cell : str
        A cell of a label file; one that was never guarded ('t Hooft) stays as it is.

    Returns
    -------
    str
    """
    return cell[1:] if cell.startswith("'") and _ACTIVE.match(cell) else cell


def sheet_images(paths: Sequence[str | os.PathLike[str]], ids: Iterable[int]) -> dict[int, np.ndarray]:
    """Read the pixels of some images as people will see them, one shard at a time.

    Parameters
    ----------
    paths : sequence of path
        Shards with `id` and either `x` (float in [-1, 1]) or `image` (uint8), (n, C, H, W), C = 1 or 3.
    ids : iterable of int
        Images wanted; may repeat.

    Returns
    -------
    dict of int to ndarray
        uint8, (H, W) for C = 1 and (H, W, 3) for C = 3.

    Raises
    ------
    InputError
        If a shard is unreadable, an id is absent or occurs twice, or items are no images.
    """
    wanted = np.unique(np.fromiter(ids, dtype=np.int64))
    found = gather(paths, wanted, ("x", "image"))
    if not found:
        return {}
    pixels = found["image"] if "image" in found else to_uint8(found["x"])
    if pixels.ndim != 4 or pixels.shape[1] not in (1, 3):
        raise InputError(
            f"{paths[0]}: items have the shape {pixels.shape[1:]}, people can label images of shape "
            "(1, H, W) or (3, H, W)"
        )
    channels_last = pixels.transpose(0, 2, 3, 1)
    rows = channels_last[..., 0] if channels_last.shape[-1] == 1 else channels_last
    return dict(zip(found["id"].tolist(), map(np.ascontiguousarray, rows), strict=True))


def sheet_pairs(
    candidates: pd.DataFrame,
    matches: pd.DataFrame,
    samples: Mapping[int, np.ndarray],
    train: Mapping[int, np.ndarray],
    *,
    seed: int,
    experiment: str,
) -> pd.DataFrame:
    """List the pairs to label: every candidate with the match that made it one (paper Appendix F).

    A sample that both distances list with the same match is one pair, with different matches it is two. The
    order is drawn per pair, so it tells nothing of ranks, and a longer list keeps the order of a shorter one.

    Parameters
    ----------
    candidates : pandas.DataFrame
        From `mmh.retrieval.candidates.candidates`.
    matches : pandas.DataFrame
        From `mmh.retrieval.matches.matches_table`: the scores of a pair by both distances, where it was
        retrieved.
    samples, train : mapping of int to ndarray
        Pixels, from `sheet_images`; they go into the pairs' names.
    seed : int
        Root seed of the run.
    experiment : str
        Name of the experiment; part of the pairs' names.

    Returns
    -------
    pandas.DataFrame
        `pair` str, 16 hexadecimal digits after a ``p``; `sample`, `train` int64; `sscd`, `calibrated_l2`
        float64, smaller = closer, NaN where that distance did not retrieve the pair; `by` str: the distance
        that lists it, or `both`; `place` Int64 from 1, in the order of the page.

    Raises
    ------
    InputError
        If there are no candidates, a candidate is not the closest match in `matches`, or pixels are absent.
    """
    if candidates.empty:
        raise InputError(f"candidates.parquet of {experiment} is empty: there is nothing to label")
    keys = ["metric", "sample", "train"]
    first = matches.loc[matches["rank"] == 1, keys]
    strange = ~pd.MultiIndex.from_frame(candidates[keys]).isin(pd.MultiIndex.from_frame(first))
    if strange.any():
        row = candidates[strange].iloc[0]
        raise InputError(
            f"candidates.parquet of {experiment}: training image {row['train']} is not the closest match of "
            f"sample {row['sample']} by {row['metric']} in matches.parquet; delete both and run again"
        )
    pairs = (
        candidates.groupby(["sample", "train"])["metric"]
        .agg(lambda metrics: metrics.iloc[0] if len(metrics) == 1 else "both")
        .rename("by")
        .reset_index()
        .astype({"sample": np.int64, "train": np.int64})
    )
    for metric in METRICS:
        scores = matches.loc[matches["metric"] == metric].set_index(["sample", "train"])["score"]
        pairs[metric] = scores.reindex(pd.MultiIndex.from_frame(pairs[["sample", "train"]])).to_numpy()
    both = list(zip(pairs["sample"].tolist(), pairs["train"].tolist(), strict=True))
    for name, images, place in (("sample", samples, 0), ("training image", train, 1)):
        absent = [ids[place] for ids in both if ids[place] not in images]
        if absent:
            raise InputError(f"{experiment}: the pixels of {name} {absent[0]} are not given")
    pairs["pair"] = [_pair_id(experiment, i, j, samples[i], train[j]) for i, j in both]
    draw = [rng.generator(seed, "label-sheet", i, j).random() for i, j in both]
    pairs = pairs.iloc[np.argsort(draw, kind="stable")].reset_index(drop=True)
    pairs["place"] = pd.array(range(1, len(pairs) + 1), dtype="Int64")
    return pairs[list(TABLE)]


def _pair_id(experiment: str, sample: int, train: int, generated: np.ndarray, match: np.ndarray) -> str:
    digest = hashlib.blake2b(digest_size=8)
    head = [experiment, sample, train, generated.shape, match.shape]
    digest.update(json.dumps(head).encode() + b"\0" + generated.tobytes() + match.tobytes())
    return "p" + digest.hexdigest()  # the letter keeps a spreadsheet from reading 12e45678 as a number


def sheet_hash(pairs: Iterable[str]) -> str:
    """Name a set of pairs; the order does not matter.

    Parameters
    ----------
    pairs : iterable of str
        Pair ids.

    Returns
    -------
    str
        16 hexadecimal digits after an ``s``.
    """
    return "s" + hashlib.blake2b("\n".join(sorted(pairs)).encode(), digest_size=8).hexdigest()


def read_disagreements(path: str | os.PathLike[str]) -> list[str]:
    """Read which pairs go into a second round.

    Parameters
    ----------
    path : path
        CSV in UTF-8 with a column `pair`.

    Returns
    -------
    list of str
        Each pair once.

    Raises
    ------
    InputError
        If the file is unreadable, has no such column, or lists no pair.
    """
    try:
        table = pd.read_csv(path, dtype=str, encoding="utf-8-sig", keep_default_na=False)
    except (OSError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: cannot be read as CSV ({reason})") from error
    if "pair" not in table:
        raise InputError(f"{path}: expected a column 'pair', found {', '.join(map(str, table.columns))}")
    if table.empty:
        raise InputError(f"{path}: lists no pair, so there is nothing to label; set label_sheet.only to all")
    return [unguard_cell(pair.strip()) for pair in table["pair"].unique()]


def restrict(pairs: pd.DataFrame, only: Iterable[str]) -> pd.DataFrame:
    """Take some pairs alone onto the page, in the same order.

    Parameters
    ----------
    pairs : pandas.DataFrame
        From `sheet_pairs`.
    only : iterable of str
        Pair ids.

    Returns
    -------
    pandas.DataFrame
        All rows of `pairs`; `place` counts the pairs of the page, and is missing for the others.

    Raises
    ------
    InputError
        If a pair is unknown.
    """
    wanted = set(only)
    unknown = sorted(wanted - set(pairs["pair"]))
    if unknown:
        raise InputError(
            f"pair '{unknown[0]}' ({len(unknown)} unknown) is not among the candidates: the list is of "
            "another experiment or of other images; make the list of disagreements anew"
        )
    here = pairs["pair"].isin(wanted)
    return pairs.assign(place=here.cumsum().where(here).astype("Int64"))


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
