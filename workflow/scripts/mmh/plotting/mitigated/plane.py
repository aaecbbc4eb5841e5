"""Mitigations side by side: similarity to the training image, what is kept of the prompt, the noise."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from mmh.errors import InputError
from mmh.mitigated.measures import EVALUATED
from mmh.mitigated.table import UNUSUAL
from mmh.plotting import style

KEPT = {"clip": "similarity of CLIP to the prompt", "correct": "share of the right class"}
NOISE = "unusual_noise"
_APART = 2.4  # points
_ENDS = ((0, -1), (1, 1))
COLOURS = ("#222222", "#D55E00", "#0072B2", "#009E73", "#AA4499", "#E69F00", "#56B4E9", "#882255", "#7d7d7d")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")


def read_rows(path: str | Path, sets: Sequence[str], kept: str, names: Sequence[str] = ()) -> pd.DataFrame:
    """Read what is drawn of ``mitigation.csv``.

    Parameters
    ----------
    path : path
        The table.
    sets : sequence of str
        Sets of prompts.
    kept : str
        ``clip`` or ``correct``.
    names : sequence of str
        Mitigations; all if empty.

    Returns
    -------
    pandas.DataFrame
        Rows of the evaluated prompts, of these sets, mitigations and the metrics that are drawn.

    Raises
    ------
    InputError
        If the table has no such numbers.
    """
    table = pd.read_csv(path)
    metrics = ["similarity", "copies", kept, NOISE, "rows"]
    rows = table[
        (table["part"] == EVALUATED) & table["prompt_set"].isin(sets) & table["metric"].isin(metrics)
    ]
    rows = rows[rows["mitigation"].isin(names)] if names else rows
    for metric in metrics:
        if not (rows["metric"] == metric).any():
            raise InputError(f"{path}: no evaluated prompts of {', '.join(sets)} have the metric '{metric}'")
    return rows.reset_index(drop=True)


def figure(rows: pd.DataFrame, sets: Sequence[str], kept: str, heading: str) -> Figure:
    """Draw a panel for each set of prompts, and one of the noises.

    Parameters
    ----------
    rows : pandas.DataFrame
        From `read_rows`.
    sets, kept
        As for `read_rows`.
    heading : str
        Title.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the text block.
    """
    names = list(dict.fromkeys(rows["mitigation"]))
    looks = {name: (COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]) for i, name in enumerate(names)}
    fig = style.figure(style.TEXT, 1.5 + 0.17 * max(len(names), 7))
    axes = fig.subplots(1, len(sets) + 1, width_ratios=[1.0] * len(sets) + [0.9])
    for ax, name in zip(axes, sets, strict=False):
        part = rows[rows["prompt_set"] == name]
        n = int(part.loc[part["metric"] == "similarity", "n_clusters"].max())
        ax.set_title(f"{name} prompts ($n$ = {n} families)")
        _plane(ax, part, looks, kept)
        ax.set_xlabel("similarity to the training image")
    axes[0].set_ylabel(KEPT[kept])
    _noises(axes[-1], rows[rows["prompt_set"] == sets[0]], looks)
    style.title(fig, heading)
    return fig


def _plane(ax: Axes, rows: pd.DataFrame, looks: dict[str, tuple[str, str]], kept: str) -> None:
    for place, (name, (colour, marker)) in enumerate(looks.items()):
        found = rows[rows["mitigation"] == name].set_index("metric")
        # Where all keep as much, marks would lie on one line: they are moved apart by points.
        apart = ScaledTranslation(0, _APART * ((len(looks) - 1) / 2 - place) / 72, ax.figure.dpi_scale_trans)
        if not {"similarity", kept} <= set(found.index):
            continue
        x, y = found.loc["similarity"], found.loc[kept]
        ax.errorbar(
            x["estimate"],
            y["estimate"],
            xerr=arms(x),
            yerr=arms(y),
            color=colour,
            marker=marker,
            markersize=4.5,
            linewidth=0.8,
            markeredgecolor="white",
            markeredgewidth=0.5,
            transform=ax.transData + apart,
        )
        corners = [[row["estimate"] + sign * arms(row)[side, 0] for row in (x, y)] for side, sign in _ENDS]
        ax.update_datalim(corners)  # what is moved apart isn't counted
    ax.margins(0.06, 0.12)
    ax.autoscale_view()


def _noises(ax: Axes, rows: pd.DataFrame, looks: dict[str, tuple[str, str]]) -> None:
    labels = []
    for place, (name, (colour, marker)) in enumerate(looks.items()):
        found = rows[rows["mitigation"] == name].set_index("metric")
        row = found.loc[NOISE]
        ax.errorbar(
            row["estimate"],
            place,
            xerr=arms(row),
            color=colour,
            marker=marker,
            markersize=4.5,
            linewidth=0.8,
        )
        labels.append(f"{name} ({found.loc['rows', 'estimate']:.0f})")
    ax.axvline(UNUSUAL, color=style.GREY, linewidth=0.8, linestyle=(0, (3, 2)))
    ax.set_yticks(range(len(labels)), labels)
    ax.invert_yaxis()
    ax.set_xlim(-0.03, 1.03)
    ax.set_xlabel(f"share of noises with $p$ < {UNUSUAL:g}")
    ax.set_title("first noise (network rows)")


def arms(row: pd.Series) -> np.ndarray:
    """Distances to both ends of an interval; none where the data give no interval."""
    if not np.isfinite(row["low"] + row["high"]):
        return np.zeros((2, 1))
    return np.array([[row["estimate"] - row["low"]], [row["high"] - row["estimate"]]]).clip(min=0)
