"""AUC of each score against the distance at which planted labels are cut."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mmh.evaluation.names import PAIR, REFERENCE, marked
from mmh.plotting import style
from mmh.plotting.percentile import CONTRASTS
from mmh.plotting.tables import printed

_REFERENCE: Any = {"color": style.GREY, "linewidth": 1.0, "linestyle": (0, (1, 1.5))}


def cut_figure(table: pd.DataFrame, names: Mapping[str, str], title: str) -> Figure:
    """Draw a panel for each score: a line for each contrast, and bars for pairs of cuts.

    Parameters
    ----------
    table : DataFrame
        ``cuts.csv``.
    names : mapping of str to str
        Printed names of the scores.
    title : str
        Above all.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the full text block.
    """
    scores = table[table["estimator"] != REFERENCE]
    one = table["exact_distance"] == table["not_distance"]
    reference = table[one & (table["estimator"] == REFERENCE) & (table["contrast"] == "memorized")]
    of = scores.groupby("estimator", sort=False)["score_of"].first()
    columns = 2 if len(of) in (2, 4) else 3
    lines = -(-len(of) // columns)
    fig = style.figure(style.TEXT, 0.9 + 1.75 * lines)
    axes = fig.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    shown = [name for name in CONTRASTS if scores.loc[scores["contrast"] == name, "auc"].notna().any()]
    for ax, (name, score_of) in zip(axes.flat, of.items(), strict=False):
        _panel(ax, scores[scores["estimator"] == name], shown)
        ax.plot(reference["exact_distance"], reference["auc"], zorder=1, **_REFERENCE)
        ax.set_title(marked(printed(str(name), names), str(name), score_of))
    for ax in axes.flat[len(of) :]:
        ax.set_axis_off()
    for place in axes.T:
        for ax in [ax for ax in place if ax.axison][-1:]:
            ax.tick_params(labelbottom=True)
            ax.set_xlabel(r"distance of the cut ($\ell_2$)")
    for ax in axes[:, 0]:
        ax.set_ylabel("AUC")
    lowest = float(scores["auc"].min()) if scores["auc"].notna().any() else 0.5
    axes[0, 0].set_ylim(min(0.45, lowest - 0.03), 1.02)
    _legend(fig, shown, scores)
    style.title(fig, title)
    return fig


def _panel(ax: Axes, rows: pd.DataFrame, shown: list[str]) -> None:
    for name in shown:
        look, mine = CONTRASTS[name], rows[rows["contrast"] == name]
        one = mine[mine["exact_distance"] == mine["not_distance"]].sort_values("exact_distance")
        ax.fill_between(
            one["exact_distance"], one["auc_low"], one["auc_high"], color=look.colour, alpha=0.15, linewidth=0
        )
        ax.plot(
            one["exact_distance"],
            one["auc"],
            color=look.colour,
            linestyle=look.line,
            marker=look.marker,
            markersize=2.6,
            markerfacecolor="white",
            linewidth=0.9,
        )
        two = mine[(mine["exact_distance"] < mine["not_distance"]) & mine["auc"].notna()]
        for row in two.itertuples():
            ax.plot(
                [row.exact_distance, row.not_distance],
                [row.auc, row.auc],
                color=look.colour,
                marker="|",
                markersize=5,
                linewidth=1.6 if row.configured else 0.8,
                solid_capstyle="butt",
            )
            if row.configured:
                ax.plot(
                    [(row.exact_distance + row.not_distance) / 2],
                    [row.auc],
                    color=look.colour,
                    marker=look.marker,
                    markersize=4,
                )
    ax.axhline(0.5, color=style.GREY, linewidth=0.5, zorder=0)
    for cut in rows.loc[rows["configured"], ["exact_distance", "not_distance"]].iloc[:1].to_numpy().ravel():
        ax.axvline(cut, color=style.GREY, linewidth=0.6, linestyle=(0, (2, 2)), zorder=0)


def _legend(fig: Figure, shown: list[str], scores: pd.DataFrame) -> None:
    looks = [CONTRASTS[name] for name in shown]
    handles = [
        Line2D([], [], color=k.colour, linestyle=k.line, marker=k.marker, markerfacecolor="white")
        for k in looks
    ]
    texts = [look.name for look in looks]
    configured = scores[scores["configured"]]
    if len(configured):
        low, high = configured[["exact_distance", "not_distance"]].iloc[0]
        handles.append(Line2D([], [], color=style.GREY, linewidth=0.6, linestyle=(0, (2, 2))))
        texts.append(f"configured: below {low:g}, above {high:g}")
    handles.append(Line2D([], [], color=style.INK, marker="|", markersize=5, linewidth=0.8))
    texts.append("two cuts, nothing between them counted")
    handles.append(Line2D([], [], **_REFERENCE))
    texts.append(marked("the distance itself", REFERENCE, PAIR))
    fig.legend(handles, texts, loc="outside lower center", ncol=3, handlelength=3.5)
