"""One look for all figures, and saving whose bytes depend on the plotted numbers alone."""

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["MPLBACKEND"] = "Agg"  # a notebook exports its own, which may not be installed here

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

COLUMN = 3.3
"""Width of one text column, inches."""
TEXT = 6.75
"""Width of the full text block, inches."""
INK = "#222222"
"""Text and marks that belong to no label."""
GREY = "#6f6f6f"
TRUTH = "#b9dcf2"
"""Light blue of the ground truth's support."""
MODEL = "#d1362f"
"""Red of the model's manifold."""


@dataclass(frozen=True)
class Look:
    """How one label is drawn: colour, and a line style and marker that tell it apart in grey print."""

    name: str
    colour: str
    line: Any
    marker: str


# Okabe and Ito's colours, chosen so that their greys differ too.
LABELS = {
    "exact": Look("exactly memorized", "#D55E00", "-", "o"),
    "reconstructive": Look("reconstructively memorized", "#0072B2", (0, (5, 1.5)), "s"),
    "not_memorized": Look("not memorized", "#009E73", (0, (1, 1)), "^"),
}
"""The plotted labels, in their order of severity; `unsure` is in no figure that compares labels."""

METRICS = {"calibrated_l2": r"calibrated $\ell_2$", "sscd": "SSCD"}

# Groups of samples that nobody has labelled, in colours that no label has (Tol's muted ones, and grey).
_OTHERS = Look("other samples", "#7d7d7d", (0, (2, 1.2)), "X")
RANKS = {
    "candidates": Look("candidates (either distance)", "#AA4499", (0, (6, 1.2, 1, 1.2)), "D"),
    "others": _OTHERS,
}
"""Groups of unlabelled samples where each sample counts once."""
LISTS = {
    "sscd": Look("top candidates by SSCD", "#882255", (0, (4, 1, 1, 1, 1, 1)), "P"),
    "calibrated_l2": Look(rf"top candidates by {METRICS['calibrated_l2']}", "#332288", (0, (8, 2)), "v"),
    "others": _OTHERS,
}
"""Groups of unlabelled samples where the list of each distance is a group, by the name of the distance."""
UNLABELLED = "unlabelled: groups are ranks, not judgements"
"""What figures and their CSV say while nobody has labelled."""

# Dates and versions would change the bytes.
_NAMELESS: Any = {"CreationDate": None, "Creator": None, "Producer": None}

_RC: Any = {
    "font.family": ["DejaVu Sans"],
    "mathtext.fontset": "dejavusans",
    "font.size": 7.0,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7.0,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.2,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "image.interpolation": "nearest",
    "figure.constrained_layout.use": True,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,
    "svg.hashsalt": "mmh",
    "path.simplify": False,
}


def figure(width: float, height: float) -> Figure:
    """Open an empty figure in the house style.

    Parameters
    ----------
    width, height : float
        Size in inches; `COLUMN` and `TEXT` are the two widths in use.

    Returns
    -------
    matplotlib.figure.Figure
        A figure under constrained layout.
    """
    # A user's own matplotlibrc must not change the bytes.
    matplotlib.rcdefaults()
    matplotlib.rcParams.update(_RC)
    return plt.figure(figsize=(width, height))


def save(fig: Figure, pdf: str | Path, png: str | Path) -> None:
    """Write a figure as PDF and as PNG (200 dpi), without dates or versions, and close it.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
        The finished figure.
    pdf, png : path
        Files to write; the format follows from the argument and not from the suffix.
    """
    fig.savefig(pdf, format="pdf", metadata=_NAMELESS)
    fig.savefig(png, format="png", metadata={"Software": None})
    plt.close(fig)


def save_sheet(sheet: Figure, pages: Iterable[Figure], pdf: str | Path, png: str | Path) -> None:
    """Write a sheet that is too high for a page: as a PDF of several pages, and as one PNG; close all.

    Parameters
    ----------
    sheet : matplotlib.figure.Figure
        The whole.
    pages : iterable of matplotlib.figure.Figure
        The same, cut into pages; drawn one at a time.
    pdf, png : path
        Files to write.
    """
    sheet.savefig(png, format="png", metadata={"Software": None})
    plt.close(sheet)
    with PdfPages(pdf, metadata=_NAMELESS) as file:
        for page in pages:
            file.savefig(page)
            plt.close(page)


def title(fig: Figure, text: str, note: str = "") -> None:
    """Put the title above all panels.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
        The figure.
    text : str
        From `heading`.
    note : str
        What a reader must not miss: a line of its own below the title, and both in a box.
    """
    if note:
        box = {"boxstyle": "round,pad=0.25", "facecolor": "#fff3cd", "edgecolor": INK, "linewidth": 0.6}
        fig.suptitle(f"{text}\n{note}", fontsize=7.5, bbox=box)
    else:
        fig.suptitle(text, fontsize=7.5)


def above(ax: Axes, x: float, text: str) -> None:
    """Write above the panel what is marked at a place of its horizontal axis.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The panel.
    x : float
        The place.
    text : str
        A few words.
    """
    ax.annotate(
        text,
        (x, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, 1),
        textcoords="offset points",
        fontsize=6.2,
        va="bottom",
        ha="center",
    )


def write_numbers(frames: pd.DataFrame | Sequence[pd.DataFrame], path: str | Path) -> None:
    r"""Write the plotted numbers as CSV.

    Parameters
    ----------
    frames : DataFrame or sequence of DataFrame
        Plotted numbers; several frames are put one below the other.
    path : path
        File to write.

    Notes
    -----
    Floats are written with the digits that reproduce them exactly, lines end in ``\n`` on every system.
    """
    table = frames if isinstance(frames, pd.DataFrame) else pd.concat(list(frames), ignore_index=True)
    table.to_csv(path, index=False, lineterminator="\n")


def heading(paper: str | None, text: str, experiment: str | None = None) -> str:
    """Compose a title such as ``Fig. 5c · digits: …``.

    Parameters
    ----------
    paper : str or None
        Number of the paper's figure, e.g. ``5c``.
    text : str
        What is shown.
    experiment : str or None
        Name of the experiment.

    Returns
    -------
    str
        The parts that are given, joined.
    """
    several = paper is not None and any(mark in paper for mark in "-,")
    number = f"Fig{'s' if several else ''}. {paper}" if paper else None
    head = " · ".join(part for part in (number, experiment) if part)
    return f"{head}: {text}" if head else text


def interval(estimate: float, low: float, high: float, decimals: int | None = None) -> str:
    """Format an estimate with its interval, all with the same number of decimals.

    Parameters
    ----------
    estimate, low, high : float
        The estimate and the ends of its interval.
    decimals : int or None
        Digits after the point; None takes three significant digits of the largest, and none for counts.

    Returns
    -------
    str
        Such as ``27.4 [26.9, 28.0]``; ``27.4 [too few]`` where the data cannot bound it.
    """
    if not math.isfinite(low + high):
        return minus(f"{estimate:.3g} [too few]")
    if decimals is None:
        largest = max(abs(estimate), abs(low), abs(high))
        counts = all(float(value).is_integer() for value in (estimate, low, high))
        decimals = 0 if counts else min(4, max(0, 2 - math.floor(math.log10(largest))))
    # Rounded first, and + 0.0: no "-0.00".
    texts = [minus(f"{round(float(value), decimals) + 0.0:.{decimals}f}") for value in (estimate, low, high)]
    return f"{texts[0]} [{texts[1]}, {texts[2]}]"


def minus(text: str) -> str:
    """Put the sign that prints as long as a plus in place of every hyphen.

    Parameters
    ----------
    text : str
        Formatted numbers.

    Returns
    -------
    str
        With U+2212 for ``-``.
    """
    return text.replace("-", "\N{MINUS SIGN}")
