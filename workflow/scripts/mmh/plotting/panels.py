"""Densities by label: one row per label with its density, its items and its median."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmh.plotting import style

NOTE = (
    "Mark and bar: median, 95 % interval over matched groups of equal\n"
    "training images or families (none if too few). Tick: one sample. Arrow: how many lie beyond the axis."
)
"""What the marks of `densities_by_label` mean."""

MODES = 3
"""Peaks that a density may show."""
FAR = 0.3
"""How far beyond nearly all values an axis may reach, in the width of what nearly all values take."""
_GRID = 600
_ROW = 1.12  # height of one label's row, in which the curve takes _CURVE and the text the rest
_CURVE = 0.56
_FLOOR = 0.2  # room for ticks and median below the lowest curve


def density(values: np.ndarray, grid: np.ndarray, floor: float = -np.inf) -> np.ndarray:
    """Gaussian kernel density, scaled to its peak.

    Parameters
    ----------
    values : (n,) float
        Observations; those outside the grid do not count.
    grid : (m,) float
        Equidistant places.
    floor : float
        What no value can be below: the density is 0 there, and what a kernel has below it is reflected.

    Returns
    -------
    (m,) float
        In [0, 1].
    """
    step = grid[1] - grid[0]
    width = max(bandwidth(values), 1.5 * step)
    # Of what is reflected only that counts which a kernel carries into the grid.
    mirrored = 0.0 if np.isinf(floor) else min(grid[0] - 2.0 * floor + grid[-1], 6.0 * width)
    below = max(0, int(np.ceil(mirrored / step)))
    places = np.append(grid[0] - step * np.arange(below, 0, -1), grid)
    every = values if np.isinf(floor) else np.append(values, 2.0 * floor - values)
    counts = np.histogram(every, bins=np.append(places - step / 2, places[-1] + step / 2))[0]
    offsets = np.arange(-len(places) + 1, len(places)) * step
    smooth = np.convolve(counts, np.exp(-0.5 * (offsets / width) ** 2), mode="full")
    smooth = np.where(grid < floor, 0.0, smooth[len(places) - 1 + below : 2 * len(places) - 1])
    return smooth / max(smooth.max(), 1e-300)


def bandwidth(values: np.ndarray) -> float:
    """Width of a kernel: Silverman's, from the smaller of standard deviation and scaled quartile range.

    Counts, and counts over what varies little, are a comb whose teeth would hide the shape: the width
    is at least 0.45 for whole numbers, and grows until at most `MODES` peaks of a twentieth of the highest
    are left.

    Parameters
    ----------
    values : (n,) float

    Returns
    -------
    float
        0 for values that are all the same.
    """
    spread = float(values.std())
    quartile = np.subtract(*np.quantile(values, [0.75, 0.25])) / 1.349
    width = float(0.9 * min(spread, quartile) * len(values) ** -0.2)
    if spread > 0 and (values == np.rint(values)).all():
        width = max(width, 0.45)
    grid = np.linspace(values.min(), values.max(), _GRID)
    while 0 < width < spread and _peaks(values, grid, width) > MODES:
        width *= 1.15
    return width


def _peaks(values: np.ndarray, grid: np.ndarray, width: float) -> int:
    step = grid[1] - grid[0]
    counts = np.histogram(values, bins=np.append(grid - step / 2, grid[-1] + step / 2))[0]
    offsets = np.arange(-len(grid) + 1, len(grid)) * step
    smooth = np.convolve(counts, np.exp(-0.5 * (offsets / max(width, 1.5 * step)) ** 2), mode="same")
    inner = smooth[1:-1]
    high = inner > 0.05 * smooth.max()
    return int(((inner > smooth[:-2]) & (inner >= smooth[2:]) & high).sum())


def shown_range(groups: Sequence[np.ndarray]) -> tuple[float, float]:
    """Choose the range of an axis: all values, but for a few that lie far beyond the others of every group.

    Parameters
    ----------
    groups : sequence of (n,) float
        Values of each group.

    Returns
    -------
    (float, float)
        From the lowest to the highest value where none is farther out than `FAR` times the distance between
        the outermost 1 % and 99 % quantiles of the groups; else to there.
    """
    filled = [values for values in groups if len(values)]
    if not filled:
        return 0.0, 1.0
    low = min(float(np.quantile(values, 0.01)) for values in filled)
    high = max(float(np.quantile(values, 0.99)) for values in filled)
    reach = FAR * (high - low)
    least, most = min(float(v.min()) for v in filled), max(float(v.max()) for v in filled)
    return max(least, low - reach), min(most, high + reach)


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
    parts = {label: frame.loc[frame["label"] == label, "value"].to_numpy(float) for label in looks}
    low, high, floor = _axis(list(parts.values()))
    grid = np.linspace(low, high, _GRID)
    for row, (label, look) in enumerate(looks.items()):
        base = (len(looks) - 1 - row) * _ROW
        ax.axhline(base, color=style.GREY, linewidth=0.4, zorder=0)
        mine = parts[label]
        text = f"{look.name}: no {counted}"
        if len(mine):
            stats = summary[summary["label"] == label].iloc[0]
            inside = grid >= floor
            curve = base + _CURVE * density(mine, grid, floor)[inside]
            ax.fill_between(grid[inside], base, curve, color=look.colour, alpha=0.25, linewidth=0)
            ax.plot(grid[inside], curve, color=look.colour, linestyle=look.line)
            _beyond(ax, mine, (low, high), base)
            # Ticks that would coincide in print are drawn once.
            within = mine[(mine >= low) & (mine <= high)]
            ticks = np.unique(np.round((within - low) / (high - low) * 1500)) / 1500 * (high - low) + low
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


def _axis(groups: Sequence[np.ndarray]) -> tuple[float, float, float]:
    """Ends of the axis, with room for what kernels have beyond the values; and what no value is below."""
    filled = [values for values in groups if len(values)]
    low, high = shown_range(filled)
    floor = 0.0 if filled and all(values.min() >= 0 for values in filled) else -np.inf
    margin = 0.04 * (high - low) or 1.0
    widths = [min(3.2 * bandwidth(values), 4 * margin) for values in filled]
    ends = [low - margin, high + margin]
    for values, width in zip(filled, widths, strict=True):  # a curve comes down to 0 within the axis
        if values.min() >= low:
            ends[0] = min(ends[0], float(values.min()) - width)
        if values.max() <= high:
            ends[1] = max(ends[1], float(values.max()) + width)
    return max(ends[0], floor - margin), ends[1], floor


def _beyond(ax: Axes, values: np.ndarray, ends: tuple[float, float], base: float) -> None:
    """Say at an end of the axis how many items lie beyond it."""
    counts = (int((values < ends[0]).sum()), int((values > ends[1]).sum()))
    for place, side, count in zip(ends, ("left", "right"), counts, strict=True):
        if count:
            text = f"\N{LEFTWARDS ARROW} {count}" if side == "left" else f"{count} \N{RIGHTWARDS ARROW}"
            ax.text(place, base + 0.03, text, fontsize=6.0, ha=side, va="bottom", color=style.INK)


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
