"""The plane of a toy mixture under noise: density, score, sharpness, and the AUC of sharpness."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from mmh.plotting import style
from mmh.plotting.laws.identities import SCORES
from mmh.stats.areas import area_interval, left_out_areas
from mmh.worlds.sets.two_modes import MODES

_MEMORIZED = "#E69F00"
_OTHERS = 60  # of the other samples, so many are marked
_ARROWS = 9  # along each axis


def landscape_numbers(states: pd.DataFrame) -> pd.DataFrame:
    """AUC of a low smallest eigenvalue for the memorized mode, by noise level and score.

    Parameters
    ----------
    states : DataFrame
        Columns of `mmh.landscape.plane.STATES`.

    Returns
    -------
    DataFrame
        `sigma`, `of`, `auc`, `low`, `high`, `n_memorized`, `n`, the median of each mode, and `beyond`, the
        share of samples below -1/sigma^2, which no exact score has (beyond rounding, 0.1 %).
    """
    rows = []
    for (sigma, of), mine in states.groupby(["sigma", "of"], sort=False):
        memorized = (mine["mode"] == MODES[0]).to_numpy()
        values = mine["lambda_min"].to_numpy()
        each = {name: values[mine["mode"] == name] for name in MODES}
        medians = {f"median_{name}": np.median(v) if len(v) else np.nan for name, v in each.items()}
        row = {"sigma": sigma, "of": of, "auc": np.nan, "low": np.nan, "high": np.nan}
        if 0 < memorized.sum() < len(mine):
            found = area_interval(left_out_areas(-values[:, None], memorized), unit="sample")
            row |= {"auc": found.estimate, "low": found.low, "high": found.high}
        beyond = float((values * float(sigma) ** 2 < -1.001).mean())
        counts = {"n_memorized": int(memorized.sum()), "n": len(mine)}
        rows.append({**row, **counts, **medians, "beyond": beyond})
    return pd.DataFrame(rows)


def landscape_figure(field: pd.DataFrame, states: pd.DataFrame, numbers: pd.DataFrame, title: str) -> Figure:
    """Draw a row of maps for each noise level, and the AUC below.

    Parameters
    ----------
    field, states : DataFrame
        Columns of `mmh.landscape.plane.FIELD` and `STATES`.
    numbers : DataFrame
        From `landscape_numbers`.
    title : str
        Above all.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the full text block.
    """
    sigmas = list(dict.fromkeys(field["sigma"]))
    fig = style.figure(style.TEXT, 1.62 * len(sigmas) + 2.0)
    parts: Any = fig.subfigures(2, 1, height_ratios=[1.62 * len(sigmas) + 0.35, 1.65])
    maps, foot = parts
    axes = maps.subplots(len(sigmas), 4, squeeze=False, sharex=True, sharey=True)
    for row, sigma in zip(axes, sigmas, strict=True):
        here = field[field["sigma"] == sigma]
        top = here["density"].max()
        near = _nearest(states, sigma)
        for column, of in enumerate(SCORES):
            mine = here[here["of"] == of]
            _density(row[column], mine, top)
            shade = _sharpness(row[2 + column], mine, sigma)
        for ax in row:
            _samples(ax, near)
            ax.set_aspect("equal")
        row[0].set_ylabel(rf"$\sigma$ = {sigma:g}")
    for ax, text in zip(axes[0], _headings(), strict=True):
        ax.set_title(text)
    bar = maps.colorbar(
        shade, ax=axes[:, 2:], location="bottom", shrink=0.8, aspect=30, extend="both", pad=0.02
    )
    bar.set_label(r"$\sigma^2 \lambda_{\min}$ (an exact score: at least $-1$)")
    _legend(maps)
    _areas(foot.subplots(1, 1), numbers)
    fig.suptitle(title, fontsize=7.5)
    return fig


def _headings() -> list[str]:
    return [f"{what}, {of}" for what in ("density and score", r"$\sigma^2 \lambda_{\min}$") for of in SCORES]


def _grid(mine: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    table = mine.pivot(index="y", columns="x", values=column)
    return table.columns.to_numpy(float), table.index.to_numpy(float), table.to_numpy(float)


def _density(ax: Axes, mine: pd.DataFrame, top: float) -> None:
    x, y, density = _grid(mine, "density")
    # The square root: a rare narrow mode beside a common wide one.
    ax.pcolormesh(x, y, np.sqrt(density / top), cmap="Greys", vmin=0, vmax=1.1, rasterized=True)
    _, _, u = _grid(mine, "score_x")
    _, _, v = _grid(mine, "score_y")
    step = np.unique(np.linspace(0, len(x) - 1, _ARROWS + 2).round().astype(int)[1:-1])
    u, v = u[np.ix_(step, step)], v[np.ix_(step, step)]
    length = np.hypot(u, v)
    ax.quiver(
        x[step],
        y[step],
        *(part / np.maximum(length, 1e-12) for part in (u, v)),  # directions; lengths differ by orders
        color="#0072B2",
        scale=14,
        width=0.008,
        pivot="middle",
    )


def _sharpness(ax: Axes, mine: pd.DataFrame, sigma: float) -> Any:
    x, y, lowest = _grid(mine, "lambda_min")
    scaled = lowest * sigma**2
    shade = ax.pcolormesh(x, y, scaled, cmap="viridis", vmin=-1.0, vmax=0.0, rasterized=True)
    if (scaled < -1.001).any():
        beyond = ax.contourf(x, y, scaled, levels=[-np.inf, -1.001], colors="none", hatches=["////"])
        beyond.set(edgecolor="white", linewidth=0.0)
    return shade


def _nearest(states: pd.DataFrame, sigma: float) -> pd.DataFrame:
    """Samples at the level nearest to one, once each."""
    levels = states["sigma"].unique()
    level = levels[np.abs(np.log(levels / sigma)).argmin()]
    return states[(states["sigma"] == level) & (states["of"] == "learned")]


def _samples(ax: Axes, near: pd.DataFrame) -> None:
    limits = ax.get_xlim(), ax.get_ylim()
    rare = near[near["mode"] == MODES[0]]
    rest = near[near["mode"] != MODES[0]].head(_OTHERS)
    ax.plot(
        rest["x"],
        rest["y"],
        "^",
        color="white",
        markersize=2.4,
        markeredgecolor=style.INK,
        markeredgewidth=0.4,
    )
    ax.plot(
        rare["x"],
        rare["y"],
        "o",
        color=_MEMORIZED,
        markersize=2.2,
        markeredgecolor=style.INK,
        markeredgewidth=0.3,
    )
    ax.set_xlim(limits[0])
    ax.set_ylim(limits[1])


def _legend(fig: Figure) -> None:
    marks = [
        Line2D(
            [],
            [],
            color=_MEMORIZED,
            marker="o",
            linestyle="none",
            markeredgecolor=style.INK,
            markeredgewidth=0.3,
            label="ends in the narrow mode",
        ),
        Line2D(
            [],
            [],
            color="white",
            marker="^",
            linestyle="none",
            markeredgecolor=style.INK,
            markeredgewidth=0.4,
            label=f"ends in the wide mode ({_OTHERS} of them)",
        ),
        Patch(facecolor="#440154", edgecolor="white", hatch="////", label=r"learned, below $-1/\sigma^2$"),
    ]
    fig.legend(handles=marks, loc="lower left", ncol=1, bbox_to_anchor=(0.04, 0.0))


def _areas(ax: Axes, numbers: pd.DataFrame) -> None:
    for of, look in SCORES.items():
        rows = numbers[(numbers["of"] == of) & numbers["auc"].notna()].sort_values("sigma")
        if rows.empty:
            continue
        shift = 1.02 if of == "exact" else 1 / 1.02
        bars = np.nan_to_num(np.stack([rows["auc"] - rows["low"], rows["high"] - rows["auc"]]))
        ax.errorbar(
            rows["sigma"] * shift,
            rows["auc"],
            yerr=np.maximum(bars, 0),
            color=look.colour,
            linestyle=look.line,
            marker=look.marker,
            capsize=1.8,
            elinewidth=0.8,
            label=look.name,
        )
    ax.axhline(0.5, color=style.GREY, linewidth=0.6, zorder=0)
    ax.set_xscale("log")
    ax.set_xlim(numbers["sigma"].min() / 1.2, numbers["sigma"].max() * 1.2)
    if numbers["auc"].isna().all():
        ax.text(0.5, 0.3, "all samples end in one mode", transform=ax.transAxes, ha="center")
    ax.set_xlabel(r"noise $\sigma$ on the samples' way")
    ax.set_ylabel(r"AUC of low $\lambda_{\min}$")
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc="lower left")
