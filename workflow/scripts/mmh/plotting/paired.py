"""Two models on the same images: LID_θ of an overfit model and of its control beside LID_* of the data."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmh.errors import InputError
from mmh.plotting import style
from mmh.stats.curves import Interval, median_interval, wilson_interval

COLUMNS = ("item", "lid_data", "lid_model", "lid_control")
MODELS = {
    "control": style.Look("control model", "#009E73", (0, (1, 1)), "^"),
    "model": style.Look("overfit model", "#D55E00", "-", "o"),
}


def read_values(path: str | Path) -> pd.DataFrame:
    """Read the values of both models at the same images.

    Parameters
    ----------
    path : path
        `paired.csv`.

    Returns
    -------
    DataFrame
        Columns `item`, `lid_data`, `lid_model`, `lid_control`.

    Raises
    ------
    InputError
        If a column is absent, or there is no image.
    """
    table = pd.read_csv(path)
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing or table.empty:
        raise InputError(
            f"{path}: needs rows and the columns {', '.join(COLUMNS)}; lacks {missing or 'rows'}"
        )
    return table[list(COLUMNS)]


def shares_below(values: pd.DataFrame, margin: float) -> dict[str, Interval]:
    """Compute the share of images with LID_θ + margin < LID_*, by model; ``verdicts.csv`` counts errors, too.

    Parameters
    ----------
    values : DataFrame
        From `read_values`.
    margin : float
        Dimensions by which LID_θ must fall short.

    Returns
    -------
    dict of Interval
        Wilson's intervals.
    """
    return {
        model: wilson_interval(int((values[f"lid_{model}"] + margin < values["lid_data"]).sum()), len(values))
        for model in MODELS
    }


def paired_figure(
    values: pd.DataFrame, margin: float, *, estimator: str, data_estimator: str, title: str
) -> Figure:
    """Draw the values as one line per image on the left, and LID_θ against LID_* on the right.

    Parameters
    ----------
    values : DataFrame
        From `read_values`.
    margin : float
        As for `shares_below`.
    estimator, data_estimator : str
        Printed names of LID_θ's and LID_*'s estimators; empty if they need no naming.
    title : str
        Above both.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the full text block.
    """
    fig = style.figure(style.TEXT, 3.3)
    left, right = fig.subplots(1, 2)
    _lines(left, values, estimator, data_estimator)
    _scatter(right, values, margin, estimator, data_estimator)
    fig.suptitle(title, fontsize=7.5)
    return fig


def _lines(ax: Axes, values: pd.DataFrame, estimator: str, data_estimator: str) -> None:
    columns = ["lid_data", "lid_control", "lid_model"]
    looks = [style.Look("data", "#0072B2", "-", "s"), *MODELS.values()]
    table = values[columns].to_numpy()
    ax.plot(range(3), table.T, color=style.GREY, alpha=0.35, linewidth=0.5, zorder=1)
    names = ["data:\n" + _symbol("*", data_estimator)]
    names += [f"{look.name}:\n" + _symbol(r"\theta", estimator) for look in looks[1:]]
    for place, look in enumerate(looks):
        middle = median_interval(table[:, place])
        ax.plot(
            np.full(len(table), place), table[:, place], ".", color=look.colour, alpha=0.4, markersize=2.5
        )
        if np.isfinite(middle.low):
            ax.vlines(place, middle.low, middle.high, color=style.INK, linewidth=2.0, zorder=4)
        ax.plot(
            place,
            middle.estimate,
            look.marker,
            color=look.colour,
            markeredgecolor=style.INK,
            markersize=5,
            zorder=5,
        )
        names[place] += "\nmedian " + style.interval(middle.estimate, middle.low, middle.high).replace(
            " [", "\n["
        )
    ax.set_xticks(range(3), names)
    ax.set_xlim(-0.45, 2.45)
    ax.axhline(0, color=style.GREY, linewidth=0.4, zorder=0)
    ax.set_ylabel("LID (dimensions)")
    ax.set_title(f"the same $n$ = {len(values)} images; median with 95 % interval")


def _scatter(ax: Axes, values: pd.DataFrame, margin: float, estimator: str, data_estimator: str) -> None:
    table = values[["lid_data", "lid_control", "lid_model"]].to_numpy()
    low, high = table.min(), table.max()
    pad = 0.06 * (high - low) or 1.0
    ends = np.array([low - pad, high + pad])
    limits = (float(ends[0]), float(ends[1]))
    ax.plot(ends, ends, color=style.INK, linewidth=0.7)
    ax.fill_between(ends, ends - margin, ends[0], color="#F0E442", alpha=0.22, linewidth=0, zorder=0)
    for model, share in shares_below(values, margin).items():
        look = MODELS[model]
        text = f"{look.name}: {_percent(share)}"
        ax.plot(
            values["lid_data"],
            values[f"lid_{model}"],
            look.marker,
            color=look.colour,
            markerfacecolor="none",
            markeredgewidth=0.8,
            label=text,
        )
    rule = (
        r"$\widehat{\mathrm{LID}}_\theta"
        + (f" + {margin:g}" if margin else "")
        + r" < \widehat{\mathrm{LID}}_*$"
    )
    ax.set_title(f"{rule} (shaded), without errors: share [95 %]")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), handletextpad=0.3)
    ax.set_xlim(limits)
    ax.set_ylim(limits)
    ax.set_xlabel(_symbol("*", data_estimator) + " (dimensions)")
    ax.set_ylabel(_symbol(r"\theta", estimator) + " (dimensions)")


def _percent(share: Interval) -> str:
    return f"{100 * share.estimate:.0f} % [{100 * share.low:.0f}, {100 * share.high:.0f}]"


def _symbol(index: str, estimator: str) -> str:
    return rf"$\widehat{{\mathrm{{LID}}}}_{index}$" + (f", {estimator}" if estimator else "")
