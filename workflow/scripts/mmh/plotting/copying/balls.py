"""The mass of balls under a law and under a model, and their ratio, by radius."""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from mmh.copying.balls import slope
from mmh.plotting import style

PLACES = {
    "isolated": "$x_0$: copied by overfitting",
    "centre": "centre: a duplicate of the data",
    "arc": "arc: not memorized",
}
_LAW = "#0072B2"


def balls_figure(table: pd.DataFrame, excess: float, title: str) -> Figure:
    """Draw masses above and ratios below, a column for each place.

    Parameters
    ----------
    table : DataFrame
        From `mmh.copying.balls.ratios`.
    excess : float
        lambda of Definition A.1.
    title : str
        Above all.

    Returns
    -------
    matplotlib.figure.Figure
        The full text block wide.
    """
    places = [place for place in PLACES if (table["place"] == place).any()]
    fig = style.figure(style.TEXT, 3.9)
    axes = fig.subplots(2, len(places), sharex=True, sharey="row", squeeze=False, height_ratios=[1, 1.15])
    for column, place in enumerate(places):
        rows = table[table["place"] == place]
        _masses(axes[0, column], rows)
        _ratios(axes[1, column], rows, excess)
        axes[0, column].set_title(PLACES[place])
        axes[1, column].set_xlabel("radius $r$")
    axes[1, -1].text(
        0.02,
        excess * 1.06,
        rf"$\lambda$ = {excess:g}",
        transform=axes[1, -1].get_yaxis_transform(),
        va="bottom",
        fontsize=6.2,
        color=style.GREY,
    )
    axes[0, 0].set_ylabel("probability of the ball")
    axes[0, 0].legend(loc="lower right", handlelength=1.8)
    axes[1, 0].set_ylabel(r"ratio $P_\theta(B_r)\,/\,P_*(B_r)$")
    axes[1, 0].set_ylim(0.25, 60)
    axes[1, 0].yaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
    axes[1, 0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes[1, 0].yaxis.set_minor_formatter(NullFormatter())
    fig.suptitle(title, fontsize=7.5)
    return fig


def duplicates_figure(table: pd.DataFrame, title: str) -> Figure:
    """Draw the share of training sets that hold a duplicate, by their size, one line for each law.

    Parameters
    ----------
    table : DataFrame
        From `mmh.copying.duplicates.shares`.
    title : str
        Above all.

    Returns
    -------
    matplotlib.figure.Figure
        One text column wide.
    """
    fig = style.figure(style.COLUMN, 2.3)
    ax = fig.subplots()
    looks = {
        "with atom": ("law with a point of $\\mathrm{LID}_*$ = 0", style.MODEL, "-", "o"),
        "without atom": ("the same law without it", _LAW, (0, (5, 1.5)), "s"),
    }
    for law, (label, colour, line, marker) in looks.items():
        rows = table[table["law"] == law]
        ax.plot(rows["n"], rows["exact"], color=colour, linestyle=line, linewidth=0.9)
        wide = [rows["share"] - rows["low"], rows["high"] - rows["share"]]
        look: dict[str, Any] = {
            "fmt": marker,
            "color": colour,
            "markersize": 3,
            "elinewidth": 0.7,
            "label": label,
        }
        ax.errorbar(rows["n"], rows["share"], yerr=wide, **look)
    ax.set_xscale("log")
    ax.set_xticks(sorted(set(table["n"])), [str(n) for n in sorted(set(table["n"]))])
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("training points $n$")
    ax.set_ylabel("share of sets with a duplicate")
    ax.set_ylim(-0.04, 1.04)
    ax.legend(loc="center right")
    fig.suptitle(title, fontsize=7.5)
    return fig


def _masses(ax: Axes, rows: pd.DataFrame) -> None:
    seen = rows[rows["inside"] > 0]
    ax.plot(rows["radius"], rows["mass"].where(rows["mass"] > 0), color=_LAW, label="law $P_*$ (known)")
    _points(ax, seen, "share", r"model $P_\theta$ (counted)")
    ax.set_xscale("log")
    ax.set_yscale("log")


def _ratios(ax: Axes, rows: pd.DataFrame, excess: float) -> None:
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.axhline(1, color=style.GREY, linewidth=0.6)
    ax.axhline(excess, color=style.GREY, linewidth=0.6, linestyle=(0, (4, 2)))
    _points(ax, rows[(rows["inside"] > 0) & (rows["mass"] > 0)], "ratio")
    found = slope(rows)
    if not math.isfinite(found.estimate):
        return
    (inner,), (outer,) = (rows.loc[rows["mark"] == mark].to_dict("records") for mark in ("inner", "outer"))
    ax.axvspan(inner["radius"], outer["radius"], color=style.TRUTH, alpha=0.3, linewidth=0)
    ends = np.array([inner["radius"], outer["radius"]])
    middle = math.sqrt(inner["ratio"] * outer["ratio"]) if inner["ratio"] > 0 else outer["ratio"]
    line = middle * (ends / math.sqrt(ends[0] * ends[1])) ** found.estimate
    ax.plot(ends, line, color=style.INK, linewidth=0.8)
    said = style.interval(found.estimate, found.low, found.high, 2 if abs(found.estimate) > 0.01 else 3)
    ax.text(
        0.03,
        0.97,
        f"slope {said}\n{_expected(rows)}",
        transform=ax.transAxes,
        va="top",
        fontsize=6.5,
    )


def _expected(rows: pd.DataFrame) -> str:
    data, place = int(rows["lid_data"].iloc[0]), rows["place"].iloc[0]
    model = 0 if place == "isolated" else data
    names = r"$\mathrm{LID}_\theta - \mathrm{LID}_*$"
    return f"{names} = {model} \N{MINUS SIGN} {data}"


def _points(ax: Axes, rows: pd.DataFrame, name: str, label: str | None = None) -> None:
    low, high = (rows[f"{name}{end}"] for end in ("_low", "_high"))
    ax.errorbar(
        rows["radius"],
        rows[name],
        yerr=[rows[name] - low, high - rows[name]],
        fmt="o",
        color=style.MODEL,
        markersize=2.2,
        elinewidth=0.6,
        label=label,
    )
