"""Densities of scores by image set, memorized images first, with how well each score tells them apart."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from mmh.errors import InputError
from mmh.plotting import style
from mmh.plotting.panels import densities_by_label

NAMES = {
    "memorized": "memorized",
    "control": "control",
    "generic": "generic",
    "laion-memorized": "LAION memorized",
    "laion-aesthetics": "LAION-Aesthetics",
    "coco": "COCO",
    "tuxemon": "Tuxemon",
}
"""Printed names of image sets and of prompt sets; any other is printed as the config calls it."""

_NOTE = (
    "Mark and bar: median, 95 % interval over families of images (none where there are too few).\n"
    "Tick: one image. AUC: {} against that set, 95 % interval."
)

# The memorized images have the colour that exact copies have elsewhere; told apart in grey print by the line.
_STYLES = (
    ("#D55E00", "-", "o"),
    ("#009E73", (0, (1, 1)), "^"),
    ("#0072B2", (0, (5, 1.5)), "s"),
    ("#AA4499", (0, (6, 1.2, 1, 1.2)), "D"),
    ("#7d7d7d", (0, (2, 1.2)), "X"),
)


def set_looks(names: Sequence[str]) -> dict[str, style.Look]:
    """Give each set its name in print, colour, line and marker; the first is the memorized one.

    Parameters
    ----------
    names : sequence of str
        Sets in the order drawn.

    Returns
    -------
    dict of Look

    Raises
    ------
    InputError
        If there are more sets than styles, or fewer than two.
    """
    if not 2 <= len(names) <= len(_STYLES):
        raise InputError(
            f"figures: {len(names)} image sets; give 2 to {len(_STYLES)}, the memorized one first"
        )
    return {
        name: style.Look(NAMES.get(name, name), *look) for name, look in zip(names, _STYLES, strict=False)
    }


def read_areas(path: str | Path, names: Sequence[str]) -> pd.DataFrame:
    """Read the AUC of the first set against each of the others.

    Parameters
    ----------
    path : path
        `evaluation.csv`, with contrasts `<first>-<other>`.
    names : sequence of str
        Sets, the memorized one first.

    Returns
    -------
    DataFrame
        `estimator`, `label` (the other set), `auc`, `auc_low`, `auc_high`.

    Raises
    ------
    InputError
        If a column is absent.
    """
    table = pd.read_csv(path)
    wanted = ["estimator", "contrast", "auc", "auc_low", "auc_high"]
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        raise InputError(f"{path}: an evaluation needs the column '{missing[0]}'")
    other = {f"{names[0]}-{name}": name for name in names[1:]}
    rows = table[table["contrast"].isin(list(other))]
    return rows.assign(label=rows["contrast"].map(other))[
        ["estimator", "label", "auc", "auc_low", "auc_high"]
    ].reset_index(drop=True)


def read_counts(paths: Sequence[str | Path]) -> dict[str, int]:
    """Read how many images each set by URL should have, those that were lost included.

    Parameters
    ----------
    paths : sequence of path
        ``image_sets/<set>.counts.json``.

    Returns
    -------
    dict of str to int
        By set.

    Raises
    ------
    InputError
        If a file is unreadable or says nothing of it.
    """
    found = {}
    for path in map(Path, paths):
        try:
            found[path.name.removesuffix(".counts.json")] = int(json.loads(path.read_text())["wanted"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path}: no counts of an image set ({error}); delete it and run again"
            ) from error
    return found


def score_names(scores: pd.DataFrame, estimators: Sequence[str], names: Mapping[str, str]) -> dict[str, str]:
    """Give the printed name of each score, with its noise level where it has one.

    Parameters
    ----------
    scores : DataFrame
        With `estimator` and `t`.
    estimators : sequence of str
        In the order wanted.
    names : mapping of str to str
        Printed names; an estimator without one is printed as the config calls it.

    Returns
    -------
    dict of str
        Name in the config to printed name.
    """
    levels = scores.groupby("estimator")["t"].first()
    printed = {name: names.get(name, name) for name in estimators}
    return {
        name: text if pd.isna(levels.get(name)) else f"{text}, $t_0$ = {levels[name]:.3g}"
        for name, text in printed.items()
    }


def axis_label(text: str, *, large: bool) -> str:
    """Say on a value axis which side speaks for memorization.

    Parameters
    ----------
    text : str
        What is measured, with unit.
    large : bool
        Whether large values do.

    Returns
    -------
    str
    """
    return f"{text}\n(memorized: {'large' if large else 'small'})"


def sets_figure(
    frame: pd.DataFrame,
    summary: pd.DataFrame,
    areas: pd.DataFrame,
    panels: Mapping[str, tuple[str, str]],
    looks: Mapping[str, style.Look],
    *,
    held: Mapping[str, int],
    title: str,
) -> Figure:
    """Draw one panel per score, one row per set.

    Parameters
    ----------
    frame : DataFrame
        `estimator`, `label` (the set), `value`.
    summary : DataFrame
        From `selection.medians` by estimator and label, over families.
    areas : DataFrame
        From `read_areas`.
    panels : mapping
        Estimators in the order of their panels: title and label of the value axis.
    looks : mapping
        From `set_looks`.
    held : mapping
        Images that each set holds, or that its list names; printed where fewer were scored.
    title : str
        Above all panels.

    Returns
    -------
    matplotlib.figure.Figure
        One text column wide with one panel, the full text block with two or three in a line.
    """
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)
    height = 0.85 + 1.12 * len(looks)
    fig = style.figure(style.COLUMN if columns == 1 else style.TEXT, 0.35 + height * lines)
    axes = fig.subplots(lines, columns, squeeze=False)
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    positive = next(iter(looks))
    for number, (ax, (estimator, (name, xlabel))) in enumerate(zip(axes.flat, panels.items(), strict=False)):
        mine = areas[areas["estimator"] == estimator].set_index("label")

        def words(stats: pd.Series, mine: pd.DataFrame = mine) -> str:
            return _in_words(stats, looks[stats["label"]].name, held, mine, stats["label"] == positive)

        ax.set_title(name)
        densities_by_label(
            ax,
            frame[frame["estimator"] == estimator],
            summary[summary["estimator"] == estimator],
            looks,
            xlabel=xlabel,
            counted="images scored",
            words=words,
        )
        if number % columns:
            ax.set_ylabel("")
    style.title(fig, title)
    note = _NOTE.format(looks[positive].name)
    fig.supxlabel(_wrapped(note, columns), fontsize=5.6, color=style.GREY)
    return fig


def numbers(frame: pd.DataFrame, summary: pd.DataFrame, areas: pd.DataFrame) -> list[pd.DataFrame]:
    """Prepare the plotted numbers for the CSV, whose column `kind` tells values from medians and AUCs.

    Parameters
    ----------
    frame, summary, areas : DataFrame
        As for `sets_figure`.

    Returns
    -------
    list of DataFrame
        Of the drawn scores alone; the set is called `set`.
    """
    drawn = areas[areas["estimator"].isin(frame["estimator"]) & areas["label"].isin(frame["label"])]
    parts = {"image": frame, "median": summary, "auc": drawn}
    named = [part.rename(columns={"label": "set"}).assign(kind=kind) for kind, part in parts.items()]
    return [part[["kind", *part.columns.drop("kind")]] for part in named]


def scaled_bits(values: pd.Series) -> tuple[float, str]:
    """Choose a unit in which sizes of images have few digits.

    Parameters
    ----------
    values : Series
        Sizes in bits.

    Returns
    -------
    factor : float
        By which to multiply them.
    unit : str
        ``bits``, ``kbit`` or ``Mbit``, in powers of 1000.
    """
    median = 0.0 if values.empty else values.median()
    power = int(median >= 1e4) + int(median >= 1e6)
    return 1000.0**-power, ("bits", "kbit", "Mbit")[power]


def _in_words(
    stats: pd.Series, name: str, held: Mapping[str, int], areas: pd.DataFrame, positive: bool
) -> str:
    n, families = int(stats["n"]), int(stats["n_clusters"])
    of = f" of {held[stats['label']]}" if held.get(stats["label"], n) > n else ""
    within = "" if families == n else f", {families} famil{'ies' if families != 1 else 'y'}"
    median = style.interval(stats["median"], stats["low"], stats["high"])
    text = f"{name}: $n$ = {n}{of}{within}\nmedian {median}"
    if positive:
        return text
    if stats["label"] not in areas.index:
        return f"{text}\nAUC not evaluated"
    row = areas.loc[stats["label"]]
    return f"{text}\nAUC {style.interval(row['auc'], row['auc_low'], row['auc_high'], 2)}"


def _wrapped(text: str, columns: int) -> str:
    """Break the note into lines that fit below one panel or several."""
    import textwrap

    width = 74 if columns == 1 else 160
    return "\n".join(line for part in text.split("\n") for line in textwrap.wrap(part, width))
