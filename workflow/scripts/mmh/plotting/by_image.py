"""AUC of each score for the copies of each single image: a row for each image, a panel for each score."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from mmh.plotting import style
from mmh.plotting.images.mosaic import to_rgb
from mmh.plotting.tables import printed

_ROW = 0.2  # inches


def drawn(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """Choose the images that are drawn, in their order from above.

    Parameters
    ----------
    table : DataFrame
        From `mmh.evaluation.by_image.auc_by_image`.
    most : int
        Images at most: those with most samples.

    Returns
    -------
    DataFrame
        `label`, `cluster`, `train`, `n_positive`; by the AUC of the first score, best first.
    """
    first = table[table["estimator"] == table["estimator"].iloc[0]] if len(table) else table
    kept = first.sort_values(["n_positive", "cluster"], ascending=[False, True], kind="stable").head(most)
    kept = kept.sort_values(["auc", "cluster"], ascending=[False, True], kind="stable")
    return kept[["label", "cluster", "train", "n_positive"]].reset_index(drop=True)


def image_figure(
    table: pd.DataFrame,
    rows: pd.DataFrame,
    pictures: np.ndarray,
    estimators: Sequence[str],
    names: Mapping[str, str],
    title: str,
) -> Figure:
    """Draw the AUC of each image with its interval, beside the image and the number of its samples.

    Parameters
    ----------
    table : DataFrame
        From `mmh.evaluation.by_image.auc_by_image`.
    rows : DataFrame
        From `drawn`.
    pictures : (n, C, H, W) float
        The training image of each row, in [-1, 1].
    estimators : sequence of str
        A panel each.
    names : mapping of str to str
        Their printed names.
    title : str
        Above all.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the full text block.
    """
    fig = style.figure(style.TEXT, 1.05 + _ROW * max(len(rows), 4))
    axes = fig.subplots(1, len(estimators), squeeze=False, sharex=True, sharey=True)[0]
    left = min(0.45, table["auc"].min() - 0.05) if len(table) else 0.45
    for ax, name in zip(axes, estimators, strict=True):
        ax.set_title(printed(name, names))
        _panel(ax, table[table["estimator"] == name], rows, left)
        ax.set_xlabel("AUC against all that are not memorized")
        ax.tick_params(axis="y", length=0)
    axes[0].set_xlim(left, 1.02)
    axes[0].set_ylim(max(len(rows), 1) - 0.4, -0.6)
    axes[0].set_yticks(range(len(rows)), [f"{n}" for n in rows["n_positive"]])
    axes[0].tick_params(axis="y", pad=17)
    axes[0].set_ylabel("samples, and the\nimage they copy")
    for y, picture in enumerate(to_rgb(pictures) if len(rows) else ()):
        _thumbnail(axes[0], picture, y)
    if not len(rows):
        axes[0].text(0.5, 0.5, "no labelled samples", ha="center", va="center", transform=axes[0].transAxes)
    _legend(fig, table)
    style.title(fig, title)
    return fig


def _panel(ax: Axes, mine: pd.DataFrame, rows: pd.DataFrame, left: float) -> None:
    """Intervals that begin left of the panel get an arrow there."""
    place = {key: y for y, key in enumerate(zip(rows["label"], rows["cluster"], strict=True))}
    for row in mine.itertuples():
        if (row.label, row.cluster) not in place:
            continue
        look, y = style.LABELS[row.label], place[row.label, row.cluster]
        bounded = row.auc_low == row.auc_low
        if bounded:
            ends = [max(row.auc_low, left), row.auc_high]
            ax.plot(ends, [y, y], color=look.colour, linewidth=0.9)
            if row.auc_low < left:
                ax.plot(left + 0.006, y, color=look.colour, marker="<", markersize=3)
        face = look.colour if bounded else "white"
        ax.plot([row.auc], [y], color=look.colour, marker=look.marker, markerfacecolor=face)
    for label, look in style.LABELS.items():
        own = mine[mine["label"] == label]
        if len(own):
            mean = np.average(own["auc"], weights=own["n_positive"])  # AUC of all of them together
            ax.axvline(mean, color=look.colour, linestyle=look.line, linewidth=0.7, zorder=0)
    ax.axvline(0.5, color=style.GREY, linewidth=0.5, zorder=0)
    ax.grid(axis="y", color="#eeeeee", linewidth=0.5)
    ax.set_axisbelow(True)


def _thumbnail(ax: Axes, picture: np.ndarray, y: int) -> None:
    """Put an image between the axis and the number of its samples."""
    side = 0.8 * _ROW * 72  # points
    image = OffsetImage(picture, zoom=side / picture.shape[0], dpi_cor=True)
    at = ("axes fraction", "data")
    ax.add_artist(
        AnnotationBbox(
            image,
            (0, y),
            xycoords=at,
            xybox=(-2, 0),
            boxcoords="offset points",
            box_alignment=(1, 0.5),
            frameon=False,
            pad=0,
            annotation_clip=False,
        )
    )


def _legend(fig: Figure, table: pd.DataFrame) -> None:
    looks = [look for label, look in style.LABELS.items() if (table["label"] == label).any()]
    handles = [
        Line2D([], [], color=k.colour, linestyle=k.line, linewidth=0.7, marker=k.marker) for k in looks
    ]
    texts = [f"{look.name}; line: all of them together" for look in looks]
    if table["auc_low"].isna().any():
        handles.append(Line2D([], [], color=style.INK, marker="o", markerfacecolor="white", linestyle=""))
        texts.append("one sample: no interval")
    fig.legend(handles, texts, loc="outside lower center", ncol=2, handlelength=3.5)
