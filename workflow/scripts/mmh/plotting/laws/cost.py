"""Rows of the network against the mean absolute error of LID, law by law."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mmh.plotting import style

COLUMNS = ("law", "ambient", "estimator", "way", "score", "t", "rows", "n", "mae", "mae_low", "mae_high")
LINEAR = 0.1
"""Errors are drawn on a linear scale below, and on a logarithmic one above."""
_ROW, _ACROSS = 1.9, 3
_COLOURS = ("#0072B2", "#D55E00", "#007A58", "#CC79A7", "#8A6D00", "#56B4E9", "#444444", "#A34A00")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")


def rows_of(way: Mapping[str, Any], ambient: int) -> int:
    """Rows of the network for one point: of FLIPD one forward, and a backward pass for each product."""
    if way["method"] == "flipd":
        return 1 + (ambient if way["trace"] == "exact" else int(way["trace"]))
    if way["method"] == "denoising-loss":
        return int(way["draws"])
    return int(way["copies_per_dimension"]) * ambient


def way_of(way: Mapping[str, Any]) -> str:
    """What estimators have in common that differ in their number of products or draws alone."""
    if way["method"] == "flipd":
        return "FLIPD, exact trace" if way["trace"] == "exact" else f"FLIPD, {way.get('probe', 'gaussian')}"
    if way["method"] == "denoising-loss":
        return "denoising loss"
    return "normal bundle" if way["method"] == "normal-bundle" else "normal bundle, noise threshold"


def cost_numbers(table: pd.DataFrame, ways: Mapping[str, Mapping[str, Any]], t: float) -> pd.DataFrame:
    """Choose the numbers that are plotted.

    Parameters
    ----------
    table : DataFrame
        ``accuracy.csv``, see `mmh.oracles.accuracy.summarize`.
    ways : mapping of str to mapping
        Options of the estimators.
    t : float
        Noise level.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`, errors in dimensions, over all points of a law.
    """
    chosen = table["lid"].isna() & table["estimator"].isin(list(ways)) & np.isclose(table["t"], t)
    rows = table[chosen].copy()
    rows["way"] = [way_of(ways[name]) for name in rows["estimator"]]
    costs = [rows_of(ways[one.estimator], int(one.ambient)) for one in rows.itertuples()]
    return rows.assign(rows=costs)[list(COLUMNS)].reset_index(drop=True)


def cost_figure(numbers: pd.DataFrame, *, title: str) -> Figure:
    """Draw a panel for each law.

    Parameters
    ----------
    numbers : DataFrame
        From `cost_numbers`.
    title : str
        Above all.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the full text block.
    """
    laws, ways = list(dict.fromkeys(numbers["law"])), list(dict.fromkeys(numbers["way"]))
    across = len(laws) if len(laws) < _ACROSS else 2 if len(laws) == 4 else _ACROSS
    down = -(-len(laws) // across)
    fig = style.figure(style.TEXT, 1.2 + _ROW * down)
    axes = fig.subplots(down, across, squeeze=False).ravel()
    for ax, law in zip(axes, laws, strict=False):
        mine = numbers[numbers["law"] == law]
        for (way, score), line in mine.groupby(["way", "score"], sort=False):
            place, learned = ways.index(str(way)), score == "learned"
            line = line.sort_values("rows")
            reach = np.abs(line[["mae_low", "mae_high"]].to_numpy(float).T - line["mae"].to_numpy(float))
            colour = _COLOURS[place % len(_COLOURS)]
            ax.errorbar(
                line["rows"],
                line["mae"],
                yerr=np.nan_to_num(reach),
                color=colour,
                linestyle=(0, (1, 1.6)) if learned else "-",
                marker=_MARKERS[place % len(_MARKERS)],
                markersize=3.4,
                markerfacecolor=colour if learned else "white",
                markeredgewidth=0.8,
                linewidth=1.0,
                elinewidth=0.7,
                label="_learned" if learned else str(way),
            )
        ax.set_xscale("log")
        ax.set_yscale("symlog", linthresh=LINEAR, linscale=0.6)
        ax.set_ylim(-0.02, 2.0 * float(mine[["mae", "mae_high"]].max().max()))
        ax.set_title(f"{law}, {mine['ambient'].iloc[0]} values", fontsize=7)
        ax.set_xlabel("rows of the network")
    for ax in axes[len(laws) :]:
        ax.set_axis_off()
    for ax in axes[: len(laws) : across]:
        ax.set_ylabel("mean absolute error\n(dimensions)")
    handles: dict[str, Any] = {}
    for ax in axes[: len(laws)]:
        for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(name, handle)
    look: dict[str, Any] = {"loc": "outside lower center", "ncols": 3, "fontsize": 6.5}
    fig.legend(list(handles.values()), list(handles), **look)
    fig.suptitle(title, fontsize=7.5)
    return fig
