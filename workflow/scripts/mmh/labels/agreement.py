"""How far raters agree, and where they do not.

Agreement is measured on the first round alone, where everybody judged by himself; a second round is held
together, and so tells nothing of agreement.
"""

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from mmh.labels.classes import CLASSES
from mmh.labels.kappa import Kappa, cohen_kappa, fleiss_kappa
from mmh.labels.merging import deciding_counts, majority, vote_counts
from mmh.stats.curves import wilson_interval

AGREEMENT = (
    "statistic",
    "rater_a",
    "label_a",
    "rater_b",
    "label_b",
    "n",
    "value",
    "low",
    "high",
    "note",
)
DISAGREEMENTS = ("pair", "sample", "train", "raters", *CLASSES, "state", "label")


def agreement_table(votes: pd.DataFrame, *, resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Put together how often raters chose each class, and how far they agree.

    Parameters
    ----------
    votes : pandas.DataFrame
        From `mmh.labels.label_files.read_label_files`.
    resamples, seed
        As for `cohen_kappa`; pairs of one sample are drawn together.

    Returns
    -------
    pandas.DataFrame
        `AGREEMENT`. By `statistic`: `votes`, the pairs that `rater_a` calls `label_a` (`second_round_votes`
        likewise); `merged`, the pairs of each class after merging; `unresolved`, those of them that are
        `unsure` because votes tie. For two raters `cohen_kappa`; `agreement`, the share of equal labels, with
        Wilson's interval (pairs taken as independent); `confusion`, how many pairs one calls `label_a` and
        the other `label_b`. For all of them `fleiss_kappa`. `n` counts pairs; `value`, `low` and `high` are
        missing for counts. Empty without votes; counts alone for one rater.
    """
    alone = votes[votes["round"] == 1]
    rows: list[dict[str, Any]] = []
    for statistic, part in (("votes", alone), ("second_round_votes", votes[votes["round"] == 2])):
        for rater, own in part.groupby("rater", sort=True):
            sizes = own["label"].value_counts()
            rows += [
                {"statistic": statistic, "rater_a": rater, "label_a": name, "n": sizes.get(name, 0)}
                for name in CLASSES
            ]
    if len(votes):
        label, tie = majority(deciding_counts(votes))
        rows += [{"statistic": "merged", "label_a": name, "n": (label == name).sum()} for name in CLASSES]
        rows.append({"statistic": "unresolved", "label_a": "unsure", "n": tie.sum()})
    spoken = alone.set_index(["sample", "train", "rater"])["label"].unstack("rater")
    for a, b in combinations(spoken.columns, 2):
        both = spoken[[a, b]].dropna()
        names = {"rater_a": a, "rater_b": b}
        if len(both):
            kappa = cohen_kappa(
                both[a].to_numpy(),
                both[b].to_numpy(),
                both.index.get_level_values("sample").to_numpy(),
                resamples=resamples,
                seed=seed,
            )
            share = wilson_interval(int((both[a] == both[b]).sum()), len(both))
            rows.append(_kappa_row("cohen_kappa", kappa) | names)
            rows.append(
                {"statistic": "agreement", **names, "n": share.n}
                | {"value": share.estimate, "low": share.low, "high": share.high}
            )
        else:
            rows.append({"statistic": "cohen_kappa", **names, "n": 0, "note": "no pair in common"})
        sizes = both.groupby([a, b]).size()
        rows += [
            {"statistic": "confusion", **names, "label_a": x, "label_b": y, "n": sizes.get((x, y), 0)}
            for x in CLASSES
            for y in CLASSES
        ]
    if len(spoken.columns) > 1:
        counts = vote_counts(alone)
        drawn = counts.index.get_level_values("sample").to_numpy()
        kappa = fleiss_kappa(counts.to_numpy(), drawn, resamples=resamples, seed=seed)
        rows.append(_kappa_row("fleiss_kappa", kappa))
    words = dict.fromkeys((name for name in AGREEMENT if name not in {"n", "value", "low", "high"}), "")
    table = pd.DataFrame([words | row for row in rows], columns=list(AGREEMENT))
    return table.astype({"n": np.int64, **dict.fromkeys(("value", "low", "high"), np.float64)})


def _kappa_row(statistic: str, kappa: Kappa) -> dict[str, Any]:
    interval = {"value": kappa.estimate, "low": kappa.low, "high": kappa.high}
    return {"statistic": statistic, "n": kappa.n, **interval, "note": kappa.note}


def disagreements(votes: pd.DataFrame) -> pd.DataFrame:
    """List the pairs that raters of the first round label differently, for a second round.

    A second round does not change which pairs are listed.

    Parameters
    ----------
    votes : pandas.DataFrame
        From `mmh.labels.label_files.read_label_files`.

    Returns
    -------
    pandas.DataFrame
        `DISAGREEMENTS`: how many `raters` of the first round chose each class, the merged `label`, and its
        `state`: `unresolved` (a tie, hence `unsure`), `majority` or `second round`. Sorted by ids. If any
        vote names a pair of the label sheet, others stay out: no page can show them.
    """
    alone = votes[votes["round"] == 1]
    if (votes["pair"] != "").any():
        alone = alone[alone["pair"] != ""]
    counts = vote_counts(alone)
    counts = counts[(counts > 0).sum(axis=1) > 1]
    decided = deciding_counts(votes).reindex(counts.index)
    label, tie = majority(decided)
    latest = votes.groupby(["sample", "train"])["round"].max().reindex(counts.index)
    pairs = alone.drop_duplicates(["sample", "train"]).set_index(["sample", "train"])["pair"]
    state = np.where(tie, "unresolved", np.where(latest.to_numpy() == 2, "second round", "majority"))
    table = counts.assign(
        pair=pairs.reindex(counts.index), raters=counts.sum(axis=1), state=state, label=label
    )
    return table.reset_index()[list(DISAGREEMENTS)]
