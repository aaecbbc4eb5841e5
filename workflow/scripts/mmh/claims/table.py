"""The rows of ``claims.csv``: each statistic of a claim with its interval and a verdict."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mmh.claims.base import CLAIMS, Claim, Context, Region, claim_numbers
from mmh.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from mmh.stats.resampling import Interval

COLUMNS = ["claim", "statement", "figure", "statistic", "estimate", "low", "high", "n", "verdict"]


def verdict(interval: Interval, region: Region) -> str:
    """Judge an interval against the region that a claim states.

    Parameters
    ----------
    interval : Interval
        The statistic; NaN bounds mean that the data do not bound it.
    region : (low, high)
        Where the claim says that the statistic lies.

    Returns
    -------
    str
        `holds`, `fails` or `undecided`.
    """
    low, high = region
    if math.isnan(interval.low) or math.isnan(interval.high):
        return "undecided"
    if low < interval.low and interval.high < high:
        return "holds"
    if interval.high < low or interval.low > high:
        return "fails"
    return "undecided"


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
        `COLUMNS`; claims in the order asked. A claim on which the data say nothing has a row without
        estimate, n = 0, `undecided`.

    Raises
    ------
    InputError
        If a claim or an option of these claims is unknown, an option is wrong, or a table that a claim names
        is not given.
    """
    import pandas as pd

    from mmh.stats.resampling import Interval

    names = list(map(str, claims))
    known = CLAIMS.among(names)  # with all that there are, a new claim would rerun this
    for name in names:
        if name not in known:
            raise InputError(f"claim '{name}' is unknown; there are {', '.join(claim_numbers())}")
    own = _options(known, options or {})
    records = []
    for name in names:
        claim = known[name]
        missing = [table for table in claim.tables if table not in tables]
        if missing:
            raise InputError(
                f"claim {name} needs the table '{missing[0]}', which this experiment does not have"
            )
        context = Context(tables, own[name], resamples, seed, exclude)
        nothing = ("no data", Interval(math.nan, math.nan, math.nan, 0), (-math.inf, math.inf))
        for statistic, interval, region in list(claim.test(context)) or [nothing]:
            numbers = (interval.estimate, interval.low, interval.high, interval.n)
            row = (name, claim.statement, claim.figure, statistic, *numbers, verdict(interval, region))
            records.append(row)
    return pd.DataFrame(records, columns=COLUMNS)


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
