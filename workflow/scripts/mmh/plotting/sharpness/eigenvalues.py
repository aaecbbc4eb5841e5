"""Histograms of the eigenvalues of the log-density's Hessian, and how many no exact score can have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mmh.errors import InputError
from mmh.hessian.geometry import beyond
from mmh.io.arrays import array_names, read_arrays
from mmh.plotting import style
from mmh.stats.clusters import share_interval

TAIL = 0.001
"""Share of a group's eigenvalues that may lie outside of a panel, on either side."""
_BINS, _MOST = 45, 2000
_WIDTHS = [base * 10.0**power for power in range(-4, 5) for base in (1, 2, 5)]


@dataclass(frozen=True)
class Level:
    """The spectra of one estimator.

    Attributes
    ----------
    place : str
        Which noise level it is, in print.
    estimator : str
        Its name.
    t, sigma : float
        Of the points at which it was asked.
    items : pandas.DataFrame
        `label` and `cluster` of each item.
    values : numpy.ndarray
        float64 (n, k), a of each item: lambda = -a / sigma^2. All d, or the nodes of a quadrature.
    weights : numpy.ndarray or None
        float64 (n, k), how many of the d eigenvalues each node stands for; None: they are all there.
    """

    place: str
    estimator: str
    t: float
    sigma: float
    items: pd.DataFrame
    values: NDArray[np.float64]
    weights: NDArray[np.float64] | None = None

    def of(self, label: str) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64] | None]:
        """Give a of the items of a label, (m, k), their clusters (m,) and weights (m, k)."""
        mine = (self.items["label"] == label).to_numpy()
        weights = None if self.weights is None else self.weights[mine]
        return self.values[mine], self.items["cluster"].to_numpy()[mine], weights


def read_level(files: Sequence[Path], groups: pd.DataFrame, *, place: str, estimator: str, t: float) -> Level:
    """Read the spectra of the items that are in a group.

    Parameters
    ----------
    files : sequence of path
        ``spectra/<items>/<estimator>/<span>.npz``.
    groups : DataFrame
        `items` (the set), `item`, `label`, `cluster`, with one or several rows an item.
    place, estimator, t
        As of `Level`.

    Returns
    -------
    Level

    Raises
    ------
    InputError
        If no item with a spectrum is in a group.
    """
    spectra, keys, sigma = [], [], np.nan
    weights: list[NDArray[np.float64]] = []
    for file in map(Path, files):
        spectrum, ids, level = read_arrays(file, "spectrum", "id", "sigma")
        spectra.append(spectrum)
        weights += read_arrays(file, "weight") if "weight" in array_names(file) else ()
        keys.append(pd.DataFrame({"items": file.parent.parent.name, "item": ids}))
        sigma = float(level[0])
    table = pd.concat(keys, ignore_index=True)
    rows = groups.merge(table.assign(row=np.arange(len(table))), on=["items", "item"])
    if rows.empty:
        raise InputError(f"{files[0]}: none of its items is in a group that the figure shows")
    values, held = (np.concatenate(parts)[rows["row"]] if parts else None for parts in (spectra, weights))
    assert values is not None
    return Level(place, estimator, t, sigma, rows[["label", "cluster"]], values, held)


def edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges of bins that hold all values, of a round width by where most lie; -1 is one of them."""
    low, high = min(float(values.min()), -1.0), max(float(values.max()), -1.0)
    most = float(np.ptp(np.quantile(values, [TAIL, 1 - TAIL])))
    width = next(w for w in _WIDTHS if w * _BINS >= most and w * _MOST >= high - low)
    first, last = (int(np.floor((low + 1) / width)), int(np.ceil((high + 1) / width)))
    return np.asarray(-1 + width * np.arange(first, last + 1))


def histograms(level: Level, labels: Sequence[str]) -> pd.DataFrame:
    """Count eigenvalues by bin and label.

    Parameters
    ----------
    level : Level
    labels : sequence of str
        In the order drawn.

    Returns
    -------
    DataFrame
        `place`, `estimator`, `t`, `sigma`, `label`, `low`, `high` (of the bin, in units of 1 / sigma^2),
        `lambda_low`, `lambda_high`, `count` (by a quadrature an estimate), `share`; the lower edge belongs
        to a bin.
    """
    bins, parts = edges(-level.values), []
    for label in labels:
        mine, _, weights = level.of(label)
        count = np.histogram(-mine.ravel(), bins, weights=None if weights is None else weights.ravel())[0]
        total = mine.size if weights is None else weights.sum()
        parts.append(
            pd.DataFrame(
                {
                    "label": label,
                    "low": bins[:-1],
                    "high": bins[1:],
                    "lambda_low": bins[:-1] / level.sigma**2,
                    "lambda_high": bins[1:] / level.sigma**2,
                    "count": count,
                    "share": count / max(total, 1),
                }
            )
        )
    return _headed(level, pd.concat(parts, ignore_index=True))


def shares_beyond(level: Level, labels: Sequence[str], unit: str) -> pd.DataFrame:
    """Count the eigenvalues below -1 / sigma^2, with the interval of their share over clusters.

    Of a quadrature the share of each item is an estimate. Probes differ from item to item, so what they leave
    open is in the spread over clusters.

    Parameters
    ----------
    level : Level
    labels : sequence of str
    unit : str
        What a cluster is.

    Returns
    -------
    DataFrame
        `place`, `estimator`, `t`, `sigma`, `label`, `images`, `eigenvalues`, `beyond`, `share`, `share_low`,
        `share_high`, `n_clusters`, `unit`, `reason`, `lambda_line`; one row a label.
    """
    rows: list[dict[str, Any]] = []
    for label in labels:
        values, cluster, weights = level.of(label)
        hit: Any = beyond(values)
        if weights is not None:  # as many values as eigenvalues, each the share of its item
            dim = round(float(weights.sum(axis=1).max(initial=0)))
            hit = np.repeat((hit * weights).sum(axis=1, keepdims=True) / dim, dim, axis=1)
        found = share_interval(hit.ravel(), np.repeat(cluster, hit.shape[1]), unit)
        rows.append(
            {
                "label": label,
                "images": len(values),
                "eigenvalues": hit.size,
                "beyond": round(float(hit.sum())),
                "share": found.estimate,
                "share_low": found.low,
                "share_high": found.high,
                "n_clusters": found.n_clusters,
                "unit": unit,
                "reason": found.reason,
                "lambda_line": -1 / level.sigma**2,
            }
        )
    return _headed(level, pd.DataFrame(rows))


def spectra_figure(
    counts: pd.DataFrame,
    shares: pd.DataFrame,
    looks: Mapping[str, style.Look],
    *,
    title: str,
    note: str = "",
    quadrature: bool = False,
) -> Figure:
    """Draw one panel for each noise level, all labels over each other.

    Parameters
    ----------
    counts : DataFrame
        From `histograms`, of all levels.
    shares : DataFrame
        From `shares_beyond`, of all levels.
    looks : mapping
        Labels that are shown.
    title, note : str
        Above all panels.
    quadrature : bool
        Whether a level was not counted but estimated, which is then printed.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the full text block.
    """
    places = list(dict.fromkeys(counts["place"]))
    fig = style.figure(style.TEXT, 2.6 + 0.24 * len(looks))
    for ax, place in zip(fig.subplots(1, len(places), squeeze=False)[0], places, strict=True):
        _panel(ax, counts[counts["place"] == place], shares[shares["place"] == place], looks)
        ax.set_ylabel("share of eigenvalues in a bin" if place == places[0] else "")
    style.title(fig, title, note)
    fig.supxlabel(
        style.minus("Dashed: λ = -1/σ², below which no exact score has an eigenvalue. ")
        + "In brackets: 95 % intervals over clusters of images, given this one model;\n"
        "too few: one cluster alone. Tails with less than 1 in 1000 eigenvalues of every group are cut off."
        + ("\nCounts are estimates by stochastic Lanczos quadrature." if quadrature else ""),
        fontsize=5.6,
        color=style.GREY,
    )
    return fig


def _panel(ax: Axes, counts: pd.DataFrame, shares: pd.DataFrame, looks: Mapping[str, style.Look]) -> None:
    first = shares.iloc[0]
    ax.axvline(-1, color=style.INK, linewidth=0.8, linestyle=(0, (3, 2)), zorder=1)
    style.above(ax, -1, style.minus(f"-1/σ² = {first['lambda_line']:.4g}"))
    for label, look in looks.items():
        mine = counts[counts["label"] == label]
        row = shares[shares["label"] == label].iloc[0]
        share, low, high = (100 * float(row[name]) for name in ("share", "share_low", "share_high"))
        counted = f"{row['beyond']:,} of {row['eigenvalues']:,}"
        printed = style.interval(share, low, high, 1)
        words = f"{look.name}, {row['images']:,} images\n{printed} % beyond, {counted}"
        bins = np.append(mine["low"].to_numpy(), mine["high"].to_numpy()[-1])
        shown = {"color": look.colour, "linestyle": look.line, "linewidth": 1.1}
        ax.stairs(mine["share"], bins, **shown, label=words, zorder=3)
        ax.stairs(mine["share"], bins, fill=True, color=look.colour, alpha=0.16, zorder=2)
    ax.set_ylim(bottom=0)
    ax.set_xlim(*_shown(counts))
    ax.set_xlabel("eigenvalue λ of the Hessian, in units of 1/σ²")
    ax.set_title(rf"{first['place']}: t = {first['t']:.3g}, $\sigma$ = {first['sigma']:.4g}", pad=12)
    ax.legend(loc="upper center", bbox_to_anchor=(0.48, -0.22), fontsize=6.0, borderaxespad=0)


def _shown(counts: pd.DataFrame) -> tuple[float, float]:
    """Ends of the bins that hold all but a thousandth of each group's eigenvalues on either side."""
    ends = []
    for _, mine in counts.groupby("label"):
        below = mine["share"].cumsum().to_numpy()
        kept = (below > TAIL) & (below - mine["share"].to_numpy() < 1 - TAIL)
        ends.append((mine["low"].to_numpy()[kept][0], mine["high"].to_numpy()[kept][-1]))
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    room = 0.04 * (high - low)
    return low - room, high + room


def _headed(level: Level, table: pd.DataFrame) -> pd.DataFrame:
    """Put before a table what it is of."""
    head = {"place": level.place, "estimator": level.estimator, "t": level.t, "sigma": level.sigma}
    return pd.DataFrame({**{k: [v] * len(table) for k, v in head.items()}, **table.to_dict("list")})
