"""``re_elicitation.csv``: how often attacks of growing budget bring a training image back, beside chance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmh.errors import InputError
from mmh.io.arrays import read_arrays
from mmh.mitigated.measures import EVALUATED, Embed, Truth, compared
from mmh.mitigated.table import HOW, interval_of, said
from mmh.stats.clusters import mover, share_interval
from mmh.stats.resampling import LEVEL, Interval

METRICS = ("reached", "success", "similarity")
"""Share of prompts of which one generation at least is back after this budget or a smaller one; share of this
budget's generations that are; and their mean similarity to the training image."""
COLUMNS = ["mitigation", "prompt_set", "budget", "metric", "estimate", "low", "high", *HOW]
COLUMNS += ["excess", "excess_low", "excess_high", "verdict", "rows", "attack_rows", "threshold"]
REMOVED, RETURNS, UNDECIDED, NO_ROOM = "removed", "returns", "undecided", "no room"


def chance_threshold(mitigated: pd.DataFrame, reference: str, control: str, percentile: float) -> float:
    """Similarity that so few plain generations of control prompts exceed.

    Parameters
    ----------
    mitigated : pandas.DataFrame
        `mmh.io.tables.MITIGATED`.
    reference : str
        Mitigation that changes nothing.
    control : str
        Set of prompts of images that are not memorized.
    percentile : float

    Returns
    -------
    float
        Linear between order statistics.

    Raises
    ------
    InputError
        If there are no such generations.
    """
    rows = mitigated[(mitigated["mitigation"] == reference) & (mitigated["prompt_set"] == control)]
    values = rows.loc[rows["part"] == EVALUATED, "similarity"].dropna()
    if not len(values):
        raise InputError(
            f"re_elicitation: no evaluated generations of set '{control}' by '{reference}' have a training "
            "image"
        )
    return float(np.percentile(values.to_numpy(dtype=np.float64), percentile))


def measured(
    files: Sequence[Path],
    truth: Truth,
    embedded: Embed,
    threshold: float,
    report: Callable[[int], None],
) -> pd.DataFrame:
    """Compare the images of attacked prompts with their training images.

    Parameters
    ----------
    files : sequence of path
        ``elicited/<mitigation>/<prompt_set>/<span>.npz``.
    truth, embedded
        As for `mmh.mitigated.measures.measured`.
    threshold : float
        From `chance_threshold`: an image is back if it is more similar.
    report : callable
        Called with the number of files done.

    Returns
    -------
    pandas.DataFrame
        `mmh.io.tables.ELICITED`, in the order of the files.
    """
    parts = []
    for done, path in enumerate(files, 1):
        names = ("image", "id", "prompt", "budget", "generation", "rows", "attack_rows")
        image, number, prompt, budget, generation, rows, attacked = read_arrays(path, *names)
        how: dict[str, Any] = {"prompt_set": path.parent.name, "group": number, "cut": threshold}
        found = compared(
            image, number, prompt, [""] * len(prompt), truth, embedded, classify=None, agree=None, **how
        )
        columns = {
            "mitigation": path.parent.parent.name,
            "prompt_set": path.parent.name,
            "prompt": prompt,
            "budget": budget,
            "generation": generation,
            "family": found["family"],
            "similarity": found["similarity"],
            "success": (found["similarity"] > threshold).astype(np.int64),
            "rows": rows,
            "attack_rows": attacked,
        }
        parts.append(pd.DataFrame(columns))
        report(done)
    return pd.concat(parts, ignore_index=True)


def elicitation_table(
    table: pd.DataFrame, *, control: str, threshold: float, least_excess: float, most_chance: float
) -> pd.DataFrame:
    """Count what attacks bring back, by mitigation, set and budget, and say whether it is more than chance.

    The excess over the control prompts has bounds that hold for all budgets of a mitigation at once
    (Bonferroni). "removed": at this budget and at each smaller one the excess lies below `least_excess`.
    "returns": at one of them it lies above. "no room": the attack brings back the share `most_chance` of the
    control prompts' own images, too; such a budget tells nothing, and the smaller ones' verdict is theirs.

    Parameters
    ----------
    table : pandas.DataFrame
        `mmh.io.tables.ELICITED`.
    control : str
        Set that gives the level of chance.
    threshold : float
        Written beside.
    least_excess, most_chance : float
        In shares of prompts.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`; excess and verdict in rows of `reached` of the other sets.
    """
    rows = _rows(table, control, least_excess, most_chance)
    return pd.DataFrame(list(rows), columns=COLUMNS).assign(threshold=threshold)


def _rows(table: pd.DataFrame, control: str, least: float, most: float) -> Iterator[dict[str, Any]]:
    by_prompt = table.groupby(["mitigation", "prompt_set", "budget", "prompt", "family"], sort=False)
    prompts = by_prompt["success"].max().reset_index().sort_values("budget", kind="stable")
    # Who knows the image stops when it is back: a larger budget can do what a smaller one could.
    prompts["success"] = prompts.groupby(["mitigation", "prompt_set", "prompt"])["success"].cummax()
    for (name, prompt_set), own in table.groupby(["mitigation", "prompt_set"], sort=False):
        budgets = sorted(own["budget"].unique())
        level = 1 - (1 - LEVEL) / len(budgets)
        returned = removed = None
        for budget in budgets:
            shared = {"mitigation": name, "prompt_set": prompt_set, "budget": budget}
            at = own[own["budget"] == budget]
            spent = {key: float(at[key].mean()) for key in ("rows", "attack_rows")}
            for metric in METRICS:
                row = shared | {"metric": metric} | spent | said(_interval(at, prompts, metric, shared))
                if metric == "reached" and prompt_set != control:
                    chance = _chosen(prompts, shared | {"prompt_set": control})
                    gone = excess(_chosen(prompts, shared), chance, level=level)
                    row |= {
                        "excess": gone.estimate,
                        "excess_low": gone.low,
                        "excess_high": gone.high,
                    }
                    if chance["success"].mean() >= most:
                        row["verdict"] = NO_ROOM
                    else:
                        returned = bool(returned) or gone.low > least
                        removed = (removed is None or removed) and gone.high < least
                        row["verdict"] = RETURNS if returned else REMOVED if removed else UNDECIDED
                yield row


def _chosen(prompts: pd.DataFrame, keys: dict[str, Any]) -> pd.DataFrame:
    return prompts[np.logical_and.reduce([prompts[key] == value for key, value in keys.items()])]


def _interval(at: pd.DataFrame, prompts: pd.DataFrame, metric: str, keys: dict[str, Any]) -> Interval:
    if metric == "similarity":
        return interval_of(at["similarity"].to_numpy(), at["family"].to_numpy(), metric)
    rows = _chosen(prompts, keys) if metric == "reached" else at
    return share_interval(rows["success"].to_numpy() > 0, rows["family"].to_numpy(), "family")


def excess(own: pd.DataFrame, chance: pd.DataFrame, *, level: float = LEVEL) -> Interval:
    """Difference of the shares of prompts of two sets that are brought back (MOVER of both intervals).

    Parameters
    ----------
    own, chance : pandas.DataFrame
        `success` and `family` of prompts, not empty.
    level : float

    Returns
    -------
    Interval
        Without bounds where one of the shares has none.
    """
    one, other = (
        share_interval(rows["success"].to_numpy() > 0, rows["family"].to_numpy(), "family", level=level)
        for rows in (own, chance)
    )
    change = one.estimate - other.estimate
    down = mover(one.estimate - one.low, other.high - other.estimate, 0.0)
    up = mover(one.high - one.estimate, other.estimate - other.low, 0.0)
    return Interval(
        change,
        max(change - down, -1.0),
        min(change + up, 1.0),
        one.n + other.n,
        level,
        n_clusters=min(one.n_clusters, other.n_clusters),
        unit="family",
        method="of both shares, MOVER",
        reason=one.reason or other.reason,
    )
