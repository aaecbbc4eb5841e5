"""What each sample counts for in a comparison: the class that people gave it or, until then, its rank."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mmh.errors import InputError
from mmh.evaluation.samples import CONTRASTS, NEGATIVE
from mmh.io.table_files import read_table
from mmh.io.tables import CANDIDATES as CANDIDATE_LIST
from mmh.io.tables import LABELS, MATCHES
from mmh.labels.classes import sample_classes

OTHERS = "others"
CANDIDATES = "candidates"
COMPARED = [*CONTRASTS["memorized"], NEGATIVE]
"""Classes that are compared: all but `unsure`."""
DISTANCES = ["calibrated_l2", "sscd"]
"""Distances of retrieval; where a sample has a match by each, the first one counts."""


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
    return classes[classes["label"].isin(COMPARED)].sort_values("sample", ignore_index=True)


def read_ranks(
    labels: str | Path,
    matches: str | Path,
    candidates: str | Path | Sequence[str | Path] = (),
    *,
    lists: bool = False,
) -> pd.DataFrame:
    """Read what samples count for while nobody has labelled: candidates, and all samples that are none.

    Parameters
    ----------
    labels, matches : path
        `labels.parquet`, for a message, and `matches.parquet`.
    candidates : path or sequence of path
        `candidates.parquet`, or nothing where an experiment has none.
    lists : bool
        Whether the list of each distance is a group, in which a sample that is in both lists counts twice;
        otherwise the candidates of either distance are one group.

    Returns
    -------
    DataFrame
        `sample`, `label` (a distance, or `CANDIDATES`, or `OTHERS`), `train`. The match of a candidate is the
        one that made it a candidate, by the first of `DISTANCES` if both did; the match of another sample is
        its first by that distance (or by the one that there is).

    Raises
    ------
    InputError
        If there are no candidates.
    """
    listed = read_candidates(labels, candidates)
    preference = {metric: k for k, metric in enumerate(DISTANCES)}
    listed = listed.sort_values(["sample", "metric"], key=lambda s: s.replace(preference), kind="stable")
    once = listed.drop_duplicates("sample").assign(label=CANDIDATES)
    pairs = read_table(matches, MATCHES).query("rank == 1")
    pairs = pairs.sort_values(["sample", "metric"], key=lambda s: s.replace(preference), kind="stable")
    rest = pairs[~pairs["sample"].isin(once["sample"])].drop_duplicates("sample").assign(label=OTHERS)
    parts = [listed.assign(label=listed["metric"]) if lists else once, rest]
    rows = pd.concat(parts)[["sample", "label", "train"]]
    return rows.sort_values(["sample", "label"], kind="stable", ignore_index=True)


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
        As `mmh.retrieval.candidates.candidates` gives it, of the distances in `DISTANCES`.

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
    return table[table["metric"].isin(DISTANCES)].reset_index(drop=True)
