"""Attributions of prompts to their words, as bars: one prompt a column pair, one metric a row."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmh.errors import InputError
from mmh.plotting import style

OCCLUSION = "occlusion"
LEVELS = ("output", "input")
_COLOURS = {
    "key": "#D55E00",
    "decoy": "#AA4499",
    "numeral": "#0072B2",
    "colour": "#009E73",
    "stroke": "#56B4E9",
}
_OTHER = "#9a9a9a"


def read_bars(
    path: str | Path, prompt_set: str, prompts: Sequence[int], metrics: Sequence[str]
) -> pd.DataFrame:
    """Read what is drawn of ``attributions.parquet``.

    Parameters
    ----------
    path : path
        The table.
    prompt_set : str
    prompts : sequence of int
        Numbers of prompts.
    metrics : sequence of str
        Attributions.

    Returns
    -------
    pandas.DataFrame
        `prompt`, `attribution` (also `OCCLUSION`), `level`, `place`, `word`, `role`, `share`: of the sum over
        words; of the occlusion the fall of similarity itself.

    Raises
    ------
    InputError
        If the table has no such prompt or attribution.
    """
    table = pd.read_parquet(path)
    rows = table[(table["prompt_set"] == prompt_set) & table["prompt"].isin(prompts)]
    parts = []
    for prompt in prompts:
        own = rows[rows["prompt"] == prompt]
        for metric in metrics:
            part = own[own["attribution"] == metric]
            if not len(part):
                raise InputError(f"{path}: prompt {prompt} of {prompt_set} has no attribution {metric!r}")
            sums = part.groupby("level")["value"].transform("sum")
            parts.append(part.assign(share=part["value"] / sums))
        first = own[own["attribution"] == metrics[0]]
        first = first[first["level"] == first["level"].iloc[0]]
        if first["drop"].notna().any():
            parts.append(first.assign(attribution=OCCLUSION, level="", share=first["drop"]))
    columns = ["prompt", "attribution", "level", "place", "word", "role", "share"]
    return pd.concat(parts, ignore_index=True)[columns]


def figure(bars: pd.DataFrame, names: dict[str, str], heading: str) -> Figure:
    """Draw a column for each prompt and level, a row for each metric, and what replacing each word costs.

    Parameters
    ----------
    bars : pandas.DataFrame
        From `read_bars`.
    names : dict of str to str
        Printed name of each attribution.
    heading : str
        Title.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the text block.
    """
    prompts, metrics = list(dict.fromkeys(bars["prompt"])), list(dict.fromkeys(bars["attribution"]))
    levels = [level for level in LEVELS if (bars["level"] == level).any()] or [""]
    columns = [(prompt, level) for prompt in prompts for level in levels]
    fig = style.figure(style.TEXT, 0.75 + 0.95 * len(metrics))
    axes = fig.subplots(len(metrics), len(columns), squeeze=False)
    for line, metric in zip(axes, metrics, strict=True):
        for ax, (prompt, level) in zip(line, columns, strict=True):
            wanted = "" if metric == OCCLUSION else level
            chosen = bars["prompt"].eq(prompt) & bars["attribution"].eq(metric) & bars["level"].eq(wanted)
            _bars(ax, bars[chosen], words=metric == metrics[-1])
        line[0].set_ylabel(
            "fall of\nsimilarity" if metric == OCCLUSION else f"{names.get(metric, metric)}\nshare"
        )
    for ax, (prompt, level) in zip(axes[0], columns, strict=True):
        ax.set_title(f"prompt {prompt},\nencoder's {level}")
    style.title(fig, heading)
    return fig


def _bars(ax: Axes, rows: pd.DataFrame, *, words: bool) -> None:
    colours = [_COLOURS.get(str(role), _OTHER) for role in rows["role"]]
    ax.bar(rows["place"], rows["share"], color=colours, width=0.8)
    ax.axhline(0, color=style.INK, linewidth=0.5)
    ax.set_xticks(rows["place"], rows["word"] if words else [""] * len(rows), rotation=90)
    if words:
        for label, colour in zip(ax.get_xticklabels(), colours, strict=True):
            label.set_color(style.INK if colour == _OTHER else colour)
