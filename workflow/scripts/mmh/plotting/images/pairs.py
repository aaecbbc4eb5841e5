"""Generated images above their matches: layout on pages, and their two figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mmh.errors import InputError
from mmh.evaluation.groups import OTHERS
from mmh.plotting import style
from mmh.plotting.images.choice import LOWEST
from mmh.plotting.images.mosaic import draw_pairs

PAGE = 11.0
"""Greatest height of a page of pairs, inches."""

_COLUMNS = 20  # pairs in one line of the full text block
_SIDE = style.TEXT / (_COLUMNS * 1.125)  # of one image, inches
_HEADING, _MARGIN = 0.2, 0.0075  # inches above pairs; beside them, of the width
_TALLEST = 320.0  # inches that a PNG can have at 200 dpi


@dataclass(frozen=True, eq=False)
class Piece:
    """Pairs of one label and metric that stand together on a page; without a label, what is lacking."""

    label: str
    metric: str
    rows: np.ndarray  # int, rows of the table of pairs
    start: int  # pairs of this label and metric on earlier pages

    @property
    def height(self) -> float:
        """Inches, heading included; of a piece without pairs, the heading alone."""
        lines = -(-len(self.rows) // _COLUMNS)
        return 0.3 + _SIDE * (2.6 * lines - 0.5) if lines else _HEADING


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
        A last one without label says of which labels and metrics there are no pairs, but for metrics that no
        pair of theirs could have.

    Raises
    ------
    InputError
        If one sheet with all of them would be too high for a PNG.
    """
    pieces, empty = [], []
    for label in looks:
        for metric in style.METRICS if label not in style.METRICS else (label,):
            if label == OTHERS and metric not in looks:
                continue
            rows = np.flatnonzero((blocks["label"] == label) & (blocks["metric"] == metric))
            if len(rows):
                pieces.append(Piece(label, metric, rows, 0))
            else:
                empty.append(_heading(label, metric, looks))
    if empty:
        pieces.append(Piece("", "; ".join(empty), np.zeros(0, dtype=np.int64), 0))
    height = sum(piece.height for piece in pieces)
    if height > _TALLEST:
        raise InputError(
            f"figures.memorized_pairs.per_class: {len(blocks)} pairs would make a sheet {height:.0f} inches "
            f"high, the limit is {_TALLEST:.0f}; lower it"
        )
    return pieces


def _heading(label: str, metric: str, looks: Mapping[str, style.Look]) -> str:
    name = looks[label].name
    return name if label == metric else f"{name}, retrieved by {style.METRICS[metric]}"


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
        ax.set_axis_off()
        if not piece.label:
            ax.set_title(f"no pairs: {piece.metric}", loc="left", pad=3, color=style.GREY, fontsize=6.5)
            continue
        of_this = (totals["label"] == piece.label) & (totals["metric"] == piece.metric)
        count, total = len(piece.rows), totals.loc[of_this, "n"].sum()
        shown = f"{count} of {total} pairs, closest first"
        if piece.start:
            shown = f"pairs {piece.start + 1} to {piece.start + count} of {total}"
        name = _heading(piece.label, piece.metric, looks)
        ax.set_title(f"{name}: {shown}", loc="left", pad=3, color=looks[piece.label].colour)
        draw_pairs(ax, generated[piece.rows], matched[piece.rows], _COLUMNS)
        ax.set_anchor("NW")
    style.title(fig, title, warning)
    fig.suptitle(fig.get_suptitle(), y=1.0 - 0.07 / height, fontsize=7.5)
    return fig
