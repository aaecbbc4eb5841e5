"""Ratios of the two sides of identities between score and Hessian, over the noise level."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from mmh.plotting import style

TITLES = {
    "a": r"(a)  $\mathrm{E}\,\|s\|^2 \;/\; -\mathrm{E}\,\mathrm{tr}\,H$",
    "c": r"(c)  $\mathrm{E}\,\|Hs\|^2 \;/\; -\mathrm{E}\,\mathrm{tr}\,H^3$",
}
NOTES = {"a": "1 for any law", "c": "1 for a Gaussian law"}
SCORES = {
    "exact": style.Look("exact score of the law", "#0072B2", (0, (5, 1.5)), "s"),
    "learned": style.Look("learned score", "#D55E00", "-", "o"),
}
_REACH = (0.1, 10.0)  # what lies beyond leaves the panel; the table has it
_TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
_WIDE = 5.0


def identities_figure(table: pd.DataFrame, title: str) -> Figure:
    """Draw a panel for each identity.

    Parameters
    ----------
    table : DataFrame
        From `mmh.landscape.measuring.measure_identities`.
    title : str
        Above all.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the full text block.
    """
    fig = style.figure(style.TEXT, 2.6)
    axes = fig.subplots(1, 2)
    for ax, (identity, name) in zip(axes, TITLES.items(), strict=True):
        mine = table[table["identity"] == identity]
        ax.axhline(1.0, color=style.GREY, linewidth=0.7, zorder=0)
        for of, look in SCORES.items():
            rows = mine[mine["of"] == of].sort_values("noise")
            if rows.empty:
                continue
            shift = 1.03 if of == "exact" else 1 / 1.03  # side by side, so that neither bar hides the other
            below, above = rows["ratio"] - rows["low"], rows["high"] - rows["ratio"]
            ax.errorbar(
                rows["noise"] * shift,
                rows["ratio"],
                yerr=np.nan_to_num(np.stack([below, above])),
                color=look.colour,
                linestyle=look.line,
                marker=look.marker,
                capsize=1.8,
                elinewidth=0.8,
                label=look.name,
            )
        ax.set_xscale("log")
        ax.set_yscale("log")
        shown = mine[["low", "high", "ratio"]].to_numpy()
        shown = np.clip(shown[shown > 0], *_REACH)
        low, high = min(shown.min(), 0.8) / 1.06, max(shown.max(), 1.25) * 1.06
        ax.set_ylim(low, high)
        ticks = _TICKS if high / low < _WIDE else _TICKS[::2]
        ax.set_yticks([tick for tick in ticks if low <= tick <= high])
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.set_title(f"{name}:  {NOTES[identity]}")
        ax.set_xlabel(r"noise $\sigma / \psi$")
    axes[0].set_ylabel("ratio of the two sides")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncol=2)
    fig.suptitle(title, fontsize=7.5)
    return fig
