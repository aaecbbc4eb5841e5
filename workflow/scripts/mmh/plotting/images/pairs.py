"""Generated images above their matches: layout on a sheet and on pages, and their two figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmh.errors import InputError
from mmh.evaluation.groups import OTHERS
from mmh.plotting import style
from mmh.plotting.images.choice import LOWEST

PAGE = 11.0
"""Greatest height of a page of pairs, inches."""

_COLUMNS = 20  # pairs in one line of the full text block
_SIDE = style.TEXT / (_COLUMNS * 1.125)  # of one image, inches
_HEADING, _MARGIN = 0.2, 0.0075  # inches above pairs; beside them, of the width
_FRAME = 190  # grey around pairs in colour
_TALLEST = 320.0  # inches that a PNG can have at 200 dpi


@dataclass(frozen=True, eq=False)
class Piece:
    """Pairs of one label and metric that stand together on a page."""

    label: str
    metric: str
    rows: np.ndarray  # int, rows of the table of pairs
    start: int  # pairs of this label and metric on earlier pages

    @property
    def height(self) -> float:
        """Inches, heading included; of a piece without pairs, the heading alone."""
        lines = -(-len(self.rows) // _COLUMNS)
        return 0.3 + _SIDE * (2.6 * lines - 0.5) if lines else _HEADING


def to_rgb(x: np.ndarray) -> np.ndarray:
    """Turn images (n, C, H, W) in [-1, 1] into uint8 (n, H, W, 3), as a PNG of them has; C is 1 or 3."""
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
        Pairs in colour have a frame, because photographs often end in white.
    foot : (n, 2) float
        Column and row of the middle below each pair, in pixels of the sheet: the place for a caption.
    """
    top, bottom = to_rgb(generated), to_rgb(matched)
    # Magnified by a whole number, so that gaps come out even and no viewer smooths 8 x 8 pixels.
    scale = max(1, -(-32 // top.shape[1]))
    top, bottom = (np.repeat(np.repeat(image, scale, axis=1), scale, axis=2) for image in (top, bottom))
    n, height, width = top.shape[:3]
    edge = int(generated.shape[1] == 3)  # of the frame
    gap, band = max(1, width // 8), height // 2
    lines = -(-n // columns)
    pitch = 2 * height + gap // 2 + band
    rows = lines * pitch - (0 if captioned else band)
    sheet = np.full((rows + 2 * edge, columns * (width + gap) - gap + 2 * edge, 3), 255, dtype=np.uint8)
    foot = np.zeros((n, 2))
    for i in range(n):
        y, x = (i // columns) * pitch + edge, (i % columns) * (width + gap) + edge
        lower = y + height + gap // 2
        if edge:
            sheet[y - edge : lower + height + edge, x - edge : x + width + edge] = _FRAME
        sheet[y : y + height, x : x + width] = top[i]
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
        ax.text(x, y, caption, ha="center", va="center", fontsize=6.5 if columns <= 4 else 4.8)


def examples_figure(
    chosen: pd.DataFrame,
    totals: pd.Series,
    generated: np.ndarray,
    matched: np.ndarray,
    looks: Mapping[str, style.Look] = style.LABELS,
    *,
    columns: int,
    title: str,
    warning: str = "",
) -> Figure:
    """Draw examples of the labels side by side, each with its LID below.

    Parameters
    ----------
    chosen : DataFrame
        From `choice.choose_examples`.
    totals : Series
        Label to number of samples.
    generated, matched : (n, C, H, W) float
        Images of the rows of `chosen`.
    looks : mapping
        Labels from left to right, and how each one is drawn.
    columns : int
        Pairs per label.
    title, warning : str
        Above all; see `style.title`.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the full text block.
    """
    half = -(-columns // 2)
    lines = -(-columns // half)
    height = 0.62 + lines * 2.6 * (style.TEXT / (len(looks) + 0.4)) / (half * 1.125)
    fig = style.figure(style.TEXT, height + (0.2 if warning else 0.0))
    fig.set_layout_engine("constrained", wspace=0.06)
    axes = fig.subplots(1, len(looks))
    decimals = 0 if _all_counts(chosen) else 1
    for ax, (label, look) in zip(axes, looks.items(), strict=True):
        mine = (chosen["label"] == label).to_numpy()
        which = "lowest LID" if label in LOWEST else "over the range of LID"
        ax.set_title(
            f"{look.name}\n({which}; {mine.sum()} of $n$ = {totals.get(label, 0)})", color=look.colour
        )
        captions = [
            f"{value:.{decimals}f}" + (f"±{error:.1f}" if np.isfinite(error) else "")
            for value, error in chosen.loc[mine, ["value", "stderr"]].astype(float).to_numpy()
        ]
        draw_pairs(ax, generated[mine], matched[mine], half, [style.minus(c) for c in captions])
    style.title(fig, title, warning)
    return fig


def _all_counts(chosen: pd.DataFrame) -> bool:
    """Whether LID is a count without an error, such as the rank of a Jacobian."""
    value = chosen["value"].to_numpy(float)
    return bool((value == np.rint(value)).all() and chosen["stderr"].isna().all())


def pieces_of(blocks: pd.DataFrame, looks: Mapping[str, style.Look] = style.LABELS) -> list[Piece]:
    """Sort pairs into one piece per label and metric.

    Parameters
    ----------
    blocks : DataFrame
        From `choice.labelled_pairs` or `choice.ranked_pairs`.
    looks : mapping
        Labels from top to bottom. One that is called like a metric is that metric's list of candidates.

    Returns
    -------
    list of Piece
        Those without pairs included, except those of metrics that no pair of theirs could have.

    Raises
    ------
    InputError
        If one sheet with all of them would be too high for a PNG.
    """
    pieces = []
    for label in looks:
        for metric in style.METRICS if label not in style.METRICS else (label,):
            if label == OTHERS and metric not in looks:
                continue
            rows = np.flatnonzero((blocks["label"] == label) & (blocks["metric"] == metric))
            pieces.append(Piece(label, metric, rows, 0))
    height = sum(piece.height for piece in pieces)
    if height > _TALLEST:
        raise InputError(
            f"figures.memorized_pairs.per_class: {len(blocks)} pairs would make a sheet {height:.0f} inches "
            f"high, the limit is {_TALLEST:.0f}; lower it"
        )
    return pieces


def paginate(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Distribute pieces over pages no higher than `PAGE`, cutting them between lines where they do not fit.

    Parameters
    ----------
    pieces : sequence of Piece
        In order.

    Returns
    -------
    list of list of Piece
        Pages.
    """
    pages: list[list[Piece]] = [[]]
    room = PAGE - 0.5
    for piece in pieces:
        left = piece
        while True:
            lines = int(np.floor(((room - 0.3) / _SIDE + 0.5) / 2.6 + 1e-9))
            if left.height <= room:
                pages[-1].append(left)
                room -= left.height
                break
            if lines >= 1:
                cut = lines * _COLUMNS
                pages[-1].append(Piece(left.label, left.metric, left.rows[:cut], left.start))
                left = Piece(left.label, left.metric, left.rows[cut:], left.start + cut)
            pages.append([])
            room = PAGE - 0.5
    return pages


def pairs_figure(
    pieces: Sequence[Piece],
    totals: pd.DataFrame,
    generated: np.ndarray,
    matched: np.ndarray,
    looks: Mapping[str, style.Look] = style.LABELS,
    *,
    title: str,
    warning: str = "",
) -> Figure:
    """Draw pieces one below the other.

    Parameters
    ----------
    pieces : sequence of Piece
        From `pieces_of`, or one page of `paginate`.
    totals : DataFrame
        From `choice.labelled_pairs` or `choice.ranked_pairs`.
    generated, matched : (n, C, H, W) float
        Images of all pairs; a piece says which are its own.
    looks : mapping
        How each label is drawn.
    title, warning : str
        Above all; see `style.title`.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the full text block, as high as the pairs need.
    """
    top = 0.5 if warning else 0.3  # inches that the title takes
    height = top + sum(piece.height for piece in pieces)
    fig = style.figure(style.TEXT, height)
    # Placed by hand: a layout engine would move headings and give room to pieces without pairs.
    fig.set_layout_engine("none")
    for piece in pieces:
        room = max(piece.height - _HEADING, 0.01)
        ax = fig.add_axes((_MARGIN, 1 - (top + _HEADING + room) / height, 1 - 2 * _MARGIN, room / height))
        top += piece.height
        look, metric = looks[piece.label], piece.metric
        of_this = (totals["label"] == piece.label) & (totals["metric"] == metric)
        count, total = len(piece.rows), totals.loc[of_this, "n"].sum()
        shown = f"{count} of {total} pairs, closest first" if count else "no pairs"
        if piece.start:
            shown = f"pairs {piece.start + 1} to {piece.start + count} of {total}"
        name = look.name if piece.label == metric else f"{look.name}, retrieved by {style.METRICS[metric]}"
        ax.set_title(f"{name}: {shown}", loc="left", pad=3, color=look.colour)
        ax.set_axis_off()
        if count:  # the heading says it where there are none
            draw_pairs(ax, generated[piece.rows], matched[piece.rows], _COLUMNS)
            ax.set_anchor("NW")
    style.title(fig, title, warning)
    fig.suptitle(fig.get_suptitle(), y=1.0 - 0.07 / height, fontsize=7.5)
    return fig
