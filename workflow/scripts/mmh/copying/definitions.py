"""Earlier definitions of copying, and LID, as rules on one set of samples: what each of them finds.

A rule gives each sample a number, small for a copy, and finds it if the number is at most the rule's limit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mmh.copying.balls import exact_interval
from mmh.copying.excess import Bound
from mmh.copying.three_sample import CopyingTest
from mmh.stats.curves import cluster_bootstrap, percentile_interval

COLUMNS = [
    "definition",
    "compared_with",
    "statistic",
    "group",
    "limit",
    "n",
    "count",
    "value",
    "low",
    "high",
    "n_clusters",
]
MIN_CLASS = 2
UNCLEAR = ("unsure", "off")
"""Groups that are counted, and told from no other."""
C_T = "C_T"
FOUND, AUC = "share found", "AUC"


@dataclass(frozen=True)
class Rule:
    """A definition as a rule on samples.

    Attributes
    ----------
    definition : str
        Whose it is.
    compared_with : str
        What a sample is compared with: ``law`` (of the training set), ``unseen`` (items of the law that the
        training set does not hold), ``distinct`` or ``all`` training items, or nothing.
    value : (n,) float
        Small for a copy; may be infinite.
    limit : float or None
        A sample at most this small is found; None: no limit is known, only the order counts.
    """

    definition: str
    compared_with: str
    value: np.ndarray
    limit: float | None


def rules(
    x: np.ndarray,
    train: np.ndarray,
    *,
    law: Callable[[np.ndarray], Bound],
    unseen: Callable[[np.ndarray], Bound],
    gamma: float,
    excess: float,
    ratio: float,
    neighbours: int,
    alpha: float,
    groups: np.ndarray,
) -> list[Rule]:
    """Apply the definitions that look at samples and at training items.

    Parameters
    ----------
    x : (n, ...) float
        Samples.
    train : (m, ...) float
        Training items, repeated ones as often as they are.
    law, unseen : callable
        Bounds of the excess over the law, and over the law without repeated items: functions of the distinct
        training items that give a `mmh.copying.excess.Bound`.
    gamma, excess : float
        gamma and lambda of Definition A.1.
    ratio : float
        Largest ratio of the distances to the two nearest training items.
    neighbours, alpha : int and float
        Of calibrated l2.
    groups : (m,) int
        From `mmh.compute.duplicates.duplicate_groups`.

    Returns
    -------
    list of Rule
    """
    from mmh.copying.distances import authenticity, nearest_ratio
    from mmh.copying.excess import shown_excess
    from mmh.retrieval.calibrated_distance import calibrated_l2

    distinct = train[np.unique(groups)]
    of_law, of_unseen = (-shown_excess(x, distinct, make(distinct), gamma) for make in (law, unseen))
    near = calibrated_l2(x, train, neighbours=neighbours, alpha=alpha, top=1, groups=groups).score[:, 0]
    return [
        Rule("Bhattacharjee et al.", "law", of_law, -excess),
        Rule("Bhattacharjee et al.", "unseen", of_unseen, -excess),
        Rule("Yoon et al., Gu et al.", "distinct", nearest_ratio(x, distinct), ratio),
        Rule("Yoon et al., Gu et al.", "all", nearest_ratio(x, train), ratio),
        Rule("Carlini et al.", "distinct", near, 1.0),
        Rule("AuthPct", "distinct", authenticity(x, distinct), 1.0),
        Rule("AuthPct", "all", authenticity(x, train), 1.0),
    ]


def table(
    found: Sequence[Rule],
    tests: dict[str, CopyingTest],
    sample: pd.DataFrame,
    *,
    groups: Sequence[str],
    negative: str,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """Count what each rule finds in each group of samples, and how well its order tells them apart.

    Parameters
    ----------
    found : sequence of Rule
        With values of all samples.
    tests : dict of str to CopyingTest
        C_T by what it is compared with.
    sample : pandas.DataFrame
        Of the samples that count: `sample` (its row among the values), `group`, `cluster`.
    groups : sequence of str
        Groups, in order.
    negative : str
        The group that is not memorized, which AUCs compare the others with.
    resamples, seed : int
        Of the bootstrap of AUCs.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`. Shares have exact intervals: samples of one model are independent. Those of AUCs are over
        clusters, by the present rule of `mmh.stats`. The interval of C_T is that of its null, around it.
    """
    rows: list[dict[str, Any]] = []
    for rule in found:
        head = {"definition": rule.definition, "compared_with": rule.compared_with, "limit": rule.limit}
        for group in [*groups, "all"] if rule.limit is not None else []:
            here = sample if group == "all" else sample[sample["group"] == group]
            if here.empty:
                continue
            count = int((rule.value[here["sample"]] <= rule.limit).sum())
            share = exact_interval(count, len(here))
            ends = {"value": share.estimate, "low": share.low, "high": share.high}
            clusters = here["cluster"].nunique()
            own = {"group": group, "n": len(here), "count": count, "n_clusters": clusters}
            rows.append(head | {"statistic": FOUND} | own | ends)
    rows += _areas(found, sample, groups, negative, resamples, seed)
    for against, test in tests.items():
        margin = 1.96 * test.deviation
        ends = {"value": test.statistic, "low": test.statistic - margin, "high": test.statistic + margin}
        n = int(test.cells.loc[test.cells["weight"] > 0, "generated"].sum())
        head = {"definition": "Meehan et al.", "compared_with": against, "statistic": C_T, "group": "all"}
        rows.append(head | {"n": n} | ends)
    return pd.DataFrame(rows, columns=COLUMNS).astype({"n": "Int64", "count": "Int64", "n_clusters": "Int64"})


def _areas(
    found: Sequence[Rule],
    sample: pd.DataFrame,
    groups: Sequence[str],
    negative: str,
    resamples: int,
    seed: int,
) -> list[dict[str, Any]]:
    from scipy.stats import rankdata

    rows = []
    for number, group in enumerate(groups):
        here = sample[sample["group"].isin([group, negative])]
        positive = (here["group"] == group).to_numpy()
        if group in (negative, *UNCLEAR) or min(positive.sum(), (~positive).sum()) < MIN_CLASS:
            continue
        # Ranks: some values are infinite, and AUC asks for the order alone.
        order = np.stack([-rankdata(rule.value[here["sample"]]) for rule in found], axis=1)
        draws = cluster_bootstrap(
            order, positive, here["cluster"].to_numpy(), resamples=resamples, seed=seed, ids=[13, number]
        )
        for k, rule in enumerate(found):
            area = percentile_interval(draws.auc[k], draws.auc_resampled[:, k], len(here))
            head = {"definition": rule.definition, "compared_with": rule.compared_with, "limit": rule.limit}
            ends = {"value": area.estimate, "low": area.low, "high": area.high}
            own = {"statistic": AUC, "group": group, "n": len(here), "n_clusters": draws.n_clusters}
            rows.append(head | own | ends)
    return rows
