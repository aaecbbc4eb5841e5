"""Scores of the images of some sets, read and drawn with how well each tells the memorized images apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from mmh.evaluation import selection
from mmh.evaluation.image_sets import long_form, read_sets, side_by_side
from mmh.io.table_files import read_table
from mmh.io.tables import ALL_SCORES
from mmh.plotting import set_panels, style


@dataclass(frozen=True)
class SetScores:
    """What is drawn of some scores on some sets."""

    rows: pd.DataFrame  # of all scores, as saved
    frame: pd.DataFrame  # estimator, label (the set), value, family
    summary: pd.DataFrame  # medians over families
    areas: pd.DataFrame  # from `set_panels.read_areas`
    looks: Mapping[str, style.Look]
    held: Mapping[str, int]  # images that each set holds, or that its list names

    def figure(self, panels: Mapping[str, tuple[str, str]], *, title: str, factor: float = 1.0) -> Figure:
        """Draw one panel per score, one row per set.

        Parameters
        ----------
        panels : mapping
            Scores in the order of their panels: title and label of the value axis.
        title : str
            Above all panels.
        factor : float
            By which values are multiplied.

        Returns
        -------
        matplotlib.figure.Figure
        """
        ends = ["median", "low", "high", "lower_quartile", "upper_quartile"]
        return set_panels.sets_figure(
            self.frame.assign(value=factor * self.frame["value"]),
            self.summary.assign(**{name: factor * self.summary[name] for name in ends}),
            self.areas,
            panels,
            self.looks,
            held=self.held,
            title=title,
        )

    def numbers(self) -> list[pd.DataFrame]:
        """Prepare the plotted numbers for the CSV, in the unit of the scores."""
        return set_panels.numbers(self.frame, self.summary, self.areas)


def read_scores(
    scores: Path,
    image_sets: Sequence[Path],
    evaluation: Path,
    counts: Sequence[Path],
    *,
    sets: Sequence[str],
    estimators: Sequence[str],
) -> SetScores:
    """Read scores of images from the saved tables.

    Parameters
    ----------
    scores, evaluation : path
        `scores.parquet` and `evaluation.csv`.
    image_sets, counts : sequence of path
        ``<set>.parquet`` of each set, and the counts of those that are fetched.
    sets : sequence of str
        Image sets, the memorized one first.
    estimators : sequence of str
        Names of the scores.

    Returns
    -------
    SetScores
    """
    looks, table = set_panels.set_looks(sets), read_sets(image_sets)
    rows = read_table(scores, ALL_SCORES)
    frame = long_form(side_by_side(rows, table, sets, estimators), estimators)
    summary = selection.medians(frame, ["estimator", "label"], clusters="family")
    areas = set_panels.read_areas(evaluation, sets)
    held = table["items"].value_counts().to_dict() | set_panels.read_counts(counts)
    return SetScores(rows, frame, summary, areas, looks, held)
