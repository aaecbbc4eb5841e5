"""``rewriting.csv``: what each choice of words and each k gives, and CLIP at fixed similarities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from mmh.mitigated.frontier import Frontier
from mmh.mitigated.measures import EVALUATED, TUNING
from mmh.mitigated.table import HOW, comparison, said
from mmh.stats.clusters import share_interval

METRICS = ("copies", "correct", "similarity", "alike", "clip")
"""Of generations, as in ``mitigation.csv``; CLIP compares with the original prompt."""
PROBLEMS = "problems"
"""Share of rewritings with a problem: of those but what the encoder cuts there are no generations."""
CLIP_AT = "clip_at"
"""CLIP where a choice's curve along k comes down to the similarity `at`."""
COLUMNS = ["choice", "prompt_set", "part", "k", "at", "metric", "estimate", "low", "high", *HOW]
COLUMNS += ["difference", "difference_low", "difference_high"]


def rewriting_table(
    table: pd.DataFrame,
    rewrites: pd.DataFrame,
    families: Mapping[tuple[str, int], int],
    *,
    reference: str,
    tuned: int,
    similarities: Sequence[float],
    seed: int,
) -> pd.DataFrame:
    """Compare choices of words.

    Parameters
    ----------
    table : pandas.DataFrame
        `mmh.io.tables.REWRITTEN`.
    rewrites : pandas.DataFrame
        `mmh.io.tables.REWRITES`.
    families : mapping of (str, int) to int
        Family of each prompt.
    reference : str
        The choice that prefers no word; differences from it are paired, at equal k or similarity.
    tuned : int
        First prompts of each set that options were chosen on.
    similarities : sequence of float
        Where CLIP is compared.
    seed : int
        Of the bootstrap.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`: rows of `METRICS` and `PROBLEMS` by k, those of `CLIP_AT` by `at`.
    """
    named = table.rename(columns={"choice": "mitigation"})
    found = comparison(named, reference, metrics=METRICS, by=["k"]).rename(columns={"mitigation": "choice"})
    rest = [*_problems(rewrites, families, tuned), *_frontier(table, reference, similarities, seed)]
    parts = [one.astype({"k": "Int64"}) for one in (found, pd.DataFrame(rest, columns=COLUMNS))]
    return pd.concat(parts, ignore_index=True)[COLUMNS]


def _problems(
    rewrites: pd.DataFrame, families: Mapping[tuple[str, int], int], tuned: int
) -> Iterator[dict[str, Any]]:
    part = (rewrites["prompt"] < tuned).map({True: TUNING, False: EVALUATED})
    asked = rewrites.assign(part=part)[rewrites["k"] > 0]
    for keys, rows in asked.groupby(["choice", "prompt_set", "part", "k"], sort=False):
        family = [families[key] for key in zip(rows["prompt_set"], rows["prompt"], strict=True)]
        share = share_interval((rows["problem"] != "").to_numpy(), pd.Series(family).to_numpy(), "family")
        yield dict(zip(COLUMNS[:4], keys, strict=True)) | {"metric": PROBLEMS} | said(share)


def _frontier(
    table: pd.DataFrame, reference: str, similarities: Sequence[float], seed: int
) -> Iterator[dict[str, Any]]:
    for keys, rows in table.groupby(["prompt_set", "part"], sort=False):
        whole = Frontier(rows, seed)
        for choice in whole.choices:
            for at in similarities:
                row = dict(zip(COLUMNS[1:3], keys, strict=True)) | {"choice": choice, "at": at}
                row |= {"metric": CLIP_AT} | said(whole.interval(choice, at))
                if choice != reference:
                    change = whole.interval(choice, at, than=reference)
                    row |= {"difference": change.estimate, "difference_low": change.low}
                    row["difference_high"] = change.high
                yield row
