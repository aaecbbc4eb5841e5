"""FLIPD against the noise level t, on the samples that are kept for choosing t0."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmh.evaluation.levels import FLAT, flat_from
from mmh.evaluation.selection import medians
from mmh.plotting import style
from mmh.plotting.groups import CLUSTER
from mmh.stats.areas import area_interval, left_out_areas

_CONTROL = "not_memorized"
FLAT_FROM, CHOSEN = "flat from", "chosen"
COLUMNS = ("quantity", "label", "t", "n", "estimate", "low", "high", "lower_quartile", "upper_quartile")


def curve_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Compute both curves: FLIPD by label and t, and the AUC of low FLIPD for each kind of memorization.

    Parameters
    ----------
    frame : DataFrame
        Columns `item`, `label`, `cluster`, `t`, `value`; every item has every t.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`. `quantity` is `flipd` (median, its interval, quartiles; `n` samples) or `auc`
        (against `not_memorized`; `n` counts both classes); intervals are over clusters. The last row,
        `FLAT_FROM`, has the level that the rule of docs/estimators.md would take: `t` from which on the curve
        of `label`, the group that lies lowest, moves by at most `estimate` dimensions up to twice t; empty if
        none.
    """
    spread = medians(frame, ["label", "t"], clusters=CLUSTER).rename(columns={"median": "estimate"})
    parts = [spread.assign(quantity="flipd")]
    wide = frame.pivot(index="item", columns="t", values="value").sort_index()
    about = frame.drop_duplicates("item").set_index("item").loc[wide.index]
    for label in style.LABELS:
        rows = about["label"].isin([label, _CONTROL]).to_numpy()
        positive = about["label"].to_numpy()[rows] == label
        if label == _CONTROL or positive.all() or not positive.any():
            continue
        left_out = left_out_areas(-wide.to_numpy()[rows], positive, about[CLUSTER].to_numpy()[rows])
        areas = [area_interval(left_out, k) for k in range(wide.shape[1])]
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
    lowest = str(spread.groupby("label")["estimate"].mean().idxmin())
    mine = spread[spread["label"] == lowest].sort_values("t")
    flat = {"quantity": FLAT_FROM, "label": lowest, "estimate": FLAT, "n": int(mine["n"].iloc[0])}
    parts.append(pd.DataFrame([flat | {"t": flat_from(mine["t"], mine["estimate"])}]))
    return pd.concat(parts, ignore_index=True).reindex(columns=list(COLUMNS))


def curve_figure(numbers: pd.DataFrame, chosen: float, *, title: str) -> Figure:
    """Draw FLIPD by label on the left and the AUC on the right, with t0 and the rule's level marked in both.

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
    rule = float(numbers.loc[numbers["quantity"] == FLAT_FROM, "t"].iloc[0])
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
        style.above(ax, chosen, f"$t_0$ = {chosen:.3g}" + (", rule" if np.isclose(rule, chosen) else ""))
        if np.isfinite(rule) and not np.isclose(rule, chosen):
            ax.axvline(rule, color=style.INK, linewidth=0.8, linestyle=(0, (1, 2)), zorder=0)
            style.above(ax, rule, f"rule: {rule:.3g}")
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
