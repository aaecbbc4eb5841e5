"""Claim 7: what the size of the PNG explains."""

import math
from collections.abc import Iterator

from mmh.claims.base import Context, Finding
from mmh.claims.image_sets import Flipds, SetClaim, gain, pairs
from mmh.options.base import EstimatorName


class Options(Flipds):
    """Options of claim 7."""

    complexity: EstimatorName = "png"
    """Claim 7: PNG size of the decoded latents."""


class ComplexityExplainsLess(SetClaim):
    """A small FLIPD tells memorized images better than a small PNG size does."""

    name = "7"
    statement = "Image complexity does not explain that memorized images have a low LID"
    figure = "complexity"
    Options = Options

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """The paired difference of AUC above 0, on each contrast."""
        png = context.options.complexity
        for name in (context.options.flipd, context.options.flipd_uncond):
            for contrast, table in pairs(context, [name, png]):
                small = (-table[name].to_numpy(), -table[png].to_numpy())
                interval = gain(context, table, *small)
                yield f"AUC of {name} minus {png}, {contrast} (above 0)", interval, (0.0, math.inf)
