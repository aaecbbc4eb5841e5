"""Which worlds each claim is asked in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mmh.calibration import attributed, laws, mitigated, prompts, rewritten, samples, sets
from mmh.calibration.worlds import World
from mmh.claims.base import Context
from mmh.errors import InputError

NULLS: dict[str, Callable[[str, Context], Iterator[World]]] = {
    "1": laws.places,
    "2": samples.smaller,
    "3": samples.smaller,
    "4": samples.medians,
    "5": samples.medians,
    "6": samples.gains,
    "7": sets.gains,
    "8": sets.agreeing,
    "9": sets.detecting,
    "10": sets.gains,
    "11": sets.detecting,
    "16": prompts.low_end,
    "17": prompts.leading,
    "18": sets.falling,
    "3.1": laws.duplicated,
    "3.2": laws.conditioned,
    "A.2": laws.data_driven,
    "A.3": laws.overfitted,
    "od": laws.overfit,
    "12a": rewritten.changed,
    "12b": rewritten.changed,
    "13": rewritten.apart,
    "14": attributed.agreeing,
    "15": mitigated.complex,
    "sail": mitigated.changed,
    "sail-redraw": mitigated.changed,
}
"""By number of the claim; docs/statistics.md says in words what each is."""


def worlds_of(claim: str, context: Context) -> list[World]:
    """The worlds in which a claim does not hold.

    Parameters
    ----------
    claim : str
        Its number.
    context : Context
        What its test reads: finished results.

    Returns
    -------
    list of World
        None where the data have no interval to begin with.

    Raises
    ------
    InputError
        If nobody has said what a world is in which the claim does not hold.
    """
    if claim not in NULLS:
        raise InputError(f"claim {claim} has no null in mmh/calibration/nulls.py; add one")
    return list(NULLS[claim](claim, context))
