"""Densities by label: one row per label with its density, its items and its median."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmh.plotting import style

NOTE = (
    "Mark and bar: median, 95 % interval over matched groups of equal\n"
    "training images or families (none if too few). Tick: one sample."
)
"""What the marks of `densities_by_label` mean."""

_GRID = 600
_ROW = 1.12  # height of one label's row, in which the curve takes _CURVE and the text the rest
_CURVE = 0.56
_FLOOR = 0.2  # room for ticks and median below the lowest curve


def density(values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Gaussian kernel density, scaled to its peak.

    Parameters
    ----------
    values : (n,) float
        Observations inside the grid.
    grid : (m,) float
        Equidistant places.

    Returns
    -------
    (m,) float
        In [0, 1]. The bandwidth is Silverman's, from the smaller of standard deviation and scaled quartile
        range. It is at least one and a half grid steps, so that values which are all the same give a narrow
        peak where they are, and at least 0.45 for counts, whose density would show the integers instead of
        the shape.
    """
    step = grid[1] - grid[0]
    quartile = np.subtract(*np.quantile(values, [0.75, 0.25])) / 1.349
    width = max(0.9 * min(values.std(), quartile) * len(values) ** -0.2, 1.5 * step)
    if values.std() > 0 and (values == np.rint(values)).all():
        width = max(width, 0.45)
    counts = np.histogram(values, bins=np.append(grid - step / 2, grid[-1] + step / 2))[0]
    offsets = np.arange(-len(grid) + 1, len(grid)) * step
    smooth = np.convolve(counts, np.exp(-0.5 * (offsets / width) ** 2), mode="full")[
        len(grid) - 1 : 2 * len(grid) - 1
    ]
    return smooth / smooth.max()


def densities_by_label(
    ax: Axes,
    frame: pd.DataFrame,
    summary: pd.DataFrame,
    looks: Mapping[str, style.Look] = style.LABELS,
    *,
    xlabel: str,
    counted: str,
    words: Callable[[pd.Series], str] | None = None,
) -> None:
    """Draw one row per label: density, a tick per item, the median with its interval, and both in words.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    frame : DataFrame
        Columns `label`, `value`.
    summary : DataFrame
        One row per label of `frame`, from `selection.medians`; `n_clusters` is printed where it differs from
        `n`.
    looks : mapping
        Labels from top to bottom, and how each one is drawn.
    xlabel : str
        Label of the value axis, with unit.
    counted : str
        What an item is, e.g. ``samples``.
    words : callable, optional
        Makes the text of a row from its row of `summary`; by default counts and median.
    """
    values = frame["value"].to_numpy(float)
    low, high = (values.min(), values.max()) if len(values) else (0.0, 1.0)
    margin = 0.04 * (high - low) or 1.0
    low, high = low - margin, high + margin
    grid = np.linspace(low, high, _GRID)
    for row, (label, look) in enumerate(looks.items()):
        base = (len(looks) - 1 - row) * _ROW
        ax.axhline(base, color=style.GREY, linewidth=0.4, zorder=0)
        mine = frame.loc[frame["label"] == label, "value"].to_numpy(float)
        text = f"{look.name}: no {counted}"
        if len(mine):
            stats = summary[summary["label"] == label].iloc[0]
            curve = base + _CURVE * density(mine, grid)
            ax.fill_between(grid, base, curve, color=look.colour, alpha=0.25, linewidth=0)
            ax.plot(grid, curve, color=look.colour, linestyle=look.line)
            # Ticks that would coincide in print are drawn once.
            ticks = np.unique(np.round((mine - low) / (high - low) * 1500)) / 1500 * (high - low) + low
            ax.vlines(ticks, base - 0.07, base - 0.015, color=look.colour, linewidth=0.35)
            _median_mark(ax, stats, base - 0.125, look)
            text = words(stats) if words else _in_words(stats, look.name, counted)
        ax.text(
            0.0,
            (base + _CURVE + 0.06 + _FLOOR) / (len(looks) * _ROW),
            text,
            transform=ax.transAxes,
            fontsize=6.0,
            linespacing=1.15,
            va="bottom",
            color=style.INK,
        )
    ax.set_xlim(low, high)
    ax.set_ylim(-_FLOOR, len(looks) * _ROW - _FLOOR)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(xlabel)
    ax.set_ylabel("density, each scaled to its peak")


def density_figure(
    frame: pd.DataFrame,
    summary: pd.DataFrame,
    names: dict[str, str],
    looks: Mapping[str, style.Look] = style.LABELS,
    *,
    xlabel: str,
    xlabels: Mapping[str, str] | None = None,
    counted: str,
    title: str,
    note: str,
    warning: str = "",
) -> Figure:
    """Draw densities by label, one panel per estimator, two panels in a line.

    Parameters
    ----------
    frame, summary : DataFrame
        As for `densities_by_label`, with a column `estimator` that says which panel.
    names : dict of str
        Estimators in the order of their panels, and the title of each.
    looks : mapping
        As for `densities_by_label`.
    xlabel, counted : str
        As for `densities_by_label`.
    xlabels : mapping, optional
        Of estimators that are on another axis.
    title, note : str
        Above and below all panels.
    warning : str
        Below the title, in its box; see `style.title`.

    Returns
    -------
    matplotlib.figure.Figure
        One text column wide with one panel, the full text block with more.
    """
    columns = min(2, len(names))
    lines = -(-len(names) // columns)
    height = 2.95 if len(looks) == len(style.LABELS) else 0.9 + 0.68 * len(looks)
    fig = style.figure(style.COLUMN if columns == 1 else style.TEXT, 0.55 + height * lines)
    axes = fig.subplots(lines, columns, squeeze=False)
    for ax in axes.flat[len(names) :]:
        ax.set_axis_off()
    for ax, (estimator, name) in zip(axes.flat, names.items(), strict=False):
        ax.set_title(name)
        densities_by_label(
            ax,
            frame[frame["estimator"] == estimator],
            summary[summary["estimator"] == estimator],
            looks,
            xlabel=(xlabels or {}).get(estimator, xlabel),
            counted=counted,
        )
    style.title(fig, title, warning)
    fig.supxlabel(note, fontsize=5.6, color=style.GREY)
    return fig


def _median_mark(ax: Axes, stats: pd.Series, height: float, look: style.Look) -> None:
    if np.isfinite(stats["low"]):
        ax.hlines(height, stats["low"], stats["high"], color=look.colour, linewidth=1.2)
    ax.plot(
        stats["median"],
        height,
        look.marker,
        markersize=3.6,
        markerfacecolor="white",
        markeredgecolor=look.colour,
        markeredgewidth=1.0,
        clip_on=False,
    )


def _in_words(stats: pd.Series, name: str, counted: str) -> str:
    n, clusters = int(stats["n"]), int(stats["n_clusters"])
    of = "" if clusters == n else f", {clusters} group{'s' * (clusters != 1)}"
    median = style.interval(stats["median"], stats["low"], stats["high"])
    return f"{name}: $n$ = {n} {counted}{of}\nmedian {median}"
