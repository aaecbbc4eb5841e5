"""Which samples a figure compares: the classes that people gave them or, until somebody has, ranks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mmh.errors import InputError
from mmh.io.files import read_table
from mmh.io.tables import CANDIDATES as CANDIDATE_LIST
from mmh.io.tables import LABELS, MATCHES
from mmh.labels.label_files import sample_classes
from mmh.plotting import style

OTHERS = "others"
CANDIDATES = "candidates"


@dataclass(frozen=True)
class Groups:
    """Samples with the group that each one counts for, and how the groups are drawn."""

    rows: pd.DataFrame  # sample, label (a key of `looks`), train
    looks: Mapping[str, style.Look]
    labelled: bool

    @property
    def by(self) -> str:
        """What the groups are, for titles."""
        return "label" if self.labelled else "rank"

    @property
    def note(self) -> str:
        """What is to be said in the figure; nothing where people have labelled."""
        return "" if self.labelled else style.UNLABELLED

    def numbers(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Prepare plotted numbers for the CSV: ranks must not be taken for labels there either.

        Parameters
        ----------
        frame : DataFrame
            With a column `label`.

        Returns
        -------
        DataFrame
            The frame as it is; without labels the column is called `group`, and `note` says why.
        """
        return frame if self.labelled else frame.rename(columns={"label": "group"}).assign(note=self.note)


def read_classes(labels: str | Path, matches: str | Path) -> pd.DataFrame:
    """Read the class of each labelled sample and the match that gave it, without `unsure`.

    Parameters
    ----------
    labels, matches : path
        `labels.parquet` and `matches.parquet`.

    Returns
    -------
    DataFrame
        Columns `sample`, `label`, `train`, ordered by sample.
    """
    classes = sample_classes(read_table(labels, LABELS), read_table(matches, MATCHES))
    return classes[classes["label"].isin(list(style.LABELS))].sort_values("sample", ignore_index=True)


def read_groups(
    labels: str | Path,
    matches: str | Path,
    candidates: str | Path | Sequence[str | Path] = (),
    *,
    lists: bool = False,
) -> Groups:
    """Read the groups of samples that a figure compares.

    Parameters
    ----------
    labels, matches : path
        `labels.parquet`, which may be without rows, and `matches.parquet`.
    candidates : path or sequence of path
        `candidates.parquet`, or nothing where an experiment has none; read only without labels.
    lists : bool
        Without labels, whether the list of each distance is a group, in which a sample that is in both lists
        counts twice; otherwise the candidates of either distance are one group.

    Returns
    -------
    Groups
        With labels: one row per labelled sample. Without: the candidates, and all samples that are none. The
        match of a candidate is the one that made it a candidate, by calibrated l2 if both distances did; the
        match of another sample is its first by calibrated l2 (or by the distance that there is).

    Raises
    ------
    InputError
        If there are neither labels nor candidates.
    """
    if len(read_table(labels, LABELS)):
        return Groups(read_classes(labels, matches), style.LABELS, labelled=True)
    listed = read_candidates(labels, candidates)
    # In the order of style.METRICS calibrated l2 comes first.
    preference = {metric: k for k, metric in enumerate(style.METRICS)}
    listed = listed.sort_values(["sample", "metric"], key=lambda s: s.replace(preference), kind="stable")
    once = listed.drop_duplicates("sample").assign(label=CANDIDATES)
    pairs = read_table(matches, MATCHES).query("rank == 1")
    pairs = pairs.sort_values(["sample", "metric"], key=lambda s: s.replace(preference), kind="stable")
    rest = pairs[~pairs["sample"].isin(once["sample"])].drop_duplicates("sample").assign(label=OTHERS)
    if lists:
        present = set(listed["metric"])
        looks = {name: look for name, look in style.LISTS.items() if name in {*present, OTHERS}}
        parts = [listed.assign(label=listed["metric"]), rest]
    else:
        looks, parts = style.RANKS, [once, rest]
    rows = pd.concat(parts)[["sample", "label", "train"]]
    rows = rows.sort_values(["sample", "label"], kind="stable", ignore_index=True)
    return Groups(rows, looks, labelled=False)


def read_candidates(labels: str | Path, candidates: str | Path | Sequence[str | Path]) -> pd.DataFrame:
    """Read the table of candidates in place of labels that nobody has given yet.

    Parameters
    ----------
    labels : path
        `labels.parquet`, for the message.
    candidates : path or sequence of path
        `candidates.parquet`, or nothing.

    Returns
    -------
    DataFrame
        As `mmh.retrieval.candidates.candidates` gives it, of the distances that have a printed name.

    Raises
    ------
    InputError
        If there is no such table.
    """
    paths = [candidates] if isinstance(candidates, str | Path) else list(candidates)
    if not paths:
        raise InputError(
            f"{labels}: nobody has labelled a pair, and the experiment lists no candidates to draw instead; "
            "add label files, or a section `candidates` to the experiment in config.yaml"
        )
    table = read_table(paths[0], CANDIDATE_LIST)
    return table[table["metric"].isin(list(style.METRICS))].reset_index(drop=True)
