"""Fig. 4: a law on the unit circle and at its centre, and the samples of a model trained on it, by FLIPD."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmh.plotting import style
from mmh.stats.curves import median_interval, wilson_interval
from mmh.worlds.sets import von_mises

REGIONS = {"isolated": "near $x_0$", "centre": "centre", "arc": "arc", "off": "elsewhere"}
_LIMIT = 1.55
_HEIGHT = 0.42  # radial height of the density's peak above the circle


def region_table(samples: pd.DataFrame) -> pd.DataFrame:
    """Count the samples of each region and take the median of their FLIPD.

    Parameters
    ----------
    samples : DataFrame
        Columns `region`, `value`.

    Returns
    -------
    DataFrame
        One row per region: `region`, `n`, `share`, `share_low`, `share_high`, `median`, `low`, `high`.
    """
    rows: list[dict[str, Any]] = []
    for region in REGIONS:
        values = samples.loc[samples["region"] == region, "value"].to_numpy(float)
        share, middle = wilson_interval(len(values), len(samples)), median_interval(values)
        rows.append(
            {
                "region": region,
                "n": len(values),
                "share": share.estimate,
                "share_low": share.low,
                "share_high": share.high,
                "median": middle.estimate,
                "low": middle.low,
                "high": middle.high,
            }
        )
    return pd.DataFrame(rows)


def scatter_figure(
    train: np.ndarray,
    samples: pd.DataFrame,
    shown: int,
    *,
    concentration: float,
    centre_weight: float,
    estimator: str,
    title: str,
) -> Figure:
    """Draw the truth on the left, the first samples on the right, and the table of all samples below.

    Parameters
    ----------
    train : (m, 2) float
        Training points.
    samples : DataFrame
        Columns `x`, `y`, `region`, `value`, one row per sample.
    shown : int
        How many samples are drawn: the first ones, which are as good as any.
    concentration, centre_weight : float
        The law: kappa on the circle and the mass at the origin.
    estimator : str
        Printed name of the LID estimate.
    title : str
        Above all.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the full text block.
    """
    fig = style.figure(style.TEXT, 5.0)
    grid = fig.add_gridspec(2, 2, height_ratios=[4.0, 0.85])
    top, middle, foot = fig.add_subplot(grid[0, 0]), fig.add_subplot(grid[0, 1]), fig.add_subplot(grid[1, :])
    x0 = train[von_mises.isolated_point(train)[0]]
    _truth(top, train, concentration, centre_weight)
    drawn = samples.head(shown).sort_values("value", ascending=False)  # the lowest values lie on top
    spots = middle.scatter(
        drawn["x"],
        drawn["y"],
        c=drawn["value"],
        cmap="viridis",
        vmin=0.0,
        vmax=1.5,
        s=9,
        linewidth=0.2,
        edgecolor="white",
        zorder=2,
    )
    middle.set_title(f"{len(drawn)} of {len(samples)} samples")
    bar = fig.colorbar(spots, ax=middle, extend="both", location="bottom", shrink=0.7, aspect=28, pad=0.02)
    bar.set_label(rf"$\widehat{{\mathrm{{LID}}}}_\theta$, {estimator} (dimensions)")
    for ax in (top, middle):
        ax.plot(
            *x0, "o", markersize=11, markerfacecolor="none", markeredgecolor=style.MODEL, markeredgewidth=0.9
        )
        ax.annotate(
            "$x_0$",
            x0,
            xytext=17 * x0,
            textcoords="offset points",
            ha="center",
            va="center",
            color=style.MODEL,
            fontsize=8,
        )
        ax.set_aspect("equal")
        ax.set_xlim(-_LIMIT, _LIMIT)
        ax.set_ylim(-_LIMIT, _LIMIT)
        ax.set_xticks([-1, 0, 1])
        ax.set_yticks([-1, 0, 1])
        ax.set_ylabel("second coordinate")
        ax.set_xlabel("first coordinate")
    _table(foot, region_table(samples), len(samples))
    fig.suptitle(title, fontsize=7.5)
    return fig


def _truth(ax: Axes, train: np.ndarray, concentration: float, centre_weight: float) -> None:
    angle = np.linspace(-np.pi, np.pi, 721)
    density = (1.0 - centre_weight) * von_mises.density(angle, concentration=concentration)
    radius = 1.06 + _HEIGHT * density / density.max()
    inner = np.full_like(radius, 1.06)
    x, y = (np.concatenate([f(angle) * radius, (f(angle) * inner)[::-1]]) for f in (np.cos, np.sin))
    peak = f"density, peak {density.max():.2f} per radian"
    ax.fill(x, y, color=style.TRUTH, alpha=0.6, linewidth=0, label=peak)
    ax.plot(np.cos(angle), np.sin(angle), color="#56B4E9", linewidth=2.4, alpha=0.8, label="support")
    ax.plot(0, 0, "o", color="#56B4E9", markersize=7, alpha=0.8)
    ax.plot(
        train[:, 0],
        train[:, 1],
        "x",
        color=style.INK,
        markersize=3,
        markeredgewidth=0.6,
        label="training points",
    )
    at_origin = int((np.linalg.norm(train, axis=1) < 1e-6).sum())
    ax.annotate(
        f"point mass {centre_weight:g}\n({at_origin} of $n$ = {len(train)} points)",
        (0, 0),
        xytext=(0, -7),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=6.2,
    )
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), handlelength=1.4, ncol=3, columnspacing=1.2)
    ax.set_title(rf"ground truth: circle ($\kappa$ = {concentration:g}) and its centre")


def _table(ax: Axes, regions: pd.DataFrame, n: int) -> None:
    ax.set_axis_off()
    ax.set_xlim(0, 1)
    ax.set_ylim(len(regions) + 0.9, -0.7)
    places = (0.1, 0.34, 0.4, 0.66)
    alignment = ("left", "right", "left", "left")
    cells = [("samples", "$n$", "share, %", "median, dimensions")]
    for row in regions.itertuples():
        shares = style.interval(100 * row.share, 100 * row.share_low, 100 * row.share_high, 1)
        middle = style.interval(row.median, row.low, row.high, 2) if row.n else "none"
        cells.append((REGIONS[row.region], str(row.n), shares, middle))
    for line, texts in enumerate(cells):
        for place, align, text in zip(places, alignment, texts, strict=True):
            ax.text(place, line, text, ha=align, va="center", fontsize=6.3)
    ax.axhline(0.5, 0.1, 0.9, color=style.INK, linewidth=0.5)
    ax.text(0.1, len(cells), f"all {n} samples; 95 % intervals", fontsize=5.6, color=style.GREY, va="center")
