"""Estimates of LID against the truth, law by law: the mean estimate and the mean absolute error over t0."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from mmh.plotting import style

COLUMNS = (
    "panel",
    "law",
    "ambient",
    "estimator",
    "score",
    "t",
    "sigma",
    "lid",
    "n",
    "estimate",
    "low",
    "high",
)
LINEAR = 0.1
"""Errors are drawn on a linear scale below, and on a logarithmic one above."""

NAMES = {
    "flipd": "FLIPD, exact trace",
    "flipd_gaussian_1": "FLIPD, 1 Gaussian",
    "flipd_gaussian_4": "FLIPD, 4 Gaussian",
    "flipd_rademacher_4": "FLIPD, 4 Rademacher",
    "flipd_orthogonal_4": "FLIPD, 4 orthogonal",
    "nb": "NB, pooled",
    "nb_truth": "NB, pooled, mean right",
    "nb_noise": "NB, noise threshold",
    "lpca": "local PCA (samples)",
}
"""Printed names of the shipped estimators; any other is printed as the config calls it."""

_ROW = 1.55
# A colour for each method, dark to light over its variants, from Okabe and Ito's.
_FAMILIES = {
    "FLIPD": ("#003F66", "#0072B2", "#3C97C9", "#6FB5DA", "#9CCBE3"),
    "NB": ("#A34A00", "#D55E00", "#EE9A55"),
    "local PCA": ("#007A58",),
    "": ("#8A3D70", "#CC79A7", "#E0AFCB"),
}
# A line and a marker for each variant of a method.
_VARIANTS = (
    ("-", "o"),
    ((0, (5, 1.5)), "s"),
    ((0, (1, 1)), "^"),
    ((0, (6, 1.2, 1, 1.2)), "D"),
    ((0, (3, 2)), "v"),
)
_LEARNED = (0, (1, 1.6))
"""Line of an estimator on a learned score, whose colour and marker are its own, the marker filled."""


def accuracy_numbers(
    table: pd.DataFrame, estimates: Sequence[str], errors: Sequence[Sequence[str]]
) -> pd.DataFrame:
    """Choose the numbers that are plotted.

    Parameters
    ----------
    table : DataFrame
        `accuracy.csv`, see `mmh.oracles.accuracy.summarize`.
    estimates : sequence of str
        Estimators of the first column: their mean for each true dimension.
    errors : sequence of sequence of str
        Estimators of each further column: their mean absolute error over all points of the law. The learned
        score is shown there for the estimators that are among `estimates`.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`; `panel` is 0 for estimates and 1, 2, ... for errors; `estimate`, `low` and `high`
        in dimensions.
    """
    parts = []
    by_dimension = table[table["lid"].notna() & table["estimator"].isin(estimates)]
    parts.append(_chosen(by_dimension, "mean").assign(panel=0))
    for panel, names in enumerate(errors, start=1):
        rows = table[table["lid"].isna() & table["estimator"].isin(names)]
        rows = rows[(rows["score"] != "learned") | rows["estimator"].isin(estimates)]
        parts.append(_chosen(rows, "mae").assign(panel=panel))
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)]


def _chosen(rows: pd.DataFrame, statistic: str) -> pd.DataFrame:
    names = {statistic: "estimate", f"{statistic}_low": "low", f"{statistic}_high": "high"}
    return rows.rename(columns=names).reset_index(drop=True)


def accuracy_figure(numbers: pd.DataFrame, errors: Sequence[Sequence[str]], *, title: str) -> Figure:
    """Draw one row per law: estimates with the truth on the left, errors in the further columns.

    Parameters
    ----------
    numbers : DataFrame
        From `accuracy_numbers`.
    errors : sequence of sequence of str
        As there; gives the order of the looks.
    title : str
        Above all.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the full text block.
    """
    laws = list(dict.fromkeys(numbers["law"]))
    fig = style.figure(style.TEXT, 1.35 + _ROW * len(laws))
    axes = fig.subplots(len(laws), 1 + len(errors), squeeze=False, sharex=True)
    looks = _looks(numbers, errors)
    for row, law in zip(axes, laws, strict=True):
        mine = numbers[numbers["law"] == law]
        for panel, ax in enumerate(row):
            here = mine[mine["panel"] == panel]
            groups = ["estimator", "score", "lid"] if panel == 0 else ["estimator", "score"]
            for key, line in here.groupby(groups, sort=False, dropna=False):
                name, score = key[0], key[1]
                _line(ax, line, looks[name], _name(name, score), learned=score == "learned")
            _scale(ax, here, errors=panel > 0)
        _label(row[0], mine)
    titles = ["mean estimate (dimensions)", *map(_error_title, errors)]
    for ax, text in zip(axes[0], titles, strict=True):
        ax.set_title(text)
    _time_axis(axes, numbers)
    _legends(fig, axes)
    fig.suptitle(title, fontsize=7.5)
    return fig


def _looks(numbers: pd.DataFrame, errors: Sequence[Sequence[str]]) -> dict[str, tuple]:
    """Give each estimator one look over all columns."""
    names = dict.fromkeys([*(name for column in errors for name in column), *numbers["estimator"]])
    looks, used = {}, dict.fromkeys(_FAMILIES, 0)
    for name in names:
        kind = _kind(name) if _kind(name) in _FAMILIES else ""
        colours, place = _FAMILIES[kind], used[kind]
        used[kind] += 1
        looks[name] = (colours[place % len(colours)], *_VARIANTS[place % len(_VARIANTS)])
    return looks


def _kind(name: str) -> str:
    """The method of an estimator, by its printed name."""
    return NAMES.get(name, name).split(",")[0].split(" (")[0]


def _error_title(names: Sequence[str]) -> str:
    kinds = list(dict.fromkeys(map(_kind, names)))
    of = " and ".join(kinds) if len(kinds) <= 2 else f"{len(names)} estimators"
    return f"mean absolute error (dimensions),\n{of}"


def _name(estimator: str, score: str) -> str:
    return NAMES.get(estimator, estimator) + (", learned" if score == "learned" else "")


def _line(ax: Axes, rows: pd.DataFrame, look: tuple, name: str, *, learned: bool = False) -> None:
    colour, line, marker = look
    line = _LEARNED if learned else line
    if rows["t"].isna().all():  # sees no noise level
        ax.axhline(rows["estimate"].iloc[0], color=colour, linestyle=line, label=name)
        ax.axhspan(rows["low"].iloc[0], rows["high"].iloc[0], color=colour, alpha=0.2, linewidth=0)
        return
    reach = np.abs(rows[["low", "high"]].to_numpy(float).T - rows["estimate"].to_numpy(float))
    ax.errorbar(
        rows["t"],
        rows["estimate"],
        yerr=np.nan_to_num(reach),
        color=colour,
        linestyle=line,
        linewidth=1.0,
        marker=marker,
        markersize=3.4,
        markerfacecolor=colour if learned else "white",
        markeredgewidth=0.8,
        elinewidth=0.7,
        capsize=1.2,
        label=name,
    )


def _scale(ax: Axes, rows: pd.DataFrame, *, errors: bool) -> None:
    ax.set_xscale("log")
    if not errors:
        for truth in rows["lid"].unique():
            ax.axhline(truth, color=style.TRUTH, linewidth=3.0, zorder=0, label="truth")
        return
    top = max(float(rows[["estimate", "high"]].max().max()), 1.0) if len(rows) else 1.0
    ax.set_yscale("symlog", linthresh=LINEAR, linscale=0.6)
    ticks = [0.0, *(10.0**k for k in range(-1, 4) if 10.0**k <= top * 1.5)]
    ax.set_ylim(-0.02, top * 1.7)
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.yaxis.set_minor_locator(NullLocator())


def _label(ax: Axes, rows: pd.DataFrame) -> None:
    about = rows[rows["panel"] == 0]
    dimensions = "/".join(f"{d:g}" for d in sorted(about["lid"].unique()))
    total = about.drop_duplicates(["estimator", "lid"]).groupby("estimator", sort=False)["n"].sum()
    counts = " / ".join(str(n) for n in dict.fromkeys(total))
    law, ambient = rows["law"].iloc[0], rows["ambient"].iloc[0]
    ax.set_ylabel(f"{law}\n{dimensions} in {ambient}\n$n$ = {counts}")


def _time_axis(axes: np.ndarray, numbers: pd.DataFrame) -> None:
    levels = numbers.dropna(subset=["t"]).drop_duplicates("t").sort_values("t")
    for ax in axes[-1]:
        names = [f"{t:g}\n{s:.2g}" for t, s in zip(levels["t"], levels["sigma"], strict=True)]
        ax.set_xticks(levels["t"], names, fontsize=6.2)
        ax.minorticks_off()
        ax.set_xlabel("noise level $t_0$ (below: $\\sigma/\\psi$)")


def _legends(fig: Figure, axes: np.ndarray) -> None:
    for column, ax in enumerate(axes[-1]):
        found: dict[str, object] = {}
        for above in axes[:, column]:
            handles, names = above.get_legend_handles_labels()
            found |= {name: handle for handle, name in zip(handles, names, strict=True) if name not in found}
        ax.legend(
            found.values(), found.keys(), loc="upper center", bbox_to_anchor=(0.5, -0.42), labelspacing=0.3
        )
