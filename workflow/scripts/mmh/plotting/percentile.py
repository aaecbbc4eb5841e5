"""AUC of a spectral LID against the percentile of its pooled threshold, and the medians behind it."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmh.errors import InputError
from mmh.evaluation.percentiles import COLUMNS, LOG_VOLUME
from mmh.plotting import style

CONTRASTS = {
    "exact": style.LABELS["exact"],
    "reconstructive": style.LABELS["reconstructive"],
    "memorized": style.Look("memorized, both kinds", style.INK, (0, (4, 1, 1, 1)), "D"),
}
"""The contrasts of `mmh.evaluation.samples`, each against `not_memorized`, and how they are drawn."""


def read_sweep(path: str | Path) -> pd.DataFrame:
    """Read the table of a sweep.

    Parameters
    ----------
    path : path
        `percentiles.csv`, see `mmh.evaluation.percentiles.sweep`.

    Returns
    -------
    DataFrame
        Columns `mmh.evaluation.percentiles.COLUMNS`.

    Raises
    ------
    InputError
        If columns differ.
    """
    table = pd.read_csv(path)
    if list(table.columns) != list(COLUMNS):
        raise InputError(f"{path}: expected the columns {list(COLUMNS)}, found {list(table.columns)}")
    return table


def percentile_figure(table: pd.DataFrame, paper: float, *, estimator: str, title: str) -> Figure:
    """Draw the AUC above, the medians of LID below, and what the paper's percentile gives in words.

    Parameters
    ----------
    table : DataFrame
        From `read_sweep`; without rows where nothing is labelled.
    paper : float
        The paper's percentile, marked in both panels.
    estimator : str
        Printed name of the estimator.
    title : str
        Above all.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the full text block.
    """
    fig = style.figure(style.TEXT, 5.4)
    upper, lower, foot = fig.subplots(3, 1, height_ratios=[3, 2, 0.9])
    swept = table[table["percentile"].notna()]
    volume = table[table["estimator"].astype(str).str.endswith(LOG_VOLUME)]
    present = [name for name in CONTRASTS if (swept["contrast"] == name).any()]
    cells = []
    for name in present:
        look = CONTRASTS[name]
        mine = swept[swept["contrast"] == name].sort_values("percentile")
        flat = volume[volume["contrast"] == name].iloc[0]
        upper.fill_between(
            mine["percentile"], mine["auc_low"], mine["auc_high"], color=look.colour, alpha=0.15, linewidth=0
        )
        _line(upper, mine["percentile"], mine["auc"], look)
        upper.axhline(flat["auc"], color=look.colour, linewidth=0.8, linestyle=look.line, zorder=1)
        upper.plot(100, flat["auc"], look.marker, color=look.colour, clip_on=False)
        cells.append(_in_words(mine, flat, paper, look.name))
    for label, look in style.LABELS.items():
        x, y = _medians(swept, present, label)
        if len(x):
            _line(lower, x, y, look)
    if not present:
        upper.text(
            0.5, 0.7, "no labelled samples to compare", ha="center", va="center", transform=upper.transAxes
        )
    upper.axhline(0.5, color=style.GREY, linewidth=0.5, zorder=0)
    upper.set_ylabel("AUC of low LID\nagainst not memorized")
    upper.set_ylim(top=1.02)
    upper.set_title(f"{estimator}", pad=12)
    lower.set_ylabel("median LID (dimensions)")
    lower.set_xlabel("percentile of the pooled singular values")
    for ax in (upper, lower):
        ax.set_xlim(0, 100)
        ax.set_xticks([0, 20, 40, 60, 80, 100], None if ax is lower else [])
        ax.axvline(paper, color=style.INK, linewidth=0.8, linestyle=(0, (2, 2)), zorder=0)
    style.above(upper, paper, f"paper: {paper:g}")
    _legend(lower, present)
    _table(foot, cells, paper)
    style.title(fig, title)
    return fig


def _line(ax: Axes, x: pd.Series, y: pd.Series, look: style.Look) -> None:
    ax.plot(x, y, color=look.colour, linestyle=look.line, marker=look.marker, markerfacecolor="white")


def _medians(swept: pd.DataFrame, present: list[str], label: str) -> tuple[pd.Series, pd.Series]:
    """Medians of one class: of a contrast's positives, or of the negatives, which all contrasts share."""
    positive = label in CONTRASTS
    contrast = label if positive else next(iter(present), "")
    mine = swept[swept["contrast"] == contrast].sort_values("percentile")
    return mine["percentile"], mine["median_positive" if positive else "median_negative"]


def _in_words(mine: pd.DataFrame, flat: pd.Series, paper: float, name: str) -> tuple[str, ...]:
    """AUC at the paper's percentile, at the best one, and of the log-volume."""
    at = mine[np.isclose(mine["percentile"], paper)]
    best = mine.loc[mine["auc"].idxmax()]
    counts = f"{flat['n_positive']:.0f} / {flat['n_negative']:.0f}"
    default = _interval(at.iloc[0]) if len(at) else "not swept"
    # Without an interval: the largest of many is larger than it would be on other samples.
    return name, counts, default, f"{best['auc']:.2f} at {best['percentile']:g}", _interval(flat)


def _interval(row: pd.Series) -> str:
    return style.interval(row["auc"], row["auc_low"], row["auc_high"], 2)


def _table(ax: Axes, rows: list[tuple[str, ...]], paper: float) -> None:
    ax.set_axis_off()
    ax.set_xlim(0, 1)
    ax.set_ylim(len(CONTRASTS) + 0.9, -0.7)
    heads = (
        "AUC of low LID",
        "$n$ / not memorized",
        f"at {paper:g} (paper)",
        "largest, picked here",
        "log-volume",
    )
    places = (0.0, 0.26, 0.43, 0.62, 0.83)
    for line, texts in enumerate([heads, *rows]):
        for place, text in zip(places, texts, strict=True):
            ax.text(place, line, text, va="center", fontsize=6.2)
    ax.axhline(0.5, color=style.INK, linewidth=0.5)
    note = (
        f"The paper's {paper:g} is the default. Bands and brackets: 95 % intervals over matched groups. "
        "Across, filled mark: log-volume."
    )
    ax.text(places[0], len(CONTRASTS) + 1, note, fontsize=6.2, color=style.GREY, va="center")


def _legend(ax: Axes, present: list[str]) -> None:
    looks = [CONTRASTS[name] for name in present] + ([style.LABELS["not_memorized"]] if present else [])
    handles = [
        ax.plot([], [], color=k.colour, linestyle=k.line, marker=k.marker, markerfacecolor="white")[0]
        for k in looks
    ]
    if handles:
        ax.legend(
            handles,
            [look.name for look in looks],
            loc="upper center",
            bbox_to_anchor=(0.5, -0.24),
            ncol=4,
            handlelength=4.0,
        )
