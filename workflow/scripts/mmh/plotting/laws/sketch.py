"""Fig. 1: ground truth, training points and model of six closed-form laws, with their measured LID."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from mmh.oracles.cartoon import PANELS, REACH
from mmh.plotting import style

_TURN = np.linspace(0, 2 * np.pi, 181)


def sketch_figure(table: pd.DataFrame, title: str) -> Figure:
    """Draw the panels (a) to (f), two rows of three.

    Parameters
    ----------
    table : DataFrame
        From `mmh.oracles.cartoon.measure`.
    title : str
        Above all.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the full text block.
    """
    fig = style.figure(style.TEXT, 4.15)
    axes = fig.subplots(2, 3)
    limits = {axis: _limits(table, axis) for axis in "xy"}
    for ax, (panel, name) in zip(axes.flat, PANELS.items(), strict=True):
        mine = table[table["panel"] == panel]
        for kind in ("truth", "model"):
            for part in mine[mine["kind"] == kind].itertuples():
                _part(ax, part, kind)
        train = mine[mine["kind"] == "train"]
        ax.plot(train["x"], train["y"], "x", color=style.INK, markersize=3.2, markeredgewidth=0.7, zorder=4)
        copies = train.groupby(["x", "y"], as_index=False).size()
        for place in copies[copies["size"] > 1].itertuples():
            ax.annotate(
                rf"$\times${place.size}",
                (place.x, place.y),
                xytext=(5, 3),
                textcoords="offset points",
                fontsize=5.6,
                zorder=6,
            )
        for marked, letter in zip(mine[mine["kind"] == "marked"].itertuples(), "xz", strict=False):
            _mark(ax, marked, letter)
        ax.set_title(f"({panel}) {name}")
        ax.set_aspect("equal")
        ax.set_xlim(limits["x"])
        low, high = limits["y"]
        ax.set_ylim(low - 0.24 * (high - low), high)  # room for the numbers
        ax.set_xticks([])
        ax.set_yticks([])
        ax.text(
            0.5,
            0.02,
            "\n".join(
                _words(m, s) for m, s in zip(mine[mine["kind"] == "marked"].itertuples(), "xz", strict=False)
            ),
            transform=ax.transAxes,
            ha="center",
            va="bottom",
            fontsize=6.2,
            linespacing=1.25,
        )
        for side in ("top", "right"):
            ax.spines[side].set_visible(True)
    handles = [
        Patch(facecolor=style.TRUTH, edgecolor="#56B4E9", label=r"ground truth $\mathcal{M}_*$"),
        Line2D([], [], color=style.INK, marker="x", linestyle="none", markersize=3.2, label="training point"),
        Patch(facecolor="none", edgecolor=style.MODEL, hatch="////", label=r"model $\mathcal{M}_\theta$"),
        Line2D(
            [],
            [],
            color=style.INK,
            marker="o",
            markerfacecolor="none",
            linestyle="none",
            markersize=7,
            label="where LID was measured",
        ),
    ]
    fig.legend(handles=handles, loc="outside lower center", ncol=4, fontsize=6.5)
    fig.suptitle(title, fontsize=7.5)
    return fig


def _limits(table: pd.DataFrame, axis: str) -> tuple[float, float]:
    """Range that holds every part of every panel, so that all panels have one scale."""
    parts = table[table["kind"].isin(["train", "truth", "model"])]
    reach = REACH * np.hypot(*(parts[f"{name}{axis}"].fillna(0.0).to_numpy() for name in "uv"))
    low, high = (parts[axis] - reach).min(), (parts[axis] + reach).max()
    return low - 0.06 * (high - low), high + 0.06 * (high - low)


def _part(ax: Axes, part: Any, kind: str) -> None:
    """Draw a part: a dot, a line or an ellipse, as its axes have it."""
    mean, u, v = (np.array(pair) for pair in ((part.x, part.y), (part.ux, part.uy), (part.vx, part.vy)))
    is_model = kind == "model"
    if not u.any() and not v.any():
        colour, size = (style.MODEL, 3.6) if is_model else ("#56B4E9", 9)
        ax.plot(*mean, "o", color=colour, markersize=size, zorder=3 if is_model else 2, markeredgewidth=0)
    elif not v.any():
        ends = mean + np.outer([-1.6, 1.6], u)
        colour, width = (style.MODEL, 1.6) if is_model else ("#9ed2f2", 6.0)
        ax.plot(*ends.T, color=colour, linewidth=width, zorder=3 if is_model else 1, solid_capstyle="round")
    else:
        edge = mean + REACH * (np.outer(np.cos(_TURN), u) + np.outer(np.sin(_TURN), v))
        if is_model:
            ax.fill(
                *edge.T,
                facecolor="none",
                edgecolor=style.MODEL,
                hatch="////",
                linewidth=0,
                alpha=0.35,
                zorder=2,
            )
            ax.plot(*edge.T, color=style.MODEL, linewidth=1.1, zorder=2)
        else:
            ax.fill(*edge.T, facecolor=style.TRUTH, edgecolor="#56B4E9", linewidth=0.5, zorder=0)


def _mark(ax: Axes, marked: Any, letter: str) -> None:
    ax.plot(marked.x, marked.y, "o", markersize=8, markerfacecolor="none", color=style.INK, zorder=5)
    ax.annotate(
        f"${letter}$",
        (marked.x, marked.y),
        xytext=(-6, 6),
        textcoords="offset points",
        ha="right",
        fontsize=7,
        zorder=6,
    )


def _words(marked: Any, letter: str) -> str:
    texts = []
    for lid, symbol, name in ((marked.lid_model, r"\theta", "model"), (marked.lid_data, "*", "truth")):
        rounded = style.minus(f"{round(lid, 2) + 0.0:.2f}")
        texts.append(
            f"${letter}$ off the {name}"
            if np.isnan(lid)
            else rf"$\mathrm{{LID}}_{symbol}({letter})$ = {rounded}"
        )
    return ",  ".join(texts)
