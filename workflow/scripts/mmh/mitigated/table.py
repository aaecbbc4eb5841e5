"""``mitigation.csv``: each mitigation's generations in numbers, with intervals over families of prompts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mmh.stats.clusters import share_interval
from mmh.stats.means import mean_interval
from mmh.stats.resampling import LEVEL, Interval

UNUSUAL = 0.05
"""Of normal noises so many have a smaller p than this."""
HOW = ["n", "n_clusters", "unit", "method", "reason"]
COLUMNS = ["mitigation", "prompt_set", "part", "metric", "estimate", "low", "high", *HOW]
COLUMNS += ["difference", "difference_low", "difference_high"]
SHARES = {"copies": "copy", "correct": "correct", "unusual_noise": "", "accepted": "accepted"}
"""What is yes or no of each generation: copies of the training image, of the right class, from a noise whose
norm has a p below `UNUSUAL`, from a noise that its search accepts; with the column that says so."""
BOUNDED = ("similarity", "alike", "clip")
"""Mean cosines: to the training image, to the other generations of the prompt, of CLIP to the prompt."""
METRICS = (*SHARES, *BOUNDED, "rows", "log_norm", "png")
"""And network rows, log ||x_T||, and the PNG size in bits."""


def values_of(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """One number of each generation.

    Parameters
    ----------
    table : pandas.DataFrame
        From `mitigated.measures.measured`.
    metric : str
        One of `METRICS`.

    Returns
    -------
    pandas.DataFrame
        The keys of a generation, `part` and `family` as in the table, and `value`; those without one are
        absent.
    """
    column = SHARES.get(metric, metric)
    value = table[column] if column else table["noise_p"] < UNUSUAL
    keys = ["mitigation", "prompt_set", "prompt", "generation", "part", "family"]
    return table[keys].assign(value=value.astype(np.float64)).dropna(subset="value")


def paired(values: pd.DataFrame, name: str, reference: str) -> pd.DataFrame:
    """Differences of the generations of two mitigations, prompt by prompt and generation by generation.

    Parameters
    ----------
    values : pandas.DataFrame
        From `values_of`.
    name, reference : str
        Mitigations.

    Returns
    -------
    pandas.DataFrame
        `prompt_set`, `prompt`, `generation`, `family`, `difference` (of `name` less `reference`).
    """
    keys = ["prompt_set", "prompt", "generation", "family"]
    one, other = (values[values["mitigation"] == each][[*keys, "value"]] for each in (name, reference))
    both = one.merge(other, on=keys, suffixes=("", "_reference"))
    return both.assign(difference=both["value"] - both["value_reference"])[[*keys, "difference"]]


def difference_interval(rows: pd.DataFrame, metric: str, *, level: float = LEVEL) -> Interval:
    """Mean of paired differences, over families of prompts; `rows` from `paired`, not empty.

    Where few families change, the jackknife takes those that it sees for all there are. So differences of
    shares get two families more, one each way, of the middle size (Bonett and Price 2012 do so with pairs);
    they change by the root mean square of a whole change and of those that change. The estimate is that of
    the data.
    """
    number, family = rows["difference"].to_numpy(), rows["family"].to_numpy()
    if metric not in SHARES:
        return mean_interval(number, family, "family", within=2.0 if metric in BOUNDED else None, level=level)
    seen = mean_interval(number, family, "family", within=1.0, level=level)
    if np.isnan(seen.low) or not number.any():  # where nothing changes the bound is exact
        return seen
    each = rows.groupby("family")["difference"]
    changes = each.mean().to_numpy()
    change = float(np.sqrt(np.mean([1.0, *np.square(changes[changes != 0])])))
    size, last = int(np.median(each.size())), int(family.max())
    number = np.concatenate([number, np.repeat([change, -change], size)])
    family = np.concatenate([family, np.repeat([last + 1, last + 2], size)])
    wide = mean_interval(number, family, "family", within=1.0, level=level)
    low, high = min(wide.low, seen.estimate), max(wide.high, seen.estimate)
    return replace(seen, low=low, high=high, method="jackknife, t, two families more")


def comparison(
    table: pd.DataFrame, reference: str, *, metrics: Sequence[str] = METRICS, by: Sequence[str] = ()
) -> pd.DataFrame:
    """List each mitigation's numbers, and their paired differences from the reference.

    Parameters
    ----------
    table : pandas.DataFrame
        From `mitigated.measures.measured`.
    reference : str
        Mitigation that changes nothing.
    metrics : sequence of str
        Of `METRICS`.
    by : sequence of str
        Columns whose values are compared each by itself, besides part and prompt set.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, then `by`; prompts for tuning have rows of their own. Metrics that no generation has are
        absent.
    """
    return pd.DataFrame(list(_rows(table, reference, metrics, by)), columns=[*COLUMNS, *by])


def _rows(
    table: pd.DataFrame, reference: str, metrics: Sequence[str], by: Sequence[str]
) -> Iterator[Mapping[str, Any]]:
    for keys, group in table.groupby(["part", "prompt_set", *by], sort=False):
        for metric in metrics:
            values = values_of(group, metric)
            for name in dict.fromkeys(values["mitigation"]):
                own = values[values["mitigation"] == name]
                number, family = own["value"].to_numpy(), own["family"].to_numpy()
                row = {"mitigation": name, "prompt_set": keys[1], "part": keys[0], "metric": metric}
                row |= dict(zip(by, keys[2:], strict=True)) | said(interval_of(number, family, metric))
                changes = paired(values, name, reference)
                if name != reference and len(changes):
                    change = difference_interval(changes, metric)
                    row |= {"difference": change.estimate, "difference_low": change.low}
                    row["difference_high"] = change.high
                yield row


def interval_of(number: NDArray[np.float64], family: NDArray[np.int64], metric: str) -> Interval:
    """Mean of values (n,) of a metric, over families (n,) of prompts."""
    if metric in SHARES:
        return share_interval(number > 0, family, "family")
    return mean_interval(number, family, "family", within=1.0 if metric in BOUNDED else None)


def said(interval: Interval) -> dict[str, Any]:
    """Put an interval into columns of the table."""
    return {key: getattr(interval, key) for key in ("estimate", "low", "high", *HOW)}
