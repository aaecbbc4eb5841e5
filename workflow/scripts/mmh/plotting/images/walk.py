"""One memorized training image beside what the model draws from its caption, and how it was chosen."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmh.errors import InputError
from mmh.io.arrays import read_arrays
from mmh.plotting import style

MATCHES = ("prompt_set", "prompt", "generation", "train", "similarity")
_IMAGE = style.LABELS["exact"].colour  # of the training image's frame, as memorized images have it elsewhere
_OTHER = style.LABELS["reconstructive"].colour


@dataclass(frozen=True, eq=False)
class Walk:
    """The chosen prompt, its generations, and the prompts that it was chosen from."""

    prompt: int
    text: str
    train: int  # id of the training image
    shown: pd.DataFrame  # generation, similarity: the first generations, by number
    prompts: pd.DataFrame  # prompt, n, similarity: the median over generations, of every prompt of the set
    rule: str


def choose(
    matches: pd.DataFrame, prompts: pd.DataFrame, prompt_set: str, *, count: int, prompt: int | None = None
) -> Walk:
    """Choose the prompt whose generations differ most, among those that are as close as the median prompt's.

    Parameters
    ----------
    matches : DataFrame
        Columns `MATCHES`: similarity of each generation to the training image of its caption.
    prompts : DataFrame
        `prompt_set`, `prompt`, `text`.
    prompt_set : str
        Prompts to choose from.
    count : int
        Most generations shown: the first ones, whatever their similarity.
    prompt : int, optional
        Take this prompt instead.

    Returns
    -------
    Walk
        Of the prompts whose median similarity is at least that of the median prompt (with an even number, of
        the less similar of the two middle ones), that with the widest range of similarities among the
        generations shown; of equals the first. Where all generations are alike, so are those of any prompt.

    Raises
    ------
    InputError
        If the set has no such generations, or the prompt none or no text.
    """
    mine = matches[matches["prompt_set"] == prompt_set]
    if mine.empty:
        known = ", ".join(dict.fromkeys(matches["prompt_set"])) or "none"
        raise InputError(f"no generation of prompt set '{prompt_set}' has been compared; sets: {known}")
    medians = mine.groupby("prompt")["similarity"].agg(n="size", similarity="median").reset_index()
    ordered = medians.sort_values(["similarity", "prompt"], ignore_index=True)
    rule = f"whose generations differ most, of the closer half of {len(ordered)} prompts"
    if prompt is None:
        closer = set(ordered["prompt"].iloc[(len(ordered) - 1) // 2 :])
        first = mine[mine["prompt"].isin(closer)].sort_values("generation", kind="stable")
        ranges = first.groupby("prompt")["similarity"].agg(lambda values: np.ptp(values.to_numpy()[:count]))
        prompt = int(ranges.idxmax())
    else:
        rule = "chosen in the configuration"
    rows = mine[mine["prompt"] == prompt].sort_values("generation", kind="stable")
    named = prompts[(prompts["prompt_set"] == prompt_set) & (prompts["prompt"] == prompt)]
    if rows.empty or named.empty:
        raise InputError(f"prompt {prompt} of '{prompt_set}' has no generations to show, or no text")
    return Walk(
        prompt=prompt,
        text=str(named["text"].iloc[0]),
        train=int(rows["train"].iloc[0]),
        shown=rows.head(count)[["generation", "similarity"]].reset_index(drop=True),
        prompts=medians,
        rule=rule,
    )


def training_image(path: str | Path, train: int) -> np.ndarray:
    """Read one image by its id.

    Parameters
    ----------
    path : path
        ``.npz`` with `image` uint8 and `id`.
    train : int
        Which.

    Returns
    -------
    (3, H, W) uint8

    Raises
    ------
    InputError
        If the file is unreadable or holds no such id.
    """
    image, ids = read_arrays(path, "image", "id")
    place = np.flatnonzero(ids == train)
    if not len(place):
        raise InputError(f"{path}: holds no image {train}, the training image of the chosen caption")
    return _rgb(image[place[0]])


def generated_images(paths: Sequence[str | Path], prompt: int, generations: Sequence[int]) -> np.ndarray:
    """Read generations of one prompt from the spans of its set.

    Parameters
    ----------
    paths : sequence of path
        ``generations/<prompt_set>/<span>.npz`` of one set, with `image` uint8, `prompt`, `generation`.
    prompt : int
        Which prompt.
    generations : sequence of int
        Which of its generations, in the order wanted.

    Returns
    -------
    (n, 3, H, W) uint8

    Raises
    ------
    InputError
        If a file is unreadable, or a generation is in none.
    """
    found: dict[int, np.ndarray] = {}
    for path in paths:
        of, number = read_arrays(path, "prompt", "generation")
        rows = np.flatnonzero((of == prompt) & np.isin(number, list(generations)))
        if len(rows):
            image = read_arrays(path, "image")[0]
            found.update({int(number[row]): _rgb(image[row]) for row in rows})
    absent = [number for number in generations if number not in found]
    if absent:
        raise InputError(
            f"generation {absent[0]} of prompt {prompt} is in none of {len(paths)} files, the first is "
            f"{paths[0] if paths else 'absent'}"
        )
    return np.stack([found[number] for number in generations])


def lid_of_caption(
    scores: pd.DataFrame, sets: pd.DataFrame, name: str, text: str, estimator: str
) -> tuple[float, float]:
    """Look up the LID of the image of a set that carries a caption.

    Parameters
    ----------
    scores : DataFrame
        Long table of scores, with `items`.
    sets : DataFrame
        From `image_sets.read_sets`.
    name, text, estimator : str
        Image set, caption, and which score.

    Returns
    -------
    value, stderr : float
        NaN where the set has no image with this caption, or it has no such score; its first one otherwise.
    """
    item = sets.loc[(sets["items"] == name) & (sets["caption"] == text), "item"]
    rows = scores[
        (scores["items"] == name)
        & (scores["estimator"] == estimator)
        & (scores["item"] == (item.iloc[0] if len(item) else -1))
    ]
    return (float(rows["value"].iloc[0]), float(rows["stderr"].iloc[0])) if len(rows) else (np.nan, np.nan)


def walk_figure(
    walk: Walk, image: np.ndarray, generated: np.ndarray, *, below: str, similarity: str, title: str
) -> Figure:
    """Draw the training image, the generations, and where the prompt lies among all of its set.

    Parameters
    ----------
    walk : Walk
        From `choose`.
    image : (3, H, W) uint8
        The training image.
    generated : (n, 3, H, W) uint8
        The generations of ``walk.shown``.
    below : str
        What is printed below the training image: its LID.
    similarity : str
        Name of the similarity.
    title : str
        Above.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the full text block.
    """
    columns = len(generated) + 1
    lines = _lines(walk.text)
    fig = style.figure(style.TEXT, 1.62 + 0.12 * len(lines) + 6.2 / max(columns, 6))
    heights = [0.32 + 6.2 / max(columns, 6), 0.95 + 0.12 * len(lines)]
    upper, lower = fig.subfigures(2, 1, squeeze=False, height_ratios=heights)[:, 0]
    axes = upper.subplots(1, columns, squeeze=False)[0]
    texts = [below, *(f"similarity {value:.2f}" for value in walk.shown["similarity"])]
    heads = ["training\nimage", *(f"generation\n{number}" for number in walk.shown["generation"])]
    for place, (ax, picture) in enumerate(zip(axes, [image, *generated], strict=True)):
        ax.imshow(picture.transpose(1, 2, 0), aspect="equal")
        ax.set_xticks([])
        ax.set_yticks([])
        ax.set_title(heads[place], fontsize=6.2)
        ax.set_xlabel(style.minus(texts[place]), fontsize=6.2, labelpad=2)
        for spine in ax.spines.values():
            spine.set_visible(True)
            spine.set_color(_OTHER if place else _IMAGE)
            spine.set_linewidth(0.6 if place else 1.6)
    _strip(lower.subplots(), walk, similarity, lines)
    fig.suptitle(title, fontsize=7.5)
    return fig


def numbers(walk: Walk, prompt_set: str, lid: float, stderr: float) -> list[pd.DataFrame]:
    """Prepare the plotted numbers for the CSV.

    Parameters
    ----------
    walk : Walk
        From `choose`.
    prompt_set : str
        Its set.
    lid, stderr : float
        From `lid_of_caption`.

    Returns
    -------
    list of DataFrame
        The training image (`kind` is `training`, with `lid` and `stderr`), the generations shown
        (`generation`), and the median similarity of every prompt of the set (`prompt`).
    """
    keys = {"prompt_set": prompt_set, "prompt": walk.prompt, "train": walk.train, "caption": walk.text}
    image = pd.DataFrame([{"kind": "training", **keys, "lid": lid, "stderr": stderr, "rule": walk.rule}])
    shown = walk.shown.assign(kind="generation", **{**keys, "caption": None})
    every = walk.prompts.assign(kind="prompt", prompt_set=prompt_set)
    return [image, shown, every]


def _strip(ax: Axes, walk: Walk, similarity: str, lines: list[str]) -> None:
    values = walk.prompts["similarity"].to_numpy(float)
    own = float(walk.prompts.loc[walk.prompts["prompt"] == walk.prompt, "similarity"].iloc[0])
    ax.vlines(values, 0, 1, color=style.GREY, linewidth=0.5)
    ax.plot([own, own], [0, 1], color=_IMAGE, linewidth=1.6)
    ax.plot(own, 1.25, "v", color=_IMAGE, clip_on=False)
    ax.set_ylim(0, 1.5)
    margin = 0.05 * np.ptp(values) or 0.02
    ax.set_xlim(values.min() - margin, values.max() + margin)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(
        f"{similarity} to the caption's training image, median over each prompt's generations "
        f"($n$ = {len(values)} prompts)\ntriangle: the prompt shown above, {walk.rule}"
    )
    # A caption is text of strangers: its dollars are no formulas.
    ax.set_title("\n".join(lines), fontsize=6.6, parse_math=False)


def _lines(text: str) -> list[str]:
    printable = "".join(c if c.isprintable() else " " for c in text)
    return textwrap.wrap(f"caption: “{printable}”", 118, max_lines=3, placeholder=" …”")


def _rgb(image: np.ndarray) -> np.ndarray:
    return np.broadcast_to(image, (3, *image.shape[1:])) if len(image) == 1 else image
