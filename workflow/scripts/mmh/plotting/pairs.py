"""Generated images above their matches: choice of the pairs, layout on a sheet, and their two figures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmh.io import read_images, read_table
from mmh.plotting import style

_COLUMNS = 20  # pairs in one line of the full text block


def choose_examples(frame: pd.DataFrame, columns: int) -> pd.DataFrame:
    """Choose examples of each label: the lowest LID, each training image at most once per label.

    Parameters
    ----------
    frame : DataFrame
        From `tables.labelled_samples`, one estimator.
    columns : int
        Examples per label.

    Returns
    -------
    DataFrame
        Rows of `frame`, by label in order of severity, then by value. Memorized examples are spread over
        their class by rank, so that they show its range; the others are those of lowest value, the hard
        cases.
    """
    parts = []
    for label in style.LABELS:
        rows = frame[frame["label"] == label]
        if label == "not_memorized":
            rows = rows.sort_values(["value", "item"], kind="stable").drop_duplicates("train")
        else:
            rows = (
                rows.sort_values("item")
                .drop_duplicates("train")
                .sort_values(["value", "item"], kind="stable")
            )
            rows = rows.iloc[
                np.linspace(0, max(len(rows) - 1, 0), min(columns, len(rows))).round().astype(int)
            ]
        parts.append(rows.head(columns))
    return pd.concat(parts, ignore_index=True)


def labelled_pairs(
    labels: str | Path, matches: str | Path, per_class: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """List the labelled pairs that each retrieval metric ranks first for their sample, closest first.

    Parameters
    ----------
    labels, matches : path
        `labels.parquet` and `matches.parquet`.
    per_class : int
        Most pairs of one label and metric.

    Returns
    -------
    pairs : DataFrame
        Columns `label`, `metric`, `place` (from 1), `sample`, `train`, `score`.
    totals : DataFrame
        Columns `label`, `metric`, `n`: how many pairs there are before the cap.
    """
    named = read_table(labels, "labels")[["sample", "train", "label"]]
    best = read_table(matches, "matches").query("rank == 1")
    found = named.merge(best, on=["sample", "train"])
    found = found[found["label"].isin(list(style.LABELS)) & found["metric"].isin(list(style.METRICS))]
    found = found.sort_values(["label", "metric", "score", "sample", "train"], kind="stable")
    groups = found.groupby(["label", "metric"])
    found = found.assign(place=groups.cumcount() + 1)
    kept = found[found["place"] <= per_class]
    totals = groups.size().rename("n").reset_index()
    return kept[["label", "metric", "place", "sample", "train", "score"]].reset_index(drop=True), totals


def images_of(
    sample: pd.Series, train: pd.Series, samples: str | Path | Sequence[str | Path], images: str | Path
) -> tuple[np.ndarray, np.ndarray]:
    """Read the images of pairs.

    Parameters
    ----------
    sample, train : (n,) int
        Ids of the samples and of the training images.
    samples, images : paths, path
        Image shards of the samples; `data/train.npz`.

    Returns
    -------
    generated, matched : (n, C, H, W) float32
        Images in [-1, 1].
    """
    return read_images(samples, sample.to_numpy())[0], read_images(images, train.to_numpy())[0]


def to_rgb(x: np.ndarray) -> np.ndarray:
    """Turn images into 8-bit RGB.

    Parameters
    ----------
    x : (n, C, H, W) float
        In [-1, 1], C = 1 or 3; values outside are clipped.

    Returns
    -------
    (n, H, W, 3) uint8
        The grey or colour values as a PNG of the image has them.
    """
    values = np.clip(np.rint((np.asarray(x, dtype=np.float64) + 1.0) * 127.5), 0, 255).astype(np.uint8)
    return np.broadcast_to(values, (len(values), 3, *values.shape[2:])).transpose(0, 2, 3, 1)


def pair_mosaic(
    generated: np.ndarray, matched: np.ndarray, columns: int, *, captioned: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Lay out pairs on a white sheet: generated above its match, `columns` pairs in a line.

    Parameters
    ----------
    generated, matched : (n, C, H, W) float
        Images in [-1, 1].
    columns : int
        Pairs in one line.
    captioned : bool
        Leave room for captions below the last line, too.

    Returns
    -------
    sheet : (rows, width, 3) uint8
        The sheet; a gap of an eighth of an image separates columns, half an image separates lines of pairs.
    foot : (n, 2) float
        Column and row of the middle below each pair, in pixels of the sheet: the place for a caption.
    """
    top, bottom = to_rgb(generated), to_rgb(matched)
    # Magnified by a whole number, so that gaps come out even and no viewer smooths 8 x 8 pixels.
    scale = max(1, -(-32 // top.shape[1]))
    top, bottom = (np.repeat(np.repeat(image, scale, axis=1), scale, axis=2) for image in (top, bottom))
    n, height, width = top.shape[:3]
    gap, band = max(1, width // 8), height // 2
    lines = -(-n // columns)
    pitch = 2 * height + gap // 2 + band
    sheet = np.full(
        (lines * pitch - (0 if captioned else band), columns * (width + gap) - gap, 3), 255, dtype=np.uint8
    )
    foot = np.zeros((n, 2))
    for i in range(n):
        y, x = (i // columns) * pitch, (i % columns) * (width + gap)
        sheet[y : y + height, x : x + width] = top[i]
        lower = y + height + gap // 2
        sheet[lower : lower + height, x : x + width] = bottom[i]
        foot[i] = x + width / 2 - 0.5, lower + height + band / 2 - 0.5
    return sheet, foot


def draw_pairs(
    ax: Axes, generated: np.ndarray, matched: np.ndarray, columns: int, captions: Sequence[str] = ()
) -> None:
    """Draw pairs as one image without axes.

    Parameters
    ----------
    ax : Axes
        Where to draw; its aspect follows the sheet's.
    generated, matched, columns
        As for `pair_mosaic`.
    captions : sequence of str
        One short text below each pair, or none at all.
    """
    ax.set_axis_off()
    if not len(generated):
        ax.text(0.5, 0.5, "none", ha="center", va="center", transform=ax.transAxes, color=style.GREY)
        return
    sheet, foot = pair_mosaic(generated, matched, columns, captioned=bool(captions))
    ax.imshow(sheet, aspect="equal")
    ax.set_anchor("N")
    for (x, y), caption in zip(foot, captions, strict=False):
        ax.text(x, y, caption, ha="center", va="center", fontsize=4.8)


def examples_figure(
    chosen: pd.DataFrame,
    totals: pd.Series,
    generated: np.ndarray,
    matched: np.ndarray,
    *,
    columns: int,
    title: str,
) -> Figure:
    """Draw examples of the three labels side by side, each with its LID below.

    Parameters
    ----------
    chosen : DataFrame
        From `choose_examples`.
    totals : Series
        Label to number of samples.
    generated, matched : (n, C, H, W) float
        Images of the rows of `chosen`.
    columns : int
        Pairs per label.
    title : str
        Above all.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the full text block.
    """
    half = -(-columns // 2)
    lines = -(-columns // half)
    fig = style.figure(style.TEXT, 0.62 + lines * 2.6 * (style.TEXT / 3.4) / (half * 1.125))
    fig.set_layout_engine("constrained", wspace=0.06)
    axes = fig.subplots(1, len(style.LABELS))
    for ax, (label, look) in zip(axes, style.LABELS.items(), strict=True):
        mine = (chosen["label"] == label).to_numpy()
        which = "lowest LID" if label == "not_memorized" else "over the range of LID"
        ax.set_title(
            f"{look.name}\n({which}; {mine.sum()} of $n$ = {totals.get(label, 0)})", color=look.colour
        )
        captions = [
            f"{value:.1f}" + (f"±{error:.1f}" if np.isfinite(error) else "")
            for value, error in chosen.loc[mine, ["value", "stderr"]].astype(float).to_numpy()
        ]
        draw_pairs(ax, generated[mine], matched[mine], half, [style.minus(c) for c in captions])
    fig.suptitle(title, fontsize=7.5)
    return fig


def pairs_figure(
    blocks: pd.DataFrame, totals: pd.DataFrame, generated: np.ndarray, matched: np.ndarray, *, title: str
) -> Figure:
    """Draw one block of pairs per label and metric, one below the other.

    Parameters
    ----------
    blocks, totals : DataFrame
        From `labelled_pairs`.
    generated, matched : (n, C, H, W) float
        Images of the rows of `blocks`.
    title : str
        Above all.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the full text block, as high as the pairs need.
    """
    keys = [(label, metric) for label in style.LABELS for metric in style.METRICS]
    masks = [((blocks["label"] == a) & (blocks["metric"] == b)).to_numpy() for a, b in keys]
    side = style.TEXT / (_COLUMNS * 1.125)
    lines = [-(-int(mask.sum()) // _COLUMNS) for mask in masks]
    heights = [0.3 + side * max(2.6 * n - 0.5, 0.1) for n in lines]
    fig = style.figure(style.TEXT, 0.3 + sum(heights))
    axes = fig.subplots(len(keys), 1, height_ratios=heights)
    for ax, (label, metric), mask in zip(axes, keys, masks, strict=True):
        total = totals.loc[(totals["label"] == label) & (totals["metric"] == metric), "n"].sum()
        shown = f"{mask.sum()} of {total} pairs, closest first" if mask.any() else "no pairs"
        look = style.LABELS[label]
        ax.set_title(
            f"{look.name}, retrieved by {style.METRICS[metric]}: {shown}", loc="left", color=look.colour
        )
        ax.set_axis_off()
        if mask.any():  # the heading says it where there are none
            draw_pairs(ax, generated[mask], matched[mask], _COLUMNS)
    fig.suptitle(title, fontsize=7.5)
    return fig
