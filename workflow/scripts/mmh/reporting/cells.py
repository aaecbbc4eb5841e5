"""The result tables as they are printed: in the summary that ends a run, and on the page of results."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mmh.evaluation.label_noise import UNSURE
from mmh.evaluation.names import PROMPTS, marked
from mmh.io.table_files import read_table
from mmh.io.tables import GENERATION_MATCHES

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


def evaluation_grids(table: "pd.DataFrame") -> Iterator[tuple[list[str], list[list[str]]]]:
    """Lay out ``evaluation.csv``: a column per contrast, a line per score; images first, then prompts.

    Controls that say nothing at all, an AUC of exactly one half without spread, are left out.

    Parameters
    ----------
    table : DataFrame

    Yields
    ------
    heads : list of str
        Each contrast with the numbers that it compares, and the clusters of the class with fewer.
    lines : list of list of str
        Name of the score, then its AUC with interval in each contrast, ``-`` where there is none.
    """
    on_prompts = table["contrast"].str.startswith(PROMPTS)
    for part in (table[~on_prompts], table[on_prompts]):
        idle = (part["auc_low"] == 0.5) & (part["auc_high"] == 0.5)
        kept = part[~idle.groupby(part["estimator"]).transform("all")] if len(part) else part
        if kept.empty:
            continue
        counts = kept.drop_duplicates("contrast")
        heads = [
            f"{row.contrast} ({row.n_positive} vs {row.n_negative}; {clusters(row)})"
            for row in counts.itertuples()
        ]
        lines = []
        for estimator, rows in kept.groupby("estimator", sort=False):
            found = {row.contrast: auc(row) for row in rows.itertuples()}
            said = marked(str(estimator), str(estimator), rows["score_of"].iloc[0])
            lines.append([said, *(found.get(name, "-") for name in counts["contrast"])])
        yield heads, lines


def unsure_grid(table: "pd.DataFrame", evaluation: "pd.DataFrame") -> tuple[list[str], list[list[str]]]:
    """Lay out the AUCs of ``evaluation_raters.csv`` with `unsure` counted either way.

    Parameters
    ----------
    table : DataFrame
    evaluation : DataFrame
        ``evaluation.csv``, which says what a score is of.

    Returns
    -------
    heads : list of str
        Each contrast with the number of unsure samples.
    lines : list of list of str
        Name of the score, then its AUC with `unsure` as memorized and as not memorized. None at all where
        nothing is unsure.
    """
    either = {counted: table[table["rater"] == name] for name, counted in UNSURE.items()}
    keys = ["contrast", "estimator"]
    both = either[True].merge(either[False], on=keys, suffixes=("", "_not"))
    unsure = (both["n_positive"] - both["n_positive_not"]).groupby(both["contrast"], sort=False).max()
    if not (unsure > 0).any():
        return [], []
    heads = [f"{contrast} (n = {n} unsure)" for contrast, n in unsure.items()]
    lines, of = [], evaluation.groupby("estimator")["score_of"].first()
    for estimator, rows in both.groupby("estimator", sort=False):
        found = {row.contrast: f"{row.auc:.3f} / {row.auc_not:.3f}" for row in rows.itertuples()}
        said = marked(str(estimator), str(estimator), of.get(estimator, ""))
        lines.append([said, *(found.get(contrast, "-") for contrast in unsure.index)])
    return heads, lines


def reasons(table: "pd.DataFrame") -> list[str]:
    """Say why AUCs have no interval, a line for each contrast and reason."""
    without = table[table["auc_low"].isna() & table["auc"].notna()]
    pairs = without[["contrast", "auc_reason"]].drop_duplicates().itertuples(index=False)
    return [f"{contrast}: no interval, since {reason}" for contrast, reason in pairs]


def clusters(row: Any) -> str:
    """Print the clusters that an interval rests on, such as ``20 matched groups``."""
    unit = str(row.unit)
    many = f"{unit[:-1]}ies" if unit.endswith("y") else f"{unit}s"
    return f"{row.n_clusters} {unit if row.n_clusters == 1 else many}"


def auc(row: Any) -> str:
    """Print an AUC with its interval; a lower bound below 1 never as 1."""
    if row.auc_low != row.auc_low:
        return f"{row.auc:.3f} [none]"
    low = math.floor(1000 * row.auc_low) / 1000 if round(row.auc_low, 3) == 1 > row.auc_low else row.auc_low
    return f"{row.auc:.3f} [{low:.3f}, {row.auc_high:.3f}]"


def verdict_grid(table: "pd.DataFrame") -> tuple[list[str], list[list[str]]]:
    """Lay out ``verdicts.csv``: a column per verdict, a line per group.

    Parameters
    ----------
    table : DataFrame

    Returns
    -------
    heads : list of str
    lines : list of list of str
        The group with its clusters and what errors its verdicts rest on; count and share of each verdict, the
        share with its interval over clusters.
    """
    verdicts = list(dict.fromkeys(table["verdict"]))
    lines = []
    for group, part in table.groupby("group", sort=False):
        first = next(part.itertuples())
        found = {row.verdict: f"{row.n} of {row.of}, {share(row)}" for row in part.itertuples()}
        lines.append(
            [f"{group} ({clusters(first)})", first.errors, *(found.get(name, "-") for name in verdicts)]
        )
    return ["group", "standard errors", *verdicts], lines


def share(row: Any) -> str:
    """Print a share with its interval, or that it has none."""
    return (
        f"{row.share:.3f} [none]"
        if row.low != row.low
        else f"{row.share:.3f} [{row.low:.3f}, {row.high:.3f}]"
    )


def estimate(row: Any) -> str:
    """Print the statistic of a claim with its interval, the number of items and of clusters."""
    if row.n == 0:
        return "no data"
    count = f"n={row.n} ({clusters(row)})"
    if row.estimate != row.estimate:
        return f"no estimate, {count}" + (f", since {row.reason}" if row.reason == row.reason else "")
    if row.low != row.low:
        return f"{row.estimate:.3g}, {count}: no interval, since {row.reason}"
    return f"{row.estimate:.3g} [{row.low:.3g}, {row.high:.3g}], {count}"


def question(row: Any) -> str:
    """Print what a row of claims asks, and under which choice."""
    under = row.under if row.under == row.under else ""
    return f"{row.statistic}; under {under}" if under else str(row.statistic)


def answer(row: Any) -> str:
    """Print what a row of claims found, what stands beside it, and how much it could have found at all."""
    parts = [estimate(row)]
    if row.mde == row.mde and (row.alone == "undecided" or row.role == "control"):
        parts.append(f"detectable: {row.mde:.2g}")
    if row.beside == row.beside and row.beside:
        parts.append(str(row.beside))
    return "; ".join(parts)


def verdict(row: Any) -> str:
    """Print a verdict; where it depends on a choice, what it is under this one."""
    return f"{row.verdict} ({row.alone})" if row.verdict != row.alone else str(row.verdict)


def level_sentence(path: "Path") -> str:
    """Say at which noise level FLIPD is taken, and which one the rule would take; from its curve's CSV."""
    import pandas as pd

    table = pd.read_csv(path)
    by = table.set_index("quantity")
    if not {"chosen", "flat from"} <= set(by.index):
        return ""
    rule = by.loc["flat from"]
    found = f"{rule['t']:g}" if rule["t"] == rule["t"] else "none of those tried"
    return (
        f"FLIPD is taken at t0 = {by.loc['chosen', 't']:g}; the rule (the smallest level from which on the "
        f"median of {rule['label']}, n = {rule['n']:.0f} calibration samples, moves by at most "
        f"{rule['estimate']:g} dimension up to twice it) takes {found}."
    )


def over_trainings(row: Any, digits: str = ".3f") -> str:
    """Print a number over trainings: mean, the interval of one further training, standard deviation."""
    if row.n_trainings < 2:
        return f"{row.mean:{digits}} in one of them" if row.n_trainings else "no data"
    if row.low != row.low:
        return f"{row.mean:{digits}} [none], sd {row.sd:.2g}"
    return f"{row.mean:{digits}} [{row.low:{digits}}, {row.high:{digits}}], sd {row.sd:.2g}"


def trainings_sentence(table: "pd.DataFrame") -> str:
    """Say what `over_trainings` prints, and over which trainings."""
    seeds = max(table["seeds"], key=lambda text: len(text.split())).split()
    return (
        f"*Over trainings*: of {len(seeds)} trainings (seeds {', '.join(seeds)}) on the same data the mean, "
        "in brackets the 95 % interval of the value of one further training, and the standard deviation "
        "between trainings; of claims also how many of them came to which verdict, each alone and unadjusted."
    )


def generation_sentences(path: "Path") -> Iterator[str]:
    """Say how close generations are to the training image of their prompt, a sentence per prompt set."""
    for name, rows in read_table(path, GENERATION_MATCHES).groupby("prompt_set", sort=True):
        low, middle, high = rows["similarity"].quantile([0.01, 0.5, 0.99])
        yield (
            f"prompts of {name}: median similarity {middle:.3f}, 1st percentile {low:.3f}, 99th {high:.3f} "
            f"(n = {len(rows)})"
        )
