"""Choices of words side by side: similarity to the training image along k, and what is kept at it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mmh.errors import InputError
from mmh.mitigated.measures import EVALUATED
from mmh.plotting import style
from mmh.plotting.mitigated.plane import COLOURS, KEPT, MARKERS, arms
from mmh.rewriting.options import PLAIN

MOST = len(COLOURS)
"""Choices that a figure tells apart."""
METRICS = ("similarity", "clip")
_SIMILARITY = "similarity to the training image"
_APART = 0.06  # of k, so that intervals do not hide each other


def read_rows(path: str | Path, sets: Sequence[str], names: Sequence[str] = ()) -> pd.DataFrame:
    """Read what is drawn of ``rewriting.csv``.

    Parameters
    ----------
    path : path
        The table.
    sets : sequence of str
        Sets of prompts.
    names : sequence of str
        Choices; all if empty.

    Returns
    -------
    pandas.DataFrame
        Rows of `METRICS` of evaluated prompts of these sets, by these choices and as they are.

    Raises
    ------
    InputError
        If a set has none of a metric, or a choice has none at all.
    """
    table = pd.read_csv(path)
    chosen = (table["part"] == EVALUATED) & table["prompt_set"].isin(sets) & table["metric"].isin(METRICS)
    rows = table[chosen]
    rows = rows[rows["choice"].isin([PLAIN, *names])] if names else rows
    for name in sets:
        for metric in METRICS:
            if not ((rows["prompt_set"] == name) & (rows["metric"] == metric)).any():
                raise InputError(f"{path}: no evaluated prompts of {name} have the metric '{metric}'")
    for name in names:
        if not (rows["choice"] == name).any():
            raise InputError(f"{path}: has no generations of the choice '{name}'")
    return rows.astype({"k": "int64"}).reset_index(drop=True)


def figure(rows: pd.DataFrame, printed: Mapping[str, str], heading: str) -> Figure:
    """Draw two panels for each set of prompts: similarity against k, and CLIP against similarity.

    Parameters
    ----------
    rows : pandas.DataFrame
        From `read_rows`.
    printed : mapping of str to str
        Printed name of each choice.
    heading : str
        Title.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the text block.
    """
    names = [name for name in dict.fromkeys(rows["choice"]) if name != PLAIN]
    sets = list(dict.fromkeys(rows["prompt_set"]))
    fig = style.figure(style.TEXT, 0.9 + 2.3 * len(sets))
    axes = fig.subplots(len(sets), 2, squeeze=False)
    handles: dict[str, Line2D] = {}
    for (left, right), name in zip(axes, sets, strict=True):
        part = rows[rows["prompt_set"] == name]
        n = int(part["n_clusters"].max())
        for ax in (left, right):
            ax.set_title(f"{name} prompts ($n$ = {n} families)")
        for place, choice in enumerate(names):
            look = {"color": COLOURS[place % MOST], "marker": MARKERS[place % MOST]}
            handles[choice] = _lines(
                left, right, _curve(part, choice), look, _APART * (place - (len(names) - 1) / 2)
            )
        left.set_xlabel("words replaced or put in, $k$")
        left.set_xticks(sorted(part["k"].unique()))
        left.set_ylabel(_SIMILARITY)
        right.set_xlabel(_SIMILARITY)
        right.set_ylabel(KEPT["clip"])
        right.invert_xaxis()  # as along k
    labels = [printed.get(name, name) for name in names]
    fig.legend(list(handles.values()), labels, loc="outside lower center", ncols=min(4, len(names)))
    style.title(fig, heading)
    return fig


def _curve(rows: pd.DataFrame, choice: str) -> pd.DataFrame:
    """Numbers of one choice by k, those of prompts as they are first: columns by metric and bound."""
    own = rows[rows["choice"].isin([PLAIN, choice])]
    return own.pivot(index="k", columns="metric", values=["estimate", "low", "high"]).dropna(
        subset=[("estimate", metric) for metric in METRICS]
    )


def _lines(left: Axes, right: Axes, curve: pd.DataFrame, look: dict[str, str], apart: float) -> Line2D:
    similarity, clip = (curve.xs(metric, axis=1, level="metric") for metric in METRICS)
    x, ends = curve.index.to_numpy(dtype=float), _ends(similarity)
    how: dict[str, Any] = {"linewidth": 0.9, "markersize": 3.2, "markeredgewidth": 0, **look}
    thin: dict[str, Any] = {"color": look["color"], "linestyle": "none", "elinewidth": 0.5, "alpha": 0.7}
    moved = x + np.where(x > 0, apart, 0)
    left.plot(moved, similarity["estimate"], **how)
    left.errorbar(moved, similarity["estimate"], yerr=ends, **thin)
    right.errorbar(similarity["estimate"], clip["estimate"], xerr=ends, yerr=_ends(clip), **thin)
    return right.plot(similarity["estimate"], clip["estimate"], **how)[0]


def _ends(rows: pd.DataFrame) -> np.ndarray:
    return np.concatenate([arms(row) for _, row in rows.iterrows()], axis=1)
