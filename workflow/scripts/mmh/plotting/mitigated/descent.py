"""Descents on the embedded prompt: numbers along the iterations, and images of single prompts on the way."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mmh.errors import InputError
from mmh.io.arrays import read_arrays
from mmh.plotting import style
from mmh.plotting.mitigated.plane import COLOURS, MARKERS, arms

PANELS = {
    "flipd": r"$\mathcal{A}^{FLIPD}$",
    "similarity": "similarity to training image",
    "clip": "similarity of CLIP",
    "png": "PNG size, bits",
}
"""Metrics that have a panel, and what stands on its axis."""
WATCHED = "watched"
_APART = 0.012  # of the whole range of iterations
Images = dict[tuple[int, str], tuple[NDArray[np.int64], NDArray[np.uint8]]]
"""Prompt and descent to iterations (K,) and images (K, 3, H, W)."""


def read_rows(path: str | Path, prompt_set: str) -> pd.DataFrame:
    """Read what is drawn of ``optimisation.csv``.

    Parameters
    ----------
    path : path
        The table.
    prompt_set : str

    Returns
    -------
    pandas.DataFrame
        Rows of `PANELS` and `WATCHED` of this set.

    Raises
    ------
    InputError
        If the set has none of a metric.
    """
    table = pd.read_csv(path)
    rows = table[(table["prompt_set"] == prompt_set) & table["metric"].isin([*PANELS, WATCHED])]
    for metric in PANELS:
        if not (rows["metric"] == metric).any():
            raise InputError(f"{path}: no prompts of {prompt_set} have the metric '{metric}'")
    return rows.reset_index(drop=True)


def read_images(paths: Sequence[str | Path], prompts: Sequence[int]) -> Images:
    """Read the images of the first generation of some prompts.

    Parameters
    ----------
    paths : sequence of path
        ``iterates/<mitigation>/<prompt_set>/<span>.npz`` of one set.
    prompts : sequence of int
        Numbers of prompts.

    Returns
    -------
    dict
        Prompts in the order given, descents in that of the files.

    Raises
    ------
    InputError
        If a prompt is in none of the files.
    """
    held: Images = {}
    for path in map(Path, paths):
        image, prompt, generation, iteration = read_arrays(path, "image", "prompt", "generation", "iteration")
        for number in set(prompts) & set(prompt.tolist()):
            mine = (prompt == number) & (generation == 0)
            held[number, path.parent.parent.name] = iteration[mine], image[mine]
    missing = [number for number in prompts if number not in {key for key, _ in held}]
    if missing:
        raise InputError(f"{Path(paths[0]).parent}: no images of prompt {missing[0]}")
    return {key: held[key] for number in prompts for key in held if key[0] == number}


def figure(
    rows: pd.DataFrame, images: Images, printed: Mapping[str, str], watched: Sequence[str], heading: str
) -> Figure:
    """Draw four panels of numbers over strips of images.

    Parameters
    ----------
    rows : pandas.DataFrame
        From `read_rows`.
    images : dict
        From `read_images`.
    printed : mapping of str to str
        Printed name of each descent.
    watched : sequence of str
        Descents that raise FLIPD: what they watch is drawn beside it.
    heading : str
        Title.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the text block.
    """
    names, last = list(dict.fromkeys(rows["mitigation"])), int(rows["iteration"].max())
    fig = style.figure(style.TEXT, 2.3 + 0.62 * len(images))
    top, below = np.ravel(np.asarray(fig.subfigures(2, 1, height_ratios=[2.3, 0.62 * len(images)])))
    handles = []
    for ax, (metric, label) in zip(top.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        for place, name in enumerate(names):
            look = {"color": COLOURS[place + 1], "marker": MARKERS[place + 1], "markersize": 3.2}
            apart = _APART * last * (place - (len(names) - 1) / 2)
            own = rows[(rows["mitigation"] == name)].sort_values("iteration")
            part = own[own["metric"] == metric]
            ends = np.concatenate([arms(row) for _, row in part.iterrows()], axis=1)
            x = part["iteration"].to_numpy(float) + apart
            drawn = ax.errorbar(x, part["estimate"], yerr=ends, linewidth=0.9, elinewidth=0.6, **look)
            handles += [drawn] if ax is top.axes[0] else []
            if metric == "flipd" and name in watched:
                part = own[own["metric"] == WATCHED]
                ax.plot(part["iteration"], part["estimate"], linestyle=(0, (3, 2)), linewidth=0.8, **look)
        ax.set_xlabel("iterations")
        ax.set_xticks(sorted(rows["iteration"].unique()))
        ax.set_title(label)
    top.legend(handles, [printed.get(name, name) for name in names], loc="outside lower center", ncols=2)
    _strips(below, images, printed)
    style.title(fig, heading)
    return fig


def _strips(fig: object, images: Images, printed: Mapping[str, str]) -> None:
    columns = max(len(iteration) for iteration, _ in images.values())
    axes = fig.subplots(len(images), columns, squeeze=False)  # type: ignore[attr-defined]
    for row, ((prompt, name), (iteration, shown)) in enumerate(images.items()):
        line = axes[row]
        for ax in line:
            ax.set_axis_off()
        for ax, number, image in zip(line, iteration, shown, strict=False):
            ax.imshow(np.moveaxis(image, 0, -1), interpolation="nearest")
            if row == 0:
                ax.set_title(str(number))
        label = f"prompt {prompt}\n{printed.get(name, name)}"
        line[0].text(-0.15, 0.5, label, transform=line[0].transAxes, ha="right", va="center", fontsize=6)
