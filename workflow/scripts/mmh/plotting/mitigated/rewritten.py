"""Images of rewritten prompts beside the training image, each above its words, the changed ones in colour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmh.errors import InputError
from mmh.io.arrays import read_arrays
from mmh.plotting import style
from mmh.rewriting.options import PLAIN

CHANGED = "#D55E00"
TRAINING = "training image"
_SIZE = 5.0  # of the words, points
_ADVANCE = 0.602 * _SIZE  # of a letter of DejaVu Sans Mono
_LINE = 1.3 * _SIZE
_FACES: dict[str, Any] = {"family": "DejaVu Sans Mono", "fontsize": _SIZE}


@dataclass(frozen=True, eq=False)
class Cell:
    """One image of a prompt: by which choice, its words, whether each was changed, and its similarity."""

    prompt: int
    choice: str
    image: np.ndarray | None
    words: list[tuple[str, bool]]
    similarity: float
    problem: str = ""


def changed_words(text: str, rewrite: str) -> list[tuple[str, bool]]:
    """Say of each word of a rewriting whether it was replaced or put in.

    Parameters
    ----------
    text, rewrite : str
        Before and after.

    Returns
    -------
    list of (str, bool)
        The words of `rewrite`, by the longest common runs of words.
    """
    before, after = text.split(), rewrite.split()
    changed = [True] * len(after)
    for block in SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks():
        changed[block.b : block.b + block.size] = [False] * block.size
    return list(zip(after, changed, strict=True))


def read_cells(
    rewrites: pd.DataFrame,
    measured: pd.DataFrame,
    generations: Sequence[str | Path],
    train: Mapping[int, np.ndarray],
    *,
    prompt_set: str,
    choices: Sequence[str],
    k: int,
    repeat: int,
) -> list[Cell]:
    """Gather what is drawn, prompt by prompt: the training image, the prompt as it is, then each choice.

    Parameters
    ----------
    rewrites : pandas.DataFrame
        `mmh.io.tables.REWRITES`.
    measured : pandas.DataFrame
        `mmh.io.tables.REWRITTEN`.
    generations : sequence of path
        ``rewritten/<prompt_set>/<span>.npz`` of the set.
    train : mapping of int to ndarray
        uint8 (3, H, W), the training image of each prompt that is shown.
    prompt_set, choices, k, repeat
        Which rewritings; of each the first generation.

    Returns
    -------
    list of Cell

    Raises
    ------
    InputError
        If there is no such rewriting, or one without a problem has no image.
    """
    own = rewrites[rewrites["prompt_set"] == prompt_set]
    seen = measured[measured["prompt_set"] == prompt_set]
    images = _images(generations, list(train), {PLAIN: 0, **dict.fromkeys(choices, k)})
    cells = []
    for prompt, target in train.items():
        text = (
            str(own.loc[own["prompt"] == prompt, "text"].iloc[0]) if (own["prompt"] == prompt).any() else ""
        )
        cells.append(Cell(prompt, TRAINING, target, [], np.nan))
        for choice in (PLAIN, *choices):
            steps = 0 if choice == PLAIN else k
            rows = own[(own["prompt"] == prompt) & (own["choice"] == choice) & (own["k"] == steps)]
            rows = rows if choice == PLAIN else rows[rows["repeat"] == repeat]
            if rows.empty:
                raise InputError(
                    f"rewrites.parquet: prompt {prompt} of {prompt_set} has no rewriting by '{choice}' of "
                    f"k = {steps}, repeat {repeat}"
                )
            found, problem = rows.iloc[0], str(rows.iloc[0]["problem"])
            rewrite = text if choice == PLAIN else str(found["rewrite"])
            image, generation = _of_repeat(images, (prompt, choice), rows, own, repeat)
            at = seen[(seen["prompt"] == prompt) & (seen["choice"] == choice) & (seen["k"] == steps)]
            value = at.loc[at["generation"] == generation, "similarity"]
            cells.append(
                Cell(
                    prompt,
                    choice,
                    image,
                    changed_words(text, rewrite),
                    float(value.iloc[0]) if len(value) else np.nan,
                    problem if image is None else "",
                )
            )
            if image is None and not problem:
                raise InputError(
                    f"prompt {prompt} of {prompt_set} has no image by '{choice}'; sample it anew"
                )
    return cells


def _images(
    paths: Sequence[str | Path], prompts: Sequence[int], wanted: Mapping[str, int]
) -> dict[tuple[int, str], dict[int, np.ndarray]]:
    """Images by (prompt, choice) and number of the noise."""
    found: dict[tuple[int, str], dict[int, np.ndarray]] = {}
    for path in paths:
        image, prompt, generation, choice, k = read_arrays(
            path, "image", "prompt", "generation", "choice", "k"
        )
        for row in np.flatnonzero(np.isin(prompt, prompts)):
            name = str(choice[row])
            if name in wanted and int(k[row]) == wanted[name]:
                found.setdefault((int(prompt[row]), name), {})[int(generation[row])] = image[row]
    return found


def _of_repeat(
    images: Mapping[tuple[int, str], Mapping[int, np.ndarray]],
    key: tuple[int, str],
    rows: pd.DataFrame,
    own: pd.DataFrame,
    repeat: int,
) -> tuple[np.ndarray | None, int]:
    """The first image of a repeat and the number of its noise: repeat r begins at r G."""
    repeats = int(own.loc[own["choice"] != PLAIN, "repeat"].max()) + 1
    plain = images.get((key[0], PLAIN), {})
    number = repeat * (len(plain) // repeats)
    return images.get(key, {}).get(number), number


def figure(cells: Sequence[Cell], printed: Mapping[str, str], heading: str) -> Figure:
    """Draw a row of images for each prompt.

    Parameters
    ----------
    cells : sequence of Cell
        From `read_cells`.
    printed : mapping of str to str
        Printed name of each choice.
    heading : str
        Title.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the text block.
    """
    prompts = list(dict.fromkeys(cell.prompt for cell in cells))
    columns = [cell.choice for cell in cells if cell.prompt == prompts[0]]
    width = style.TEXT / len(columns)
    letters = max(int(72 * (width - 0.12) / _ADVANCE), 8)
    lines = max(len(_lines(cell.words, letters)) for cell in cells)
    below = (lines * _LINE + 4) / 72
    fig = style.figure(style.TEXT, 0.55 + len(prompts) * (width + below + 0.3))
    axes = fig.subplots(
        2 * len(prompts), len(columns), squeeze=False, height_ratios=[width, below] * len(prompts)
    )
    for number, prompt in enumerate(prompts):
        own = [cell for cell in cells if cell.prompt == prompt]
        for place, cell in enumerate(own):
            upper, lower = axes[2 * number, place], axes[2 * number + 1, place]
            _image(upper, cell)
            if number == 0:
                upper.set_title(_name(cell.choice, printed), fontsize=6)
            _words(lower, _lines(cell.words, letters))
    style.title(fig, heading)
    return fig


def numbers(cells: Sequence[Cell]) -> pd.DataFrame:
    """What is drawn, as a table: the changed words in asterisks."""
    rows = [
        {
            "prompt": cell.prompt,
            "choice": cell.choice,
            "similarity": cell.similarity,
            "words": " ".join(f"*{word}*" if changed else word for word, changed in cell.words),
            "problem": cell.problem,
        }
        for cell in cells
    ]
    return pd.DataFrame(rows)


def _name(choice: str, printed: Mapping[str, str]) -> str:
    return "prompt as it is" if choice == PLAIN else printed.get(choice, choice).replace(", ", ",\n", 1)


def _image(ax: Axes, cell: Cell) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    if cell.image is None:
        ax.set_axis_off()
        ax.text(0.5, 0.5, cell.problem, ha="center", va="center", fontsize=_SIZE, transform=ax.transAxes)
        return
    ax.imshow(np.moveaxis(cell.image, 0, -1), interpolation="nearest")
    for spine in ax.spines.values():
        spine.set_visible(True)
        spine.set_edgecolor(style.LABELS["exact"].colour if cell.choice == TRAINING else style.GREY)
        spine.set_linewidth(1.2 if cell.choice == TRAINING else 0.5)
    if np.isfinite(cell.similarity):
        ax.set_xlabel(f"similarity {cell.similarity:.2f}", fontsize=_SIZE, labelpad=1.5)


def _lines(words: Sequence[tuple[str, bool]], letters: int) -> list[list[tuple[int, str, bool]]]:
    """Break words into lines of so many letters: for each word its first column."""
    lines: list[list[tuple[int, str, bool]]] = [[]]
    column = 0
    for word, changed in words:
        if lines[-1] and column + len(word) > letters:
            lines.append([])
            column = 0
        lines[-1].append((column, word, changed))
        column += len(word) + 1
    return lines


def _words(ax: Axes, lines: Sequence[Sequence[tuple[int, str, bool]]]) -> None:
    """Write words in a font of equal letters, each in its colour."""
    ax.set_axis_off()
    for number, line in enumerate(lines):
        for column, word, changed in line:
            ax.annotate(
                word,
                (0, 1),
                xycoords="axes fraction",
                xytext=(column * _ADVANCE, -number * _LINE),
                textcoords="offset points",
                va="top",
                color=CHANGED if changed else style.INK,
                **_FACES,
            )
