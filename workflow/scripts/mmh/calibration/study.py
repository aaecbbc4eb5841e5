"""How often a claim holds, or an AUC differs from 1/2, where neither is so: shares over many trials."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mmh.calibration.worlds import EDGE, NO_EFFECT, World
from mmh.claims.base import Finding
from mmh.compute import rng
from mmh.stats.decisions import INSIDE, OPEN, OUTSIDE, decide, holm, p_value
from mmh.stats.resampling import LEVEL

QUESTION = ["kind", "experiment", "claim", "role", "question", "under", "null"]
ANSWER = [*QUESTION, "trial", "n", "n_clusters", "said", "p"]
COLUMNS = [
    *QUESTION,
    *("n", "n_clusters", "trials", "none", "holds", "fails", "share", "mc_error", "marked"),
]
DETECTOR, CLAIM, RUN = "detector", "claim", "run"
MOST = 1000
"""More questions than this no run has."""
WITHOUT = ""
"""Said of data that bound nothing."""
ADJUSTED, ALONE = "any claim holds, adjusted (Holm)", "any claim holds, each alone"


def ask(
    worlds: Sequence[World], experiment: str, trials: Iterable[int], seed: int = 0, *, adjust: bool = True
) -> pd.DataFrame:
    """Draw data in each world again and again, and ask.

    Parameters
    ----------
    worlds : sequence of World
    experiment : str
        Its name is part of the key of the random numbers.
    trials : iterable of int
        Numbers of the trials: each has random numbers of its own, the same ones in all worlds.
    seed : int
        Root seed.
    adjust : bool
        Whether p-values are wanted, for `runs`.

    Returns
    -------
    pandas.DataFrame
        `ANSWER`; `said` is what `mmh.stats.decisions.decide` says at 95 %, or `WITHOUT`; `p` is 1 where
        nothing is decided, and missing where there is no interval.
    """
    records = []
    for trial in trials:
        for world in worlds:
            stream = rng.generator(seed, f"calibration-{experiment}", trial)
            for found in world.findings(stream, trial):
                interval, p = found.at(level=LEVEL), np.nan
                said = WITHOUT
                if not np.isnan(interval.low + interval.high):
                    said = decide(interval, found.region)
                    p = _p(found, said) if adjust and world.claim else np.nan
                kind, role = (CLAIM, found.role) if world.claim else (DETECTOR, "")
                about = (kind, experiment, world.claim, role, found.statistic, found.under, world.null)
                records.append((*about, trial, interval.n, interval.n_clusters, said, p))
    return pd.DataFrame(records, columns=ANSWER)


def _p(found: Finding, said: str) -> float:
    """What Holm is told: a p-value that he rejects whatever the others are is not looked for any closer."""
    if said == OPEN:
        return 1.0
    return max(p_value(found.at, found.region), (1 - LEVEL) / MOST)


def shares(answers: pd.DataFrame) -> pd.DataFrame:
    """Count what was said to each question.

    Parameters
    ----------
    answers : pandas.DataFrame
        From `ask`, of any experiments.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`. `share` is that of what is false, among the trials with an interval: a claim that holds, an
        AUC that differs from 1/2. `none`: share of trials without an interval. `n` and `n_clusters`: medians.
        `marked`: the share exceeds 1 - `LEVEL` by more than two of its Monte-Carlo errors.
    """
    records = []
    for about, rows in answers.groupby(QUESTION, sort=False):
        named = dict(zip(QUESTION, about, strict=True))
        said = rows["said"].to_numpy()
        bounded = int((said != WITHOUT).sum())
        inside, outside = int((said == INSIDE).sum()), int((said == OUTSIDE).sum())
        wrong = inside + outside if named["kind"] == DETECTOR else inside
        size = {"n": int(rows["n"].median()), "n_clusters": int(rows["n_clusters"].median())}
        records.append({**named, **size, **_share(wrong, inside, outside, bounded, len(rows))})
    return pd.DataFrame(records, columns=COLUMNS)


def runs(answers: pd.DataFrame) -> pd.DataFrame:
    """How often any claim of a run holds, in worlds where none does: each alone, and adjusted.

    Parameters
    ----------
    answers : pandas.DataFrame
        From `ask`, of all experiments of a run, with p-values. A question without one of the two nulls is
        asked under the other one.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, two rows for each null; that of claims taken alone is never marked, it is what Holm mends.
    """
    records = []
    claims = answers[answers["kind"] == CLAIM]
    keys = QUESTION[:-1]
    for null, other in ((NO_EFFECT, EDGE), (EDGE, NO_EFFECT)):
        own = claims[claims["null"] == null]
        known = pd.MultiIndex.from_frame(own[keys])
        rest = claims[claims["null"] == other]
        rest = rest[~pd.MultiIndex.from_frame(rest[keys]).isin(known)]
        whole = pd.concat([own, rest])
        alone, adjusted, counts = [], [], []
        for _, rows in whole.groupby("trial", sort=True):
            false = ((rows["said"] == INSIDE) & (rows["role"] == CLAIM)).to_numpy()
            below = holm(rows["p"].to_numpy(dtype=float)) <= 1 - LEVEL
            alone.append(bool(false.any()))
            adjusted.append(bool((false & below).any()))
            counts.append(int(rows["p"].notna().sum()))
        for question, hits in ((ALONE, alone), (ADJUSTED, adjusted)):
            about = dict.fromkeys(QUESTION, "") | {"kind": RUN, "question": question, "null": null}
            size = {"n": int(np.median(counts)) if counts else 0, "n_clusters": 0}
            counted = _share(sum(hits), sum(hits), 0, len(hits), len(hits))
            records.append({**about, **size, **counted, "marked": counted["marked"] and question == ADJUSTED})
    return pd.DataFrame(records, columns=COLUMNS)


def _share(wrong: int, inside: int, outside: int, bounded: int, trials: int) -> dict[str, Any]:
    share = wrong / bounded if bounded else np.nan
    error = float(np.sqrt(share * (1 - share) / bounded)) if bounded else np.nan
    return {
        "trials": trials,
        "none": 1 - bounded / trials if trials else np.nan,
        "holds": inside / bounded if bounded else np.nan,
        "fails": outside / bounded if bounded else np.nan,
        "share": share,
        "mc_error": error,
        "marked": bool(bounded and share > 1 - LEVEL + 2 * error),
    }


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Put the questions of one claim, or of one contrast, together.

    Parameters
    ----------
    table : pandas.DataFrame
        From `shares` and `runs`.

    Returns
    -------
    pandas.DataFrame
        `what`, `experiment`, `null`, `questions`, `n`, `n_clusters` (the fewest), `trials`, `none` (mean),
        `mean` and `worst` share, the `mc_error` of the latter, and `marked`, how many questions exceed the
        bar.
    """
    records = []
    for (what, experiment, null), rows in table.assign(what=_what(table)).groupby(
        ["what", "experiment", "null"], sort=False
    ):
        known = rows.dropna(subset=["share"])
        worst = known.loc[known["share"].idxmax()] if len(known) else None
        records.append(
            {
                **{"what": what, "experiment": experiment, "null": null, "questions": len(rows)},
                **{"n": int(rows["n"].min()), "n_clusters": int(rows["n_clusters"].min())},
                **{"trials": int(rows["trials"].max()), "none": float(rows["none"].mean())},
                "mean": float(known["share"].mean()),
                "worst": np.nan if worst is None else float(worst["share"]),
                "mc_error": np.nan if worst is None else float(worst["mc_error"]),
                "marked": int(rows["marked"].sum()),
            }
        )
    return pd.DataFrame(records)


def _what(table: pd.DataFrame) -> pd.Series:
    contrast = table["question"].str.rpartition(", ")[2]
    named = {
        DETECTOR: "AUC, " + contrast,
        CLAIM: "claim " + table["claim"].astype(str) + table["role"].map({CLAIM: "", "control": ", control"}),
        RUN: table["question"],
    }
    return pd.Series(
        np.select([table["kind"] == k for k in named], list(named.values()), ""), index=table.index
    )


def markdown(table: pd.DataFrame) -> str:
    """Print the summary, and below it each question whose share exceeds the bar.

    Parameters
    ----------
    table : pandas.DataFrame
        From `shares` and `runs`.

    Returns
    -------
    str
    """
    heads = [
        *("what is asked", "experiment", "null", "questions", "n", "clusters"),
        *("false, mean", "worst", "± MC", "above the bar", "none", "trials"),
    ]
    lines = [heads, ["---"] * len(heads)]
    for row in summary(table).itertuples():
        worst = _percent(row.worst)
        lines.append(
            [
                *(row.what, row.experiment, row.null, str(row.questions)),
                *(
                    str(row.n) if row.n else "",
                    str(row.n_clusters) if row.n_clusters else "",
                    _percent(row.mean),
                ),
                *(f"**{worst}**" if row.marked else worst, _percent(row.mc_error), str(row.marked or "")),
                *(f"{100 * row.none:.0f} %" if round(row.none, 2) else "", str(row.trials)),
            ]
        )
    text = "".join("| " + " | ".join(line) + " |\n" for line in lines)
    above = table[table["marked"].astype(bool)]
    if len(above):
        text += "\nAbove the bar:\n\n"
    for row in above.itertuples():
        under = f", under {row.under}" if row.under else ""
        claim = f"claim {row.claim}: " if row.claim else ""
        share = f"{_percent(row.share)} ± {_percent(row.mc_error)}"
        sides = f" (above {_percent(row.holds)}, below {_percent(row.fails)})" if row.kind == DETECTOR else ""
        where = f"{row.experiment}, " if row.experiment else ""
        text += f"- {where}{claim}{row.question}{under}; {row.null}: {share}{sides}\n"
    return text


def _percent(share: float) -> str:
    return "-" if share != share else f"{100 * share:.1f} %"
