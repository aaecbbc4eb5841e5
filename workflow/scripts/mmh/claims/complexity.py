"""Claim 7: what the size of the PNG explains."""

from collections.abc import Iterator

from mmh.claims.base import Context, Finding, Gain
from mmh.claims.image_sets import Flipds, SetClaim, detects_better
from mmh.options.base import EstimatorName


class Options(Flipds, Gain):
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
        """The paired difference of AUC, on each contrast."""
        for name in (context.options.flipd, context.options.flipd_uncond):
            yield from detects_better(context, name, context.options.complexity)
