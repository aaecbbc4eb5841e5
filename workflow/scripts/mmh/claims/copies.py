"""Propositions 3.1 and A.2 and Theorem A.3: copies by probability mass, and duplicates."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from mmh.claims.base import Claim, Context, Finding
from mmh.claims.three_places import Options as PlaceOptions
from mmh.options import base as options
from mmh.options.base import Field

if TYPE_CHECKING:
    from mmh.stats.resampling import Interval

HALF = 0.5
"""A slope is told from the next whole dimension if it lies within half a one."""
EXPECTED = {"isolated": -1, "centre": 0, "arc": 0}
"""LID_theta - LID_* at each place: overfitting at x0 alone."""
RARE = 0.01
"""A probability below it counts as none, and above 1 - it as certainty."""


class Options(options.Options):
    """Options of the claims on copies by mass."""

    excess: float = Field(default=2.0, gt=1)
    """Claims A.2, A.3: lambda of Definition A.1."""
    gamma: float = Field(default=0.05, gt=0, lt=1)
    """Claim A.3: gamma of Definition A.1."""
    draws: int = Field(default=2000, ge=1)
    """Claim A.3: so many samples are to hold a copy."""


class PlacesAndCopies(PlaceOptions, Options):
    """Options of claim A.2."""


class Copied(Claim):
    """What these claims have in common."""

    figure = "copies_by_radius"
    needs: ClassVar[tuple[str, ...]] = ("copies",)
    worlds = ("von-mises",)
    Options = Options


class OverfittingCopies(Copied):
    """Theorem A.3: the slope that its proof rests on, and the copies that follow."""

    name = "A.3"
    statement = "a model that overfits a point makes (lambda, gamma)-copies of it (Theorem A.3)"
    tables = ("balls",)

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """Slopes at the three places, the largest ratio at x0 and, as a control, on the arc."""
        from mmh.copying.balls import largest_ratio, samples_to_a_copy, slope

        table, own = context.tables["balls"], context.options
        for place, expected in EXPECTED.items():
            rows = table[table["place"] == place]
            if len(rows):
                ends = [rows.loc[rows["mark"] == mark, "radius"].iloc[0] for mark in ("inner", "outer")]
                about = f"slope of log P_theta/P_* over log r, r = {ends[0]:g} to {ends[1]:g}, {place}"
                yield Finding(
                    f"{about} (LID_theta - LID_* = {expected}: within {HALF:g})",
                    partial(slope, rows),
                    (expected - HALF, expected + HALF),
                    null="0: the law's own mass" if expected else "another whole number",
                    role="claim" if expected else "control",
                )
        at_x0, on_arc = (table[table["place"] == place] for place in ("isolated", "arc"))
        if len(at_x0):
            yield Finding(
                f"largest P_theta/P_* at isolated, P_* <= {own.gamma:g} (above {own.excess:g})",
                partial(largest_ratio, at_x0, own.gamma),
                (own.excess, math.inf),
                null="1: the law's own mass",
            )
            yield Finding(
                f"samples that hold a copy of isolated with probability {1 - RARE:g} (below {own.draws})",
                partial(samples_to_a_copy, at_x0, own.excess, own.gamma, 1 - RARE),
                (-math.inf, own.draws),
                null="infinite: no ball is a copy",
            )
        if len(on_arc):
            yield Finding(
                f"largest P_theta/P_* at arc, not overfitted, P_* <= {own.gamma:g} (below {own.excess:g})",
                partial(largest_ratio, on_arc, own.gamma),
                (-math.inf, own.excess),
                null="above it: copies everywhere",
                role="control",
            )


class DataDrivenIsNoCopy(Copied):
    """Proposition A.2: memorized for the low dimension of the data, without any excess of probability."""

    name = "A.2"
    statement = "data-driven memorization makes no (lambda, gamma)-copies (Proposition A.2)"
    needs = ("copies", "estimators")
    tables = ("balls", "scores", "regions")
    Options = PlacesAndCopies

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """No ball about the centre holds an excess; yet LID_theta is 0 there."""
        from mmh.copying.balls import largest_ratio, of_samples, ratios
        from mmh.evaluation.selection import single
        from mmh.stats.medians import median_interval
        from mmh.stats.resampling import LEVEL

        table, own = context.tables["balls"], context.options
        rows = table[table["place"] == "centre"]
        if rows.empty:
            return
        yield Finding(
            f"largest P_theta/P_* at centre, any ball (below {own.excess:g})",
            partial(largest_ratio, rows),
            (-math.inf, own.excess),
            null="above it: a copy",
        )
        inner = rows[rows["mark"] == "inner"]

        def ratio(level: float = LEVEL) -> Interval:
            (ball,) = ratios(inner, level).itertuples()
            return of_samples(ball.ratio, ball.ratio_low, ball.ratio_high, int(ball.samples))

        about = f"P_theta/P_* at centre, r = {inner['radius'].iloc[0]:g}"
        yield Finding(
            f"{about} (1: between 1/{own.excess:g} and {own.excess:g})",
            ratio,
            (1 / own.excess, own.excess),
            null="0 or a copy's: another mass than the law's",
        )
        within = own.tolerance.centre
        scores = single(context.tables["scores"], own.flipd, "samples")
        scores = scores[~scores["item"].isin(set(context.exclude))]
        placed = scores.merge(context.tables["regions"], left_on="item", right_on="sample")
        values = placed.loc[placed["region"] == "centre", "value"].to_numpy()
        yield Finding(
            f"median {own.flipd}, centre (memorized all the same: within {within:g} of 0)",
            partial(median_interval, values, unit="sample"),
            (-within, within),
            null="1, the dimension of the circle about it",
        )


class DuplicatesAreAtoms(Copied):
    """Proposition 3.1, by training sets drawn anew from the law and from the law without its atom."""

    name = "3.1"
    statement = (
        "training sets hold duplicates if and only if LID_* is 0 somewhere, and there (Proposition 3.1)"
    )
    figure = "duplicates_by_size"
    tables = ("duplicates",)

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """Shares of the largest training sets."""
        from mmh.copying.balls import exact_interval

        table = context.tables["duplicates"]
        rows = table[table["n"] == table["n"].max()].set_index("law")
        asked = (
            ("without atom", "with_duplicates", (-math.inf, RARE), f"below {RARE:g}", "1, as with an atom"),
            (
                "with atom",
                "with_duplicates",
                (1 - RARE, math.inf),
                f"above {1 - RARE:g}",
                "0, as without one",
            ),
            ("with atom", "elsewhere", (-math.inf, RARE), f"below {RARE:g}", "1: duplicates anywhere"),
        )
        for law, column, region, said, null in asked:
            row = rows.loc[law]
            what = "a duplicate" if column == "with_duplicates" else "a duplicate that is not the atom"
            counts = int(row[column]), int(row["sets"])
            yield Finding(
                f"share of sets of {int(row['n'])} points with {what}, law {law} ({said})",
                partial(exact_interval, *counts, unit="training set"),
                region,
                null=null,
                role="control" if law == "without atom" else "claim",
            )
