"""What attacks of growing budget bring back past each mitigation, beside chance."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmh.errors import InputError
from mmh.plotting import style
from mmh.plotting.mitigated.plane import COLOURS, MARKERS, arms

ACROSS = 3
_APART = 1.06  # of a budget, so that intervals do not hide each other
_METRIC = "reached"


def read_rows(path: str | Path, sets: Sequence[str], names: Sequence[str] = ()) -> pd.DataFrame:
    """Read what is drawn of ``re_elicitation.csv``.

    Parameters
    ----------
    path : path
        The table.
    sets : sequence of str
        Sets of prompts, the control last.
    names : sequence of str
        Mitigations; all if empty.

    Returns
    -------
    pandas.DataFrame
        Rows of the shares of prompts that are brought back.

    Raises
    ------
    InputError
        If a set or a mitigation has none.
    """
    table = pd.read_csv(path)
    rows = table[(table["metric"] == _METRIC) & table["prompt_set"].isin(sets)]
    for column, what, wanted in (
        ("mitigation", "mitigation", names),
        ("prompt_set", "set of prompts", sets),
    ):
        for name in wanted:
            if not (rows[column] == name).any():
                raise InputError(f"{path}: has no attacks of the {what} '{name}'")
    return (rows[rows["mitigation"].isin(names)] if names else rows).reset_index(drop=True)


def figure(rows: pd.DataFrame, sets: Sequence[str], printed: Mapping[str, str], heading: str) -> Figure:
    """Draw a panel for each mitigation, a line for each set of prompts.

    Parameters
    ----------
    rows : pandas.DataFrame
        From `read_rows`.
    sets : sequence of str
        The control last: it is drawn in grey.
    printed : mapping of str to str
        Printed name of each mitigation.
    heading : str
        Title.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the text block.
    """
    names = list(dict.fromkeys(rows["mitigation"]))
    lines = -(-len(names) // ACROSS)
    fig = style.figure(style.TEXT, 0.7 + 1.75 * lines)
    axes = fig.subplots(lines, min(ACROSS, len(names)), squeeze=False, sharex=True, sharey=True)
    handles = {}
    for place, (ax, name) in enumerate(zip(axes.flat, names, strict=False)):
        own = rows[rows["mitigation"] == name]
        for number, prompts in enumerate(sets):
            last = number == len(sets) - 1
            look = (style.GREY, "s") if last else (COLOURS[number + 1], MARKERS[0])
            handles[prompts] = _line(ax, own[own["prompt_set"] == prompts], look, number)
        ax.set_title(f"{printed.get(name, name)}{_verdict(own)}")
        ax.set_xscale("symlog", linthresh=1, linscale=0.4)
        budgets = sorted(rows["budget"].unique())
        ax.set_xticks(budgets, [str(one) for one in budgets])
        ax.minorticks_off()
        ax.set_xlim(-0.3, 1.4 * max(budgets))
        ax.set_ylim(-0.03, 1.03)
        if place % ACROSS == 0:
            ax.set_ylabel("share of prompts\nbrought back")
        if place + ACROSS >= len(names):
            ax.tick_params(labelbottom=True)
            ax.set_xlabel("steps of the attack")
    for ax in axes.flat[len(names) :]:
        ax.set_axis_off()
    labels = [f"{name} prompts" for name in sets[:-1]] + [f"{sets[-1]} prompts: chance"]
    fig.legend([handles[name] for name in sets], labels, loc="outside lower center", ncols=len(sets))
    style.title(fig, heading)
    return fig


def _line(ax: Axes, rows: pd.DataFrame, look: tuple[str, str], number: int) -> Any:
    at = rows.sort_values("budget")
    x = at["budget"].to_numpy(dtype=float)
    x = np.where(x > 0, x * _APART**number, 0.04 * number)
    ends = np.concatenate([arms(row) for _, row in at.iterrows()], axis=1)
    how: dict[str, Any] = {
        "color": look[0],
        "elinewidth": 0.6,
        "linewidth": 0.9,
        "marker": look[1],
        "markersize": 3.2,
    }
    return ax.errorbar(x, at["estimate"], yerr=ends, **how)


def _verdict(rows: pd.DataFrame) -> str:
    """The verdict of the largest budget that tells anything, with that budget."""
    said = rows[rows["verdict"].notna() & (rows["verdict"] != "no room")].sort_values("budget")
    if not len(said):
        return ""
    last = said.iloc[-1]
    return f"\n{last['verdict']} at {int(last['budget'])} steps"
