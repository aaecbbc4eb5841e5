"""One table of all detectors of prompts: ours with interval and cost, beside what was published."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmh.evaluation.names import PROMPTS, Detector
from mmh.metrics.base import METRICS

PUBLISHED = Path(__file__).with_name("published.csv")
"""Values from papers and from public re-runs, each with its source: of other models, prompts and solvers."""
INTERVALS = ["auc", "auc_low", "auc_high", "tpr_at_1fpr", "tpr_at_1fpr_low", "tpr_at_1fpr_high"]
OF_OTHERS = ["published_auc", "published_tpr", "published_source", "rerun_auc", "rerun_source"]
FIELD = [
    "method",
    "metric",
    "estimator",
    "contrast",
    "steps",
    "generations",
    "n_positive",
    "n_negative",
    "n_clusters",
]
FIELD += [*INTERVALS, "auc_gain", "auc_gain_low", "auc_gain_high", "baseline"]
FIELD += ["rows_forward", "rows_backward", *OF_OTHERS]


def published_values(model: str) -> pd.DataFrame:
    """Read what was published of a model: `method`, `metric`, `variant`, `generations`, `auc` and so on."""
    table = pd.read_csv(PUBLISHED, keep_default_na=False)
    table = table[table["model"] == model].reset_index(drop=True)
    numbers = ("generations", "auc", "tpr_at_1fpr", "rerun")
    return table.assign(**{key: pd.to_numeric(table[key]) for key in numbers})


def rows_of(detector: Detector, options: Any, *, steps: int, dim: int) -> tuple[int, int]:
    """Count the rows of the network that a detector takes for one prompt, sampling's own included.

    Parameters
    ----------
    detector : Detector
    options : Options
        Of its metric.
    steps : int
        Steps of sampling.
    dim : int
        Values of a latent.

    Returns
    -------
    forward, backward : int
        Sampling stops at the last step that the detector needs; each step of it takes two rows.
    """
    row = METRICS[detector.metric]
    if detector.steps is not None:
        last = seen = detector.steps
    elif detector.step is not None:
        last, seen = detector.step, 1
    else:
        last, seen = steps, 0 if row.needs == "image" else round(row.share(options, steps) * steps)
    forward, backward = row.network_rows(options, dim)
    each = detector.generations
    return each * (2 * last + seen * forward), each * seen * backward


def field_table(
    evaluation: pd.DataFrame,
    combined: pd.DataFrame | None,
    metrics: Mapping[str, Any],
    *,
    steps: int,
    dim: int,
    model: str,
) -> pd.DataFrame:
    """List every detector of prompts, every fit and every control, and what was published beside them.

    Parameters
    ----------
    evaluation : pandas.DataFrame
        ``evaluation.csv``.
    combined : pandas.DataFrame, optional
        ``combination.csv``; its fits are listed.
    metrics : mapping of str to Options
        The metrics that were taken, with their options.
    steps : int
        Steps of sampling.
    dim : int
        Values of a latent.
    model : str
        Whose published values stand beside.

    Returns
    -------
    pandas.DataFrame
        `FIELD`. Nothing is turned round or chosen here: signs are those of the metrics, fixed before any run.
    """
    others = published_values(model)
    rows = [row for _, row in evaluation[evaluation["contrast"].str.startswith(PROMPTS)].iterrows()]
    if combined is not None:
        rows += [row for _, row in combined[combined["kind"].isin(["added", "fit"])].iterrows()]
    records = [_ours(row, metrics, steps, dim) for row in rows]
    beside: set[int] = set()
    for record in records:
        key = record["metric"], record["steps"], record["generations"]
        same = others[(others["metric"] == key[0]) & (others["variant"] == key[1])]
        for place, other in same[same["generations"] == key[2]].iterrows():
            values = _theirs(other)
            if not set(values) & set(record):
                record |= values
                beside.add(int(str(place)))
    for place, other in others.iterrows():  # what stands beside none follows the rows of its metric
        if int(str(place)) in beside:
            continue
        same = [
            k for k, record in enumerate(records) if other["metric"] and record["metric"] == other["metric"]
        ]
        record = {"method": other["method"], "metric": other["metric"], "steps": other["variant"]}
        record |= {"generations": other["generations"]} | _theirs(other)
        records.insert(same[-1] + 1 if same else len(records), record)
    return pd.DataFrame(records, columns=FIELD)


def _ours(row: Any, metrics: Mapping[str, Any], steps: int, dim: int) -> dict[str, Any]:
    """The part of a row that was measured here."""
    detector = Detector.parse(row["estimator"])
    record = {name: row[name] for name in FIELD if name in row.index} | {"metric": "", "steps": ""}
    record["generations"] = np.nan
    if detector is not None:
        parts, record["metric"] = [detector], detector.metric
        record["method"] = METRICS[detector.metric].printed or detector.metric
        record |= {"steps": detector.variant, "generations": detector.generations}
    else:
        named = str(row["of"]).split(" + ") if "of" in row.index else []
        parts = [one for one in map(Detector.parse, named) if one is not None]
        record["method"] = "fit" if parts else "control"
    # Detectors share one pass of sampling: the longest that one of them needs, and what each takes besides.
    own = [2 * one.generations * _last(one, steps) for one in parts]
    costs = [rows_of(one, metrics[one.metric], steps=steps, dim=dim) for one in parts]
    besides = sum(forward - mine for (forward, _), mine in zip(costs, own, strict=True))
    record["rows_forward"] = max(own, default=0) + besides
    record["rows_backward"] = sum(backward for _, backward in costs)
    return record


def _theirs(other: Any) -> dict[str, Any]:
    """The part of a row that was published."""
    if other["rerun"]:
        return {"rerun_auc": other["auc"], "rerun_source": other["source"]}
    auc, rate = other["auc"], other["tpr_at_1fpr"]
    return {"published_auc": auc, "published_tpr": rate, "published_source": other["source"]}


def _last(detector: Detector, steps: int) -> int:
    """Number of the last step that a detector needs."""
    return detector.steps or detector.step or steps
