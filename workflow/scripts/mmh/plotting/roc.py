"""ROC curves of detectors of memorized prompts, with their bands."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes

from mmh.plotting import style


def draw_curves(
    ax: Axes, table: pd.DataFrame, looks: Mapping[str, style.Look], counts: Sequence[int]
) -> None:
    """Draw curves with their bands.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    table : DataFrame
        From `mmh.stats.roc.roc_table`.
    looks : mapping
        Detectors in the order of the legend, and how each is drawn.
    counts : (positive, negative)
        Prompts of each class.
    """
    for name, look in looks.items():
        mine = table[table["detector"] == name]
        ax.fill_between(
            mine["fpr"], mine["low"], mine["high"], step="post", color=look.colour, alpha=0.15, linewidth=0
        )
        ax.step(
            mine["fpr"], mine["tpr"], where="post", color=look.colour, linestyle=look.line, label=look.name
        )
    ax.plot([0, 1], [0, 1], color=style.GREY, linewidth=0.5, zorder=0)
    ax.set_xlim(-0.01, 1.01)
    ax.set_ylim(-0.01, 1.01)
    ax.set_aspect("equal")
    ax.set_xlabel(f"false-positive rate ($n$ = {counts[1]})")
    ax.set_ylabel(f"true-positive rate ($n$ = {counts[0]})")
    # Below: no corner is free of a weak control's curve and its band.
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2))
