"""The rows of ``claims.csv``: each statistic of a claim with its interval and a verdict."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mmh.claims.base import CLAIMS, Claim, Context, Finding, claim_numbers
from mmh.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

HOW = ["n", "n_clusters", "unit", "method", "reason"]
"""Of the interval, as `mmh.stats.resampling.Interval` has them."""
ASKED = ["claim", "role", "statement", "figure", "statistic", "under", "null"]
FOUND = ["estimate", "low", "high", *HOW, "p", "mde", "beside"]
COLUMNS = [*ASKED, *FOUND, "alone", "verdict"]
UNDECIDED = "undecided"
WORDS = {"inside": "holds", "outside": "fails", "open": UNDECIDED}
"""Verdicts by `mmh.stats.decisions.decide`."""
DEPENDS = "depends"


def settled(table: pd.DataFrame, column: str, keys: Sequence[str] = ("claim", "statistic")) -> pd.Series:
    """Say of statistics that are asked under several choices whether the answer depends on the choice.

    Parameters
    ----------
    table : pandas.DataFrame
        With `keys`, and the verdict of each row by itself.
    column : str
        The latter.
    keys : sequence of str
        What is one question.

    Returns
    -------
    pandas.Series
        The verdict, or `DEPENDS` in all rows of a question whose rows differ.
    """
    several = table.groupby(list(keys), sort=False)[column].transform("nunique") > 1
    return table[column].where(~several, DEPENDS)


def of_run(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Put the claims of all experiments of a run together, adjusted for how many there are.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        From `check_claims`, by experiment.

    Returns
    -------
    pandas.DataFrame
        `experiment`, `COLUMNS`, and `p_holm`: `alone` is undecided where it exceeds .05, `verdict` follows.
        Controls count like claims, and rows without an interval like those that are not decided.
    """
    import pandas as pd

    from mmh.stats.decisions import holm
    from mmh.stats.resampling import LEVEL

    parts = [table.assign(experiment=name) for name, table in tables.items()]
    if not parts:
        return pd.DataFrame(columns=["experiment", *COLUMNS, "p_holm"])
    whole = pd.concat(parts, ignore_index=True)
    # What was asked counts, if the data could not answer, too: else their number would depend on the answers.
    p = whole["p"].astype(float)
    asked = p.isna() & (whole["n"].astype(float) > 0)
    whole["p_holm"] = pd.Series(holm(p.mask(asked, 1.0).to_numpy())).mask(p.isna())
    whole["alone"] = whole["alone"].where(whole["p_holm"] <= 1 - LEVEL, UNDECIDED)
    whole["verdict"] = settled(whole, "alone", ("experiment", "claim", "statistic"))
    return whole[["experiment", *COLUMNS[:-2], "p_holm", *COLUMNS[-2:]]]


def check_claims(
    claims: Sequence[str | int],
    tables: Mapping[str, pd.DataFrame],
    *,
    options: Mapping[str, Any] | None = None,
    exclude: Collection[int] = (),
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Check the claims that are asked of an experiment.

    Parameters
    ----------
    claims : sequence of str or int
        Names of `CLAIMS`: the numbers of the claims, and `od`.
    tables : mapping
        `evaluation`, `scores` (with `items`), `labels`, `matches`, `train`; `regions` with `sample` and
        `region` (`isolated`, `centre`, `arc`, others are ignored); `paired` as
        `evaluation.paired.paired_lid` makes it; `image_sets` as `evaluation.image_sets.read_sets` makes it.
        Only those that the claims name.
    options : mapping, optional
        Options of these claims, by name; those not given have their default.
    exclude : collection of int
        Samples that calibrated t0.
    resamples, seed : int
        Of the bootstrap.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`; claims in the order asked. `p` is the smallest error rate at which the interval decides,
        `mde` the smallest distance from the end of the region that such data find four times in five,
        `alone` the verdict under the row's own choice, and `verdict` whether all choices agree on it. A claim
        on which the data say nothing has a row without estimate, n = 0, `undecided`.

    Raises
    ------
    InputError
        If a claim or an option of these claims is unknown, an option is wrong, or a table that a claim names
        is not given.
    """
    import pandas as pd

    from mmh.stats.decisions import decide, detectable, p_value
    from mmh.stats.resampling import LEVEL

    records = []
    asked_of = contexts(claims, tables, options=options, exclude=exclude, resamples=resamples, seed=seed)
    for name, (claim, context) in asked_of.items():
        for finding in list(claim.test(context)) or [_nothing()]:
            interval = finding.at(level=LEVEL)
            asked = (name, finding.role, claim.statement, claim.figure, finding.statistic)
            numbers = [getattr(interval, key) for key in ("estimate", "low", "high", *HOW)]
            p = p_value(finding.at, finding.region)
            alone = WORDS[decide(interval, finding.region)]
            found = (*numbers, p, detectable(interval), finding.beside, alone)
            records.append((*asked, finding.under, finding.null, *found))
    table = pd.DataFrame(records, columns=COLUMNS[:-1])
    return table.assign(verdict=settled(table, "alone"))


def contexts(
    claims: Sequence[str | int],
    tables: Mapping[str, pd.DataFrame],
    *,
    options: Mapping[str, Any] | None = None,
    exclude: Collection[int] = (),
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[type[Claim], Context]]:
    """Look claims up and put together what each of their tests may read.

    Parameters
    ----------
    claims, tables, options, exclude, resamples, seed
        As for `check_claims`.

    Returns
    -------
    dict of str to (Claim, Context)
        By name, in the order asked.

    Raises
    ------
    InputError
        As `check_claims`.
    """
    names = list(map(str, claims))
    known = CLAIMS.among(names)  # with all that there are, a new claim would rerun this
    for name in names:
        if name not in known:
            raise InputError(f"claim '{name}' is unknown; there are {', '.join(claim_numbers())}")
    own = _options(known, options or {})
    for name in names:
        missing = [table for table in known[name].tables if table not in tables]
        if missing:
            raise InputError(
                f"claim {name} needs the table '{missing[0]}', which this experiment does not have"
            )
    return {name: (known[name], Context(tables, own[name], resamples, seed, exclude)) for name in names}


def _nothing() -> Finding:
    """What stands for a claim on which the data say nothing."""
    from mmh.stats.resampling import Interval

    nan, inf = float("nan"), float("inf")
    return Finding("no data", lambda level: Interval(nan, nan, nan, 0, level), (-inf, inf), null="")


def _options(claims: Mapping[str, type[Claim]], given: Mapping[str, Any]) -> dict[str, Any]:
    """Each claim's own options, defaults filled in."""
    from pydantic import ValidationError

    known = dict.fromkeys(key for claim in claims.values() for key in claim.Options.model_fields)
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise InputError(f"claims: unknown option '{unknown[0]}'; there are {', '.join(known)}")
    try:
        return {
            name: claim.Options.model_validate(
                {key: given[key] for key in claim.Options.model_fields if key in given}
            )
            for name, claim in claims.items()
        }
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"claims.{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
