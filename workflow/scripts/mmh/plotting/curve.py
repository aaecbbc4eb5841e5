"""FLIPD against the noise level t, on the samples that are kept for choosing t0."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmh.evaluation.selection import medians
from mmh.plotting import style
from mmh.stats.curves import cluster_bootstrap, percentile_interval

_CONTROL = "not_memorized"
COLUMNS = ("quantity", "label", "t", "n", "estimate", "low", "high", "lower_quartile", "upper_quartile")


def curve_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Compute both curves: FLIPD by label and t, and the AUC of low FLIPD for each kind of memorization.

    Parameters
    ----------
    frame : DataFrame
        Columns `item`, `label`, `train`, `t`, `value`; every item has every t.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`. `quantity` is `flipd` (median, its interval, quartiles; `n` samples) or `auc`
        (against `not_memorized`, with bootstrap interval over matches; `n` counts both classes).
    """
    spread = medians(frame, ["label", "t"], clusters="train").rename(columns={"median": "estimate"})
    parts = [spread.assign(quantity="flipd")]
    wide = frame.pivot(index="item", columns="t", values="value").sort_index()
    about = frame.drop_duplicates("item").set_index("item").loc[wide.index]
    for label in style.LABELS:
        rows = about["label"].isin([label, _CONTROL]).to_numpy()
        positive = about["label"].to_numpy()[rows] == label
        if label == _CONTROL or positive.all() or not positive.any():
            continue
        draws = cluster_bootstrap(-wide.to_numpy()[rows], positive, about["train"].to_numpy()[rows])
        areas = [
            percentile_interval(area, draws.auc_resampled[:, k], len(positive))
            for k, area in enumerate(draws.auc)
        ]
        parts.append(
            pd.DataFrame(
                {
                    "quantity": "auc",
                    "label": label,
                    "t": wide.columns.to_numpy(float),
                    "n": len(positive),
                    "estimate": [a.estimate for a in areas],
                    "low": [a.low for a in areas],
                    "high": [a.high for a in areas],
                }
            )
        )
    return pd.concat(parts, ignore_index=True).reindex(columns=list(COLUMNS))


def curve_figure(numbers: pd.DataFrame, chosen: float, *, title: str) -> Figure:
    """Draw FLIPD by label on the left and the AUC on the right, with the chosen t0 marked in both.

    Parameters
    ----------
    numbers : DataFrame
        From `curve_numbers`.
    chosen : float
        The t0 in use.
    title : str
        Above both.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the full text block.
    """
    fig = style.figure(style.TEXT, 3.2)
    left, right = fig.subplots(1, 2)
    for shift, (label, look) in enumerate(style.LABELS.items(), start=-1):
        mine = numbers[numbers["label"] == label]
        flipd, area = (mine[mine["quantity"] == quantity] for quantity in ("flipd", "auc"))
        factor = 1.02**shift  # apart, so that bars of different labels do not hide each other
        if len(flipd):
            left.fill_between(
                flipd["t"],
                flipd["lower_quartile"],
                flipd["upper_quartile"],
                color=look.colour,
                alpha=0.2,
                linewidth=0,
            )
            _line(left, flipd, look, factor, f"{look.name}, $n$ = {flipd['n'].iloc[0]}")
        if len(area):
            _line(right, area, look, factor, f"{look.name} against not, $n$ = {area['n'].iloc[0]}")
    left.axhline(0, color=style.GREY, linewidth=0.5, zorder=0)
    left.set_ylabel("FLIPD (dimensions)")
    left.set_title("median with 95 % interval; band: quartiles", pad=12)
    right.axhline(0.5, color=style.GREY, linewidth=0.5, zorder=0)
    right.set_ylabel("AUC of low FLIPD")
    right.set_title("AUC with 95 % interval", pad=12)
    right.set_ylim(top=1.02)
    for ax in (left, right):
        ax.set_xscale("log")
        ax.axvline(chosen, color=style.INK, linewidth=0.8, linestyle=(0, (4, 2)), zorder=0)
        style.above(ax, chosen, f"$t_0$ = {chosen:.3g}")
        ax.set_xlabel("noise level $t$ (1 = pure noise)")
        ticks = [t for t in (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0) if _inside(t, numbers["t"])]
        ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
        ax.minorticks_off()
        if ax.get_legend_handles_labels()[0]:
            ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17))
    fig.suptitle(title, fontsize=7.5)
    return fig


def _line(ax: Axes, rows: pd.DataFrame, look: style.Look, factor: float, name: str) -> None:
    reach = np.abs(rows[["low", "high"]].to_numpy(float).T - rows["estimate"].to_numpy(float))
    ax.errorbar(
        rows["t"] * factor,
        rows["estimate"],
        yerr=np.nan_to_num(reach),
        color=look.colour,
        linestyle=look.line,
        marker=look.marker,
        markerfacecolor="white",
        elinewidth=0.8,
        capsize=1.5,
        label=name,
    )


def _inside(t: float, levels: pd.Series) -> bool:
    return bool(levels.min() / 1.1 <= t <= levels.max() * 1.1)
