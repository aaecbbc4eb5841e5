"""Proposition 3.2 on oracles: what is known of a point cannot raise its dimension."""

import math
from collections.abc import Iterator
from functools import partial

from mmh.claims.base import Claim, Context, Finding

HALF = 0.5
"""A difference of dimensions counts from half a one."""
FEW = 0.1
"""Largest share of points that may go against the claim."""


class ConditionLowersLid(Claim):
    """Exact FLIPD at points of known laws, at the smallest noise level."""

    name = "3.2"
    statement = "LID given a condition is at most LID without it (Proposition 3.2, on oracles)"
    figure = "estimator_accuracy"
    needs = ("accuracy.conditioned",)
    tables = ("conditioned",)

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """How often FLIPD rises, and whether it falls by what is known."""
        from mmh.copying.balls import exact_interval
        from mmh.stats.medians import median_interval

        table = context.tables["conditioned"]
        table = table[table["t"] == table["t"].min()]
        for (law, condition), rows in table.groupby(["law", "condition"], sort=False):
            fall, known = rows["flipd"] - rows["flipd_given"], rows["lid"] - rows["lid_given"]
            where = f"{law}, given {condition}"
            yield Finding(
                f"share of points where FLIPD rises by more than {HALF:g}, {where} (below {FEW:g})",
                partial(exact_interval, int((fall < -HALF).sum()), len(rows), unit="point"),
                (-math.inf, FEW),
                null="0.5: it rises as often as it falls",
            )
            middle = known.mean()
            if middle == 0:
                continue  # of a fall by nothing the share says all
            about = f"median of (FLIPD's fall less the known one, {middle:.3g} on average), {where} "
            yield Finding(
                f"{about}(within {HALF:g} of 0)",
                partial(median_interval, (fall - known).to_numpy(), unit="point"),
                (-HALF, HALF),
                null=f"{-middle:.3g}: what is known changes nothing",
            )
