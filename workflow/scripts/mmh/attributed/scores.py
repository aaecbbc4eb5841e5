"""How well an attribution names the words that drive memorization, with intervals over prompts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mmh.attributed.span import TEXT
from mmh.io.tables import WORD_VALUES
from mmh.stats.correlation import spearman
from mmh.stats.means import mean_interval
from mmh.worlds.sets.wordings import Grammar

TUNING, EVALUATED = "tuning", "evaluated"
MEASURES = ("key_hit", "key_mass", "decoy_hit", "decoy_mass", "occlusion_rank", "occlusion_hit", "ends_mass")
"""Top word is a KEY; share of the sum over words that KEYs have; the same of the decoy; Spearman correlation
with the fall of similarity over the words of a prompt; top word is the one whose replacement costs most;
share of the tokens' sum that the ends and the filling have."""
HOW = ["n", "n_clusters", "unit", "method", "reason"]
COLUMNS = ["attribution", "level", "prompt_set", "part", "keys", "measure", "estimate", "low", "high", *HOW]


def word_values(table: pd.DataFrame) -> pd.DataFrame:
    """Give each word's value: of several tokens sqrt(sum a_i^2), the norm of their joint gradient.

    Parameters
    ----------
    table : pandas.DataFrame
        From `mmh.attributed.span.attribute_span`.

    Returns
    -------
    pandas.DataFrame
        `prompt_set`, `prompt`, `attribution`, `level`, `place`, `word`, `value`; the ends are left out.
    """
    keys = ["prompt_set", "prompt", "attribution", "level", "place", "word"]
    rows = table[table["place"] >= 0]
    squared = (
        rows.assign(value=rows["value"].to_numpy(np.float64) ** 2).groupby(keys, sort=False)["value"].sum()
    )
    return squared.pow(0.5).rename("value").reset_index()


def with_truth(
    words: pd.DataFrame,
    occlusion: pd.DataFrame | None,
    grammar: Grammar | None,
    *,
    families: Mapping[tuple[str, int], int],
    tune: int = 0,
) -> pd.DataFrame:
    """Put the part of each word (`role`) and the fall of similarity without it (`drop`) beside its values.

    Parameters
    ----------
    words : pandas.DataFrame
        From `word_values`.
    occlusion, grammar
        As for `prompt_scores`; what there is not is missing.
    families, tune
        As for `summary`: `family` and `part` of the prompt.

    Returns
    -------
    pandas.DataFrame
        `mmh.io.tables.WORD_VALUES`.
    """
    role = [None if grammar is None else grammar.role(word) for word in words["word"]]
    found = words.assign(role=pd.array(role, dtype="string"))
    found["family"] = [families[key] for key in zip(found["prompt_set"], found["prompt"], strict=True)]
    found["part"] = np.where(found["prompt"] < tune, TUNING, EVALUATED)
    if occlusion is None:
        found["drop"] = np.nan
    else:
        found = found.merge(occlusion[["prompt_set", "prompt", "place", "drop"]], how="left")
    return found[list(WORD_VALUES.columns)]


def hit(value: NDArray[np.float64], wanted: NDArray[np.bool_]) -> float:
    """Probability that the largest value is among those wanted; equal ones are drawn among."""
    top = value == value.max()
    return float((top & wanted).sum() / top.sum())


def mass(value: NDArray[np.float64], wanted: NDArray[np.bool_]) -> float:
    """Share of the sum that those wanted have; NaN if all values are 0."""
    return float(value[wanted].sum() / value.sum()) if value.sum() > 0 else np.nan


def prompt_scores(
    table: pd.DataFrame, occlusion: pd.DataFrame | None, grammar: Grammar | None
) -> pd.DataFrame:
    """Score each prompt's attributions.

    Parameters
    ----------
    table : pandas.DataFrame
        From `mmh.attributed.span.attribute_span`.
    occlusion : pandas.DataFrame, optional
        From `mmh.attributed.occlusion.occlude_span`.
    grammar : Grammar, optional
        Knows KEYs and decoys.

    Returns
    -------
    pandas.DataFrame
        `prompt_set`, `prompt`, `attribution`, `level`, `keys` (their number), `measure` (of `MEASURES`),
        `value`; what does not exist is absent.
    """
    ends = table.assign(end=table["value"].where(table["place"] < 0, 0.0))
    whole = ends.groupby(["prompt_set", "prompt", "attribution", "level"], sort=False)[["end", "value"]].sum()
    drops = None
    if occlusion is not None:
        drops = occlusion.set_index(["prompt_set", "prompt", "place"])["drop"]
    rows = []
    for keys, words in word_values(table).groupby(
        ["prompt_set", "prompt", "attribution", "level"], sort=False
    ):
        value = words["value"].to_numpy()
        found: dict[str, float] = {}
        n_keys = 0
        if grammar is not None:
            role = np.array([grammar.role(word) for word in words["word"]])
            n_keys = int((role == "key").sum())
            found = {
                "key_hit": hit(value, role == "key"),
                "key_mass": mass(value, role == "key"),
                "decoy_hit": hit(value, role == "decoy"),
                "decoy_mass": mass(value, role == "decoy"),
            }
        if drops is not None:
            fall = drops.loc[[(*keys[:2], place) for place in words["place"]]].to_numpy()
            if len(value) > 1 and np.ptp(value) > 0 and np.ptp(fall) > 0:
                found["occlusion_rank"] = float(spearman(value, fall)[0])
            found["occlusion_hit"] = hit(value, fall == fall.max())
        if keys[3] != TEXT and whole.loc[keys, "value"] > 0:
            found["ends_mass"] = float(whole.loc[keys, "end"] / whole.loc[keys, "value"])
        base = dict(zip(("prompt_set", "prompt", "attribution", "level"), keys, strict=True))
        rows += [{**base, "keys": n_keys, "measure": name, "value": v} for name, v in found.items()]
    return pd.DataFrame(rows).dropna(subset="value")


def summary(scores: pd.DataFrame, families: Mapping[tuple[str, int], int], tune: int) -> pd.DataFrame:
    """Average scores over prompts, with intervals over their families.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `prompt_scores`.
    families : mapping of (str, int) to int
        Family of each prompt.
    tune : int
        First prompts of each set that options were chosen on: a part of their own.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`; `keys` is the number of KEYs of the prompts, or ``all``.
    """
    part = np.where(scores["prompt"] < tune, TUNING, EVALUATED)
    family = [families[key] for key in zip(scores["prompt_set"], scores["prompt"], strict=True)]
    return pd.DataFrame(list(_rows(scores.assign(part=part, family=family))), columns=COLUMNS)


def _rows(scores: pd.DataFrame) -> Iterator[Mapping[str, Any]]:
    for of in ("all", *sorted(scores["keys"].unique())):
        chosen = scores if of == "all" else scores[scores["keys"] == of]
        if of != "all" and of == 0:
            continue
        by = ["attribution", "level", "prompt_set", "part", "measure"]
        for keys, group in chosen.groupby(by, sort=False):
            found = mean_interval(
                group["value"].to_numpy(np.float64), group["family"].to_numpy(), "family", within=1.0
            )
            row: dict[str, Any] = dict(zip(by, keys, strict=True)) | {"keys": str(of)}
            row |= {key: getattr(found, key) for key in ("estimate", "low", "high", *HOW)}
            if row["measure"] != "occlusion_rank":  # shares
                row["low"] = float(np.clip(row["low"], 0, None))
            yield row
