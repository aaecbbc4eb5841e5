"""Shares of samples that definitions of copying find, group by group."""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmh.copying.definitions import C_T, FOUND
from mmh.plotting import style

AGAINST = {
    "law": "law with its repeated items",
    "unseen": "law without them",
    "distinct": "training items, each once",
    "all": "training items, repeated ones too",
}
GROUPS = {
    **{name: look.name.replace(" ", "\n") for name, look in style.LABELS.items()},
    "isolated": "near $x_0$\n(overfitted)",
    "centre": "centre\n(repeated)",
    "arc": "arc\n(not memorized)",
}
_COLOURS = {
    **{name: look.colour for name, look in style.LABELS.items()},
    "isolated": style.LABELS["exact"].colour,
    "centre": style.LABELS["reconstructive"].colour,
    "arc": style.LABELS["not_memorized"].colour,
}


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """Choose the rows that are drawn: shares of the groups that are compared, and C_T.

    Parameters
    ----------
    table : DataFrame
        ``definitions.csv``.

    Returns
    -------
    DataFrame
        The same columns.
    """
    table = table.assign(compared_with=table["compared_with"].fillna(""))
    found = (table["statistic"] == FOUND) & table["group"].isin(list(GROUPS))
    return table[found | (table["statistic"] == C_T)].reset_index(drop=True)


def found_figure(table: pd.DataFrame, title: str) -> Figure:
    """Draw a panel for each group, a line for each definition, and C_T beside them.

    Parameters
    ----------
    table : DataFrame
        From `shown`.
    title : str
        Above all.

    Returns
    -------
    matplotlib.figure.Figure
        The full text block wide.
    """
    shares, tests = (table[table["statistic"] == statistic] for statistic in (FOUND, C_T))
    lines = list(dict.fromkeys(zip(shares["definition"], shares["compared_with"], strict=True)))
    groups = [group for group in GROUPS if (shares["group"] == group).any()]
    fig = style.figure(style.TEXT, 0.9 + 0.29 * len(lines))
    axes = fig.subplots(1, len(groups) + 1, squeeze=False, width_ratios=[1.0] * len(groups) + [0.8])[0]
    for ax, group in zip(axes, groups, strict=False):
        rows = shares[shares["group"] == group]
        _shares(ax, rows, lines, _COLOURS[group])
        ax.set_title(f"{GROUPS[group]}\n$n$ = {int(rows['n'].iloc[0])}")
        ax.set_yticks(range(len(lines)), [])
    axes[0].set_yticks(range(len(lines)), [_name(*line, shares) for line in lines])
    axes[len(groups) // 2].set_xlabel("share found")
    _tests(axes[-1], tests)
    fig.suptitle(title, fontsize=7.5)
    return fig


def _name(definition: str, against: str, shares: pd.DataFrame) -> str:
    if against:
        return f"{definition}\n{AGAINST[against]}"
    limit = shares.loc[shares["definition"] == definition, "limit"].iloc[0]
    return f"{definition}\nat most {limit:g} dimensions"


def _shares(ax: Axes, rows: pd.DataFrame, lines: list[tuple[str, str]], colour: str) -> None:
    place = [lines.index(key) for key in zip(rows["definition"], rows["compared_with"], strict=True)]
    ax.barh(place, rows["value"], height=0.55, color=colour, alpha=0.35, linewidth=0)
    wide = [rows["value"] - rows["low"], rows["high"] - rows["value"]]
    ax.errorbar(rows["value"], place, xerr=wide, fmt="o", color=colour, markersize=2.6, elinewidth=0.8)
    for y, row in zip(place, rows.itertuples(), strict=True):
        right = row.high < 0.7
        at, side = (row.high + 0.05, "left") if right else (row.low - 0.05, "right")
        ax.text(at, y, f"{row.value:.2f}", ha=side, va="center_baseline", fontsize=5.8)
    ax.set_xlim(-0.03, 1.03)
    ax.set_ylim(len(lines) - 0.4, -0.6)
    ax.set_xticks([0, 0.5, 1], ["0", ".5", "1"])


def _tests(ax: Axes, tests: pd.DataFrame) -> None:
    ax.set_title("Meehan et al.: $C_T$\nof the whole model")
    ax.axvline(0, color=style.GREY, linewidth=0.6)
    top = 1.25 * max(3.0, float(tests[["low", "high"]].abs().fillna(0).to_numpy().max(initial=0.0)))
    for y, row in enumerate(tests.itertuples()):
        margin = row.high - row.value
        ax.errorbar([row.value], [y], xerr=[[margin], [margin]], fmt="o", color=style.INK, markersize=2.6)
        said = style.minus(f"{row.value:.1f}") if math.isfinite(row.value) else "too few samples"
        ax.text(
            0.5,
            y - 0.12,
            f"test set:\n{AGAINST[row.compared_with]}\n{said}",
            ha="center",
            va="bottom",
            fontsize=5.8,
            transform=ax.get_yaxis_transform(),
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        )
    ax.set_xlim(-top, top)
    ax.set_ylim(len(tests) - 0.5, -0.9)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("nearer $\\leftarrow$ $C_T$ $\\rightarrow$ farther", fontsize=6.2)
