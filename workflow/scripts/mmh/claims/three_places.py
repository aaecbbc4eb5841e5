"""Claim 1: FLIPD at the three places of a circle with a point in its middle and a copied point beside it."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from mmh.claims.base import Claim, Context, Finding, FlipdName
from mmh.errors import InputError
from mmh.options import base as options
from mmh.options.base import Field
from mmh.options.computed import not_on_samples, of_another_method
from mmh.options.entries import Entry


class Tolerance(options.Options):
    """What "about" means at each place."""

    isolated: float = Field(gt=0)
    """At the copied isolated point, dimensions."""
    centre: float = Field(gt=0)
    """At the point in the middle, dimensions."""
    arc: float = Field(gt=0)
    """Elsewhere on the circle, dimensions."""


class Options(FlipdName):
    """Options of claim 1."""

    tolerance: Tolerance = Tolerance(isolated=0.4, centre=0.2, arc=0.2)
    """Claim 1: what "about" means, dimensions."""


class ThreePlaces(Claim):
    """Medians of FLIPD at the three places."""

    name = "1"
    statement = "FLIPD is about 0 at the copied isolated point and at the centre, about 1 on the circle"
    figure = "lid_scatter"
    needs = ("estimators",)
    worlds = ("von-mises",)
    tables = ("scores", "regions")
    Options = Options

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """FLIPD of samples."""
        yield from of_another_method(experiment, options.flipd, "flipd", f"{where}.flipd")
        yield from not_on_samples(experiment, [options.flipd], f"{where}.flipd")

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """Each median within its tolerance of the dimension there."""
        from mmh.stats.medians import median_interval

        scores, name = context.tables["scores"], context.options.flipd
        rows = scores[(scores["items"] == "samples") & (scores["estimator"] == name)]
        if rows["item"].duplicated().any():
            raise InputError(f"claim 1: '{name}' has several values for a sample (several t?)")
        rows = rows[~rows["item"].isin(set(context.exclude))]
        values = rows.merge(context.tables["regions"], left_on="item", right_on="sample")
        for place, expected in (("isolated", 0.0), ("centre", 0.0), ("arc", 1.0)):
            here = values.loc[values["region"] == place, "value"].to_numpy()
            tolerance = getattr(context.options.tolerance, place)
            yield Finding(
                f"median {name}, {place} (about {expected:g}: within {tolerance:g})",
                partial(median_interval, here, unit="sample"),
                (expected - tolerance, expected + tolerance),
                null=f"{1 - expected:g}, the dimension of the other part",
                role="control" if place == "arc" else "claim",
            )
