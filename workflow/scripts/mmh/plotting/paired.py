"""Two models on the same images: LID_θ of an overfit model and of its control beside LID_* of the data."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmh.errors import InputError
from mmh.plotting import style
from mmh.plotting.tables import single
from mmh.stats import Interval, median_interval, wilson_interval

MODELS = {
    "control": style.Look("control model", "#009E73", (0, (1, 1)), "^"),
    "overfit": style.Look("overfit model", "#D55E00", "-", "o"),
}


def paired_values(
    overfit: pd.DataFrame,
    overfit_train: pd.DataFrame,
    control: pd.DataFrame,
    control_train: pd.DataFrame,
    *,
    estimator: str,
    data_estimator: str,
    items: str,
) -> pd.DataFrame:
    """Bring LID_* and both models' LID_θ together, one row per training image of the overfit model.

    Parameters
    ----------
    overfit, control : DataFrame
        All scores of the two experiments.
    overfit_train, control_train : DataFrame
        The two training tables; `source` tells which of their images are the same.
    estimator, data_estimator : str
        Names of LID_θ in both experiments, and of LID_* in the control's.
    items : str
        The control's name for the overfit model's training images. An estimator that did not run on this
        image set is looked up on the control's own training images, through the source image.

    Returns
    -------
    DataFrame
        Columns `item`, `source`, `lid_data`, `lid_control`, `lid_overfit`.

    Raises
    ------
    InputError
        If an image lacks one of the three.
    """
    images = overfit_train[["train", "source"]].rename(columns={"train": "item"}).sort_values("item")
    places = control_train.drop_duplicates("source").set_index("source")["train"]
    images["place"] = places.reindex(images["source"]).to_numpy()
    images["lid_data"] = _at(control, data_estimator, images, items)
    images["lid_control"] = _at(control, estimator, images, items)
    images["lid_overfit"] = _at(overfit, estimator, images.assign(place=images["item"]), "train")
    return images[["item", "source", "lid_data", "lid_control", "lid_overfit"]].reset_index(drop=True)


def _at(scores: pd.DataFrame, estimator: str, images: pd.DataFrame, items: str) -> np.ndarray:
    """Scores of the images: on `items` by their own ids where the estimator ran there, else on `train`."""
    ran = ((scores["estimator"] == estimator) & (scores["items"] == items)).any()
    values = single(scores, estimator, items if ran else "train").set_index("item")["value"]
    found = values.reindex(images["item" if ran else "place"]).to_numpy(float)
    if np.isnan(found).any():
        missing = images["source"].to_numpy()[np.isnan(found)]
        raise InputError(
            f"'{estimator}' lacks {len(missing)} of the images, first the one of source {missing[0]}"
        )
    return found


def verdicts(values: pd.DataFrame, margin: float) -> dict[str, Interval]:
    """Compute the share of images with LID_θ + margin < LID_*, by model.

    Parameters
    ----------
    values : DataFrame
        From `paired_values`.
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
        From `paired_values`.
    margin : float
        As for `verdicts`.
    estimator, data_estimator : str
        Printed names.
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
    columns = ["lid_data", "lid_control", "lid_overfit"]
    looks = [style.Look("data", "#0072B2", "-", "s"), *MODELS.values()]
    table = values[columns].to_numpy()
    ax.plot(range(3), table.T, color=style.GREY, alpha=0.35, linewidth=0.5, zorder=1)
    names = [r"data: $\widehat{\mathrm{LID}}_*$" + f"\n{data_estimator}"]
    names += [f"{look.name}:\n" + r"$\widehat{\mathrm{LID}}_\theta$" for look in looks[1:]]
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
    ax.set_title(f"the same $n$ = {len(values)} images; {estimator}")


def _scatter(ax: Axes, values: pd.DataFrame, margin: float, estimator: str, data_estimator: str) -> None:
    table = values[["lid_data", "lid_control", "lid_overfit"]].to_numpy()
    low, high = table.min(), table.max()
    pad = 0.06 * (high - low) or 1.0
    ends = np.array([low - pad, high + pad])
    limits = (float(ends[0]), float(ends[1]))
    ax.plot(ends, ends, color=style.INK, linewidth=0.7)
    ax.fill_between(ends, ends - margin, ends[0], color="#F0E442", alpha=0.22, linewidth=0, zorder=0)
    for model, share in verdicts(values, margin).items():
        look = MODELS[model]
        text = f"{look.name}: OD-Mem {_percent(share)}"
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
    ax.set_title(f"OD-Mem: {rule} (shaded), share [95 %]")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), handletextpad=0.3)
    ax.set_xlim(limits)
    ax.set_ylim(limits)
    ax.set_xlabel(rf"$\widehat{{\mathrm{{LID}}}}_*$, {data_estimator} (dimensions)")
    ax.set_ylabel(rf"$\widehat{{\mathrm{{LID}}}}_\theta$, {estimator} (dimensions)")


def _percent(share: Interval) -> str:
    return f"{100 * share.estimate:.0f} % [{100 * share.low:.0f}, {100 * share.high:.0f}]"
