"""AUC of metrics of prompts against the step of sampling at which they are taken."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmh.errors import InputError
from mmh.metrics.base import METRICS
from mmh.plotting import style

STYLES = (
    ("#D55E00", "-", "o"),
    ("#0072B2", (0, (5, 1.5)), "s"),
    ("#009E73", (0, (1, 1)), "^"),
    ("#AA4499", (0, (6, 1.2, 1, 1.2)), "D"),
    ("#8a6d00", (0, (3, 1, 1, 1, 1, 1)), "v"),
    ("#56B4E9", (0, (2, 2)), "P"),
    ("#222222", (0, (8, 2)), "X"),
)
"""One for each metric of a panel."""
FEW_STEPS = 12
"""With more steps intervals are bands, with fewer bars."""
WIDEST_NOTE = 135
"""Characters of a line below the figure."""
_STRIP = {False: "published", True: "re-run"}


def check_metrics(groups: Mapping[str, Sequence[str]]) -> None:
    """Raise `InputError` where a panel has more metrics than can be told apart."""
    for name, metrics in groups.items():
        if len(metrics) > len(STYLES):
            raise InputError(
                f"figures.sharpness_detection.metrics.{name}: at most {len(STYLES)} metrics can be told "
                f"apart in a panel, there are {len(metrics)}"
            )


def by_step_figure(
    areas: pd.DataFrame,
    groups: Mapping[str, Sequence[str]],
    text: pd.Series | None,
    anchors: pd.DataFrame,
    *,
    pair: Sequence[str],
    title: str,
) -> Figure:
    """Draw a row of panels for each group of metrics, and a column for each number of generations.

    Parameters
    ----------
    areas : DataFrame
        From `mmh.detection.by_step.areas_by_step`.
    groups : mapping
        Metrics by the group in whose panels they stand.
    text : Series or None
        `estimator`, `auc`, `auc_low`, `auc_high` of the control that sees the prompts alone.
    anchors : DataFrame
        `metric`, `generations`, `auc`, `rerun`, `model`, `source`: published values at step 1.
    pair : (str, str)
        Sets of memorized and of other prompts.
    title : str
        Above all panels.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the full text block.
    """
    counts = list(dict.fromkeys(areas["generations"]))
    fig = style.figure(style.TEXT, 0.85 + 1.95 * len(groups) + 0.11 * len(anchors["source"].unique()))
    axes = fig.subplots(len(groups), len(counts), squeeze=False, sharey=True, sharex=True)
    shown = [areas["auc_low"], areas["auc"], anchors["auc"], *([] if text is None else [text["auc_low"]])]
    least = min(float(np.nanmin(np.asarray(part, dtype=float))) for part in shown if np.size(part))
    steps = int(areas["step"].max())
    for number, (line, (group, metrics)) in enumerate(zip(axes, groups.items(), strict=True)):
        looks = dict(zip(metrics, STYLES, strict=False))
        for ax, count in zip(line, counts, strict=True):
            mine = areas[areas["generations"] == count]
            of = anchors[(anchors["generations"] == count) & anchors["metric"].isin(list(metrics))]
            if text is not None:
                ax.axhspan(text["auc_low"], text["auc_high"], color=style.GREY, alpha=0.13, linewidth=0)
                ax.axhline(
                    text["auc"], color=style.GREY, linewidth=1.0, linestyle=(0, (1, 1)), label="text alone"
                )
            for metric, look in looks.items():
                _curve(ax, mine[mine["metric"] == metric], METRICS[metric].printed or metric, look)
            _marks(ax, of, looks, steps, strip=len(anchors) > 0)
            ax.axhline(0.5, color=style.INK, linewidth=0.5, zorder=0)
            ax.set_ylim(max(0.0, least - 0.04), 1.02)
            generations = "1 generation" if count == 1 else f"mean of {count} generations"
            ax.set_title(f"{group}, {generations}" if len(groups) > 1 else generations)
            if number == len(axes) - 1:
                ax.set_xlabel("step of sampling (1: noisiest)")
        line[0].set_ylabel("AUC, 95 % interval")
        line[-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=6.2)
    style.title(fig, title)
    fig.supxlabel(_note(areas, anchors, text, pair), fontsize=5.6, color=style.GREY)
    return fig


def _curve(ax: Axes, rows: pd.DataFrame, name: str, look: tuple[str, object, str]) -> None:
    colour, line, marker = look
    rows = rows.sort_values("step")
    step, auc, low, high = (rows[key].to_numpy() for key in ("step", "auc", "auc_low", "auc_high"))
    if len(rows) > FEW_STEPS:
        ax.fill_between(step, low, high, color=colour, alpha=0.14, linewidth=0)
        shown: dict[str, Any] = {"marker": marker, "markevery": (0, max(1, len(rows) // 8))}
    else:
        ax.vlines(step, low, high, color=colour, linewidth=1.0)
        shown = {"marker": marker}
    ax.plot(
        step, auc, color=colour, linestyle=line, markerfacecolor="white", markersize=3.2, label=name, **shown
    )


def _marks(
    ax: Axes,
    anchors: pd.DataFrame,
    looks: Mapping[str, tuple[str, object, str]],
    steps: int,
    *,
    strip: bool,
) -> None:
    """Published values of step 1, in a strip of their own to the left of it, if any panel has such."""
    width = 0.06 * steps
    ends = {False: 1 - 1.2 * width, True: 1 - 2.6 * width}
    ax.set_xlim(1 - 3.6 * width if strip else 1 - 0.5 * width, steps + 0.5 * width)
    ticks = [1, *range(10, steps + 1, 10)] if steps > FEW_STEPS else [*range(1, steps + 1)]
    ax.set_xticks(ticks)
    if anchors.empty:
        return
    ax.axvspan(1 - 3.6 * width, 1 - 0.5 * width, color="#fff3cd", linewidth=0, zorder=0)
    for row in anchors.itertuples():
        colour, _, marker = looks[row.metric]
        face = "white" if row.rerun else colour
        ax.plot(
            ends[row.rerun], row.auc, marker, color=colour, markerfacecolor=face, markersize=4.2, zorder=4
        )
    for rerun in sorted(set(anchors["rerun"])):
        ax.annotate(
            f"{' and '.join(dict.fromkeys(anchors['model']))}, {_STRIP[rerun]}",
            (ends[rerun], 0.03),
            xycoords=("data", "axes fraction"),
            rotation=90,
            fontsize=5.2,
            ha="center",
            va="bottom",
            color=style.INK,
        )


def _note(areas: pd.DataFrame, anchors: pd.DataFrame, text: pd.Series | None, pair: Sequence[str]) -> str:
    first = areas.iloc[0]
    counts = zip((first["n_positive"], first["n_negative"]), pair, strict=True)
    of = " and ".join(f"{n} {name}" for n, name in counts)
    lines = [
        f"Prompts: {of}; {int(areas['n_clusters'].min())} families in the class that has fewer. Bands and "
        "bars: 95 % intervals over families, step by step, given this one model."
    ]
    if text is not None:
        values = style.interval(text["auc"], text["auc_low"], text["auc_high"], 3)
        lines.append(f"Grey: what the words of the prompts alone tell, {text['estimator']} {values}.")
    for source, rows in anchors.groupby("source", sort=False):
        said = [
            f"{METRICS[row.metric].printed or row.metric} {row.auc:.3f} (n = {row.generations})"
            for row in rows.itertuples()
        ]
        model = " and ".join(dict.fromkeys(rows["model"]))
        lines.append(f"Marks, {model} at step 1, on other prompts: {', '.join(said)}: {source}.")
    return "\n".join(textwrap.fill(line, WIDEST_NOTE) for line in lines)
