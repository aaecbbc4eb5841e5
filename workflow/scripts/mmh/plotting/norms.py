"""The guided score's norm against the CFG vector's, on memorized and other images."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, ScalarFormatter

from mmh.compute import rng
from mmh.plotting import style
from mmh.stats.correlation import spearman_interval

POOLED = "all"
"""Name of both groups together in the table of correlations."""


def draw_images(table: pd.DataFrame, names: Sequence[str], each: int | None, seed: int) -> pd.DataFrame:
    """Draw the same number of images from each set, of as many families as there are.

    Parameters
    ----------
    table : DataFrame
        From `image_sets.side_by_side`, without missing scores.
    names : sequence of str
        Sets.
    each : int or None
        Images of each set; all of a set that has fewer, and of every set if None.
    seed : int
        Of the draw, which depends on it, on the set's place and on its images alone.

    Returns
    -------
    DataFrame
        Rows of `table`, by set, then by item.
    """
    parts = []
    for place, name in enumerate(names):
        rows = table[table["items"] == name].sort_values("item", kind="stable")
        order = rng.generator(seed, "score-norms", place).permutation(len(rows))
        mixed = rows.iloc[order]
        # Second images of a family only where the families are used up.
        again = mixed.groupby("family").cumcount().to_numpy()
        kept = mixed.iloc[np.argsort(again, kind="stable")[:each]]
        parts.append(kept.sort_values("item"))
    return pd.concat(parts, ignore_index=True)


def correlations(table: pd.DataFrame, names: Sequence[str], x: str, y: str, *, which: str) -> pd.DataFrame:
    """Compute Spearman's correlation of two scores, pooled and by set.

    Parameters
    ----------
    table : DataFrame
        `items`, `family`, and both scores.
    names : sequence of str
        Sets.
    x, y : str
        Columns.
    which : str
        What the rows of `table` are, e.g. ``drawn``.

    Returns
    -------
    DataFrame
        `which`, `set` (`POOLED` first), `n`, `n_clusters`, `spearman`, `low`, `high`.
    """
    records = []
    for name in (POOLED, *names):
        rows = table if name == POOLED else table[table["items"] == name]
        families = rows["family"].to_numpy()
        found = spearman_interval(rows[x].to_numpy(), rows[y].to_numpy(), families, unit="family")
        records.append((which, name, found.n, found.n_clusters, found.estimate, found.low, found.high))
    return pd.DataFrame(records, columns=["which", "set", "n", "n_clusters", "spearman", "low", "high"])


def norms_figure(
    drawn: pd.DataFrame,
    found: pd.DataFrame,
    looks: Mapping[str, style.Look],
    *,
    x: str,
    y: str,
    settings: str,
    title: str,
) -> Figure:
    """Draw one point per image, and the correlations in words.

    Parameters
    ----------
    drawn : DataFrame
        From `draw_images`.
    found : DataFrame
        From `correlations`, of the drawn images and then of all scored ones.
    looks : mapping
        Sets, and how each is drawn.
    x, y : str
        Columns of the CFG vector's and of the guided score's norm.
    settings, title : str
        Guidance and noise level; above all.

    Returns
    -------
    matplotlib.figure.Figure
        One text column wide.
    """
    fig = style.figure(style.COLUMN, 3.9)
    ax, foot = fig.subplots(2, 1, height_ratios=[2.6, 1.0])
    for name, look in looks.items():
        rows = drawn[drawn["items"] == name]
        ax.plot(
            rows[x],
            rows[y],
            look.marker,
            color=look.colour,
            markerfacecolor="none",
            markeredgewidth=0.8,
            label=f"{look.name}, $n$ = {len(rows)}",
        )
    ax.set_xlabel(r"CFG vector $\|s_c - s_\varnothing\|$ (1 / latent unit)")
    ax.set_ylabel(r"guided score $\|s^{\mathrm{CFG}}\|$ (1 / latent unit)")
    ax.set_title(settings)
    for axis, scale in ((ax.xaxis, ax.set_xscale), (ax.yaxis, ax.set_yscale)):
        scale("log")  # a few images have several times the norms of all others
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 5.0, 7.0)))
        axis.set_major_formatter(ScalarFormatter())
        axis.set_minor_locator(NullLocator())
    ax.margins(0.06)
    ax.legend(loc="upper left", handlelength=1.0)
    _table(foot, found, looks)
    style.title(fig, title)
    return fig


def _table(ax: Axes, found: pd.DataFrame, looks: Mapping[str, style.Look]) -> None:
    ax.set_axis_off()
    ax.set_xlim(0, 1)
    groups = list(dict.fromkeys(found["which"]))
    names = {POOLED: "all", **{name: look.name for name, look in looks.items()}}
    ax.set_ylim(len(names) + 2.2, -0.9)
    count = found.set_index(["which", "set"])["n"]
    heads = [f"{group} ({' + '.join(str(count[group, name]) for name in looks)})" for group in groups]
    lines = [[r"Spearman's $\rho$", *heads]]
    for name, text in names.items():
        cells = [text]
        for group in groups:
            row = found[(found["which"] == group) & (found["set"] == name)].iloc[0]
            cells.append(style.interval(row["spearman"], row["low"], row["high"], 2))
        lines.append(cells)
    for line, texts in enumerate(lines):
        for place, text in zip((0.0, 0.34, 0.69), texts, strict=False):
            ax.text(place, line, text, va="center", fontsize=5.8)
    ax.axhline(0.5, color=style.INK, linewidth=0.5)
    words = "In parentheses: numbers of images. 95 % intervals over\nfamilies of images."
    ax.text(0.0, len(lines) + 0.5, words, va="center", fontsize=5.6, color=style.GREY)
