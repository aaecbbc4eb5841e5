"""How the groups that a figure compares are drawn: classes that people gave or, until then, ranks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mmh.errors import InputError
from mmh.evaluation.groups import OTHERS, read_classes, read_ranks
from mmh.io.table_files import read_table
from mmh.io.tables import LABELS, TRAIN
from mmh.plotting import style

CLUSTER = "cluster"
"""What intervals of figures take as one, as those of the evaluation: equal training images, or a family."""


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
    rows = read_ranks(labels, matches, candidates, lists=lists)
    if not lists:
        return Groups(rows, style.RANKS, labelled=False)
    present = {*rows["label"], OTHERS}
    looks = {name: look for name, look in style.LISTS.items() if name in present}
    return Groups(rows, looks, labelled=False)


def clustered(frame: pd.DataFrame, train: str | Path, image: str = "train") -> pd.DataFrame:
    """Say which rows belong together.

    Parameters
    ----------
    frame : DataFrame
        Rows that name a training image.
    train : path
        `data/train.parquet`.
    image : str
        Column of the training image.

    Returns
    -------
    DataFrame
        With the column `CLUSTER`: the group of the training image.

    Raises
    ------
    InputError
        If a training image does not exist.
    """
    group = read_table(train, TRAIN).set_index("train")["group"].reindex(frame[image])
    if group.isna().any():
        raise InputError(f"{train}: there is no training image {group.index[group.isna()][0]}")
    return frame.assign(**{CLUSTER: group.to_numpy(dtype="int64")})
