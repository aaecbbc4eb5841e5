"""How well metrics of prompts tell memorized ones, by steps and generations, beside what their text tells."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmh.detection.curve_scores import is_control
from mmh.errors import InputError
from mmh.evaluation.names import PROMPTS, TURNED, Detector, contrast_name
from mmh.metrics.base import METRICS
from mmh.plotting import roc, style
from mmh.plotting.set_panels import NAMES
from mmh.prompts.words import NGRAMS

CONTROLS = {
    NGRAMS: "n-grams",
    "text_characters": "characters",
    "text_words": "words",
    "text_word_length": "length of words",
    "text_capitalized": "share of capitals",
    "text_digits": "share of digits",
    "text_punctuation": "share of punctuation",
}
"""Printed names of the controls, which see the text alone."""

_NEEDED = ("estimator", "contrast", "n_positive", "n_negative", "n_clusters", "auc", "auc_low", "auc_high")
_ANCHOR = {"estimator", "auc", "source"}
# One style per curve; text alone has the last.
_STYLES = (
    ("#D55E00", "-", "o"),
    ("#0072B2", (0, (5, 1.5)), "s"),
    ("#AA4499", (0, (6, 1.2, 1, 1.2)), "D"),
    ("#009E73", (0, (3, 1, 1, 1, 1, 1)), "v"),
)
_TEXT_STYLE = ("#6f6f6f", (0, (1, 1)), "^")


def printed(name: str) -> str:
    """Give the printed name of a detector or control.

    Parameters
    ----------
    name : str
        Such as ``cfg_norm.first.n4`` or ``text_ngrams``.

    Returns
    -------
    str
        Such as ``CFG norm, first step, 4 gen.``
    """
    detector = Detector.parse(name.removesuffix(TURNED))
    if detector is None:
        return f"text: {CONTROLS.get(name, name)}" if is_control(name) else name
    metric = METRICS[detector.metric]
    words = [metric.printed or metric.name]
    if detector.variant != "final":
        named = {"first": "first step", "mean": "all steps", "low": f"$t$ ≤ {metric.until}"}
        of = f"first {detector.steps} steps" if detector.step is None else f"step {detector.step}"
        words.append(named.get(detector.variant, of))
    return ", ".join([*words, f"{detector.generations} gen."])


def read_rows(path: str | Path, pair: Sequence[str], metrics: Sequence[str] = ()) -> pd.DataFrame:
    """Read the evaluation of one contrast of prompts: detectors by metric, then controls.

    Parameters
    ----------
    path : path
        `evaluation.csv`.
    pair : (str, str)
        Sets of memorized and of other prompts.
    metrics : sequence of str
        Only detectors of these; all if empty.

    Returns
    -------
    DataFrame
        Rows of the file in its order.

    Raises
    ------
    InputError
        If a column is absent, or there is no detector of this contrast.
    """
    table = pd.read_csv(path)
    missing = [name for name in _NEEDED if name not in table.columns]
    if missing:
        raise InputError(f"{path}: an evaluation needs the column '{missing[0]}'")
    contrast = PROMPTS + contrast_name(*pair)
    rows = table[table["contrast"] == contrast]
    control = rows["estimator"].map(is_control).astype(bool)
    metric = rows["estimator"].str.split(".").str[0]
    shown = list(metrics) or [name for name, row in METRICS.among(metric).items() if not row.control]
    wanted = metric.isin(shown)
    detectors = rows[~control & wanted]
    if detectors.empty:
        raise InputError(f"{path}: no detector of the contrast '{contrast}' has been evaluated")
    return pd.concat([detectors, rows[control]], ignore_index=True)


def checked_anchors(anchors: Iterable[Mapping[str, Any]], rows: pd.DataFrame) -> pd.DataFrame:
    """Check the published values against the rows that they are drawn on.

    Parameters
    ----------
    anchors : iterable of mapping
        `estimator`, `auc`, `source` of each.
    rows : DataFrame
        From `read_rows`.

    Returns
    -------
    DataFrame
        `estimator`, `auc`, `source`.

    Raises
    ------
    InputError
        If an entry names no row.
    """
    table = list(anchors)
    for anchor in table:
        if anchor["estimator"] not in set(rows["estimator"]):
            known = ", ".join(rows["estimator"])
            raise InputError(
                f"figures.prompt_detection.anchors: no row '{anchor['estimator']}'; there are {known}"
            )
    return pd.DataFrame(table, columns=sorted(_ANCHOR))[["estimator", "auc", "source"]]


def detection_figure(
    rows: pd.DataFrame,
    curves: pd.DataFrame,
    anchors: pd.DataFrame,
    *,
    pair: Sequence[str],
    title: str,
) -> Figure:
    """Draw the ROC curves on the left, the AUC of every detector and control on the right.

    Parameters
    ----------
    rows : DataFrame
        From `read_rows`.
    curves : DataFrame
        From `stats.roc.roc_table`.
    anchors : DataFrame
        From `checked_anchors`.
    pair : (str, str)
        Sets of memorized and of other prompts.
    title : str
        Above both.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the full text block.
    """
    names = list(dict.fromkeys(curves["detector"]))
    counts = (int(rows["n_positive"].iloc[0]), int(rows["n_negative"].iloc[0]))
    told = rows[~constant(rows)].reset_index(drop=True)
    fig = style.figure(style.TEXT, max(3.6, 1.15 + 0.165 * len(told)))
    left, right = fig.subplots(1, 2, width_ratios=[1.0, 1.05])
    roc.draw_curves(left, curves, _looks(names), counts)
    left.set_anchor("N")
    _forest(right, told, anchors)
    style.title(fig, title)
    fig.supxlabel(_note(rows, anchors, pair, counts), fontsize=5.6, color=style.GREY)
    return fig


def constant(rows: pd.DataFrame) -> np.ndarray:
    """Tell which controls are the same for all prompts, bool (n,): an AUC of one half, without any spread."""
    areas = rows[["auc", "auc_low", "auc_high"]].to_numpy(float)
    controls = rows["estimator"].map(is_control).to_numpy(bool)
    return np.asarray(controls & (areas == 0.5).all(axis=1))


def _looks(names: Sequence[str]) -> dict[str, style.Look]:
    detectors = [name for name in names if not is_control(name)]
    controls = [name for name in names if is_control(name)]
    if len(detectors) > len(_STYLES) or len(controls) > 1:
        raise InputError(
            f"figures.prompt_detection.curves: at most {len(_STYLES)} detectors and one control can be told "
            f"apart, there are {len(detectors)} and {len(controls)}"
        )
    looks = {name: style.Look(printed(name), *look) for name, look in zip(detectors, _STYLES, strict=False)}
    return looks | {name: style.Look(printed(name), *_TEXT_STYLE) for name in controls}


def _forest(ax: Axes, rows: pd.DataFrame, anchors: pd.DataFrame) -> None:
    control = rows["estimator"].map(is_control).to_numpy(bool)
    place = np.arange(len(rows)) + 0.7 * control  # a gap before what sees the text alone
    for kind, (colour, _, marker) in ((False, _STYLES[0]), (True, _TEXT_STYLE)):
        for y, row in zip(place[control == kind], rows[control == kind].itertuples(), strict=True):
            if np.isfinite(row.auc_low + row.auc_high):
                ax.hlines(y, row.auc_low, row.auc_high, color=colour, linewidth=1.2)
            ax.plot(row.auc, y, marker, color=colour, markerfacecolor="white", markersize=3.4)
            text = style.interval(row.auc, row.auc_low, row.auc_high, 3)
            ax.annotate(
                text,
                (1.03, y),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=5.8,
                color=style.INK,
            )
    for anchor in anchors.itertuples():
        y = place[rows["estimator"].tolist().index(anchor.estimator)]
        ax.plot(anchor.auc, y, "|", color=style.INK, markersize=9, markeredgewidth=1.1, zorder=4)
    ends = pd.concat([rows["auc"], rows["auc_low"], anchors["auc"]]).dropna()
    ax.set_xlim(min(0.45, ends.min() - 0.03), 1.01)
    ax.set_ylim(place[-1] + 0.7, -0.7)
    ax.axvline(0.5, color=style.GREY, linewidth=0.5, zorder=0)
    ax.set_yticks(place, [printed(name) for name in rows["estimator"]], fontsize=5.8)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("AUC, 95 % interval")


def _note(
    rows: pd.DataFrame,
    anchors: pd.DataFrame,
    pair: Sequence[str],
    counts: Sequence[int],
) -> str:
    of = [f"{n} {NAMES.get(name, name)}" for name, n in zip(pair, counts, strict=True)]
    families = int(rows["n_clusters"].min())
    lines = [
        f"Prompts: {' and '.join(of)}; {families} families in the class that has fewer. "
        "Bands (pointwise) and bars: 95 % intervals over families",
        "(no bands where a class has fewer than 40). gen.: generations averaged. "
        "Grey triangles: controls, of the prompts' text or of PNG sizes alone.",
    ]
    same = [printed(name).removeprefix("text: ") for name in rows.loc[constant(rows), "estimator"]]
    if same:
        lines.append(f"Not drawn, since they are the same for all of these prompts: {', '.join(same)}.")
    if len(anchors):
        sources = "; ".join(dict.fromkeys(anchors["source"]))
        lines.append(f"Upright marks: published values, on other prompts ({sources}).")
    return "\n".join(lines)
