"""Claims 9, 10 and 11: which scores detect memorized images, and which is best."""

from collections.abc import Iterator

from mmh.claims.base import Context, Finding, Gain, Relevance
from mmh.claims.image_sets import Flipds, Norm, SetClaim, detects, detects_better


class Detecting(Norm, Relevance):
    """Options of claim 9."""


class DetectingAlone(Flipds, Relevance):
    """Options of claim 11."""


class Comparing(Norm, Gain):
    """Options of claim 10."""


class EachDetects(SetClaim):
    """FLIPD, with and without the caption, and the CFG-vector norm."""

    name = "9"
    statement = "Conditional FLIPD, unconditional FLIPD and the CFG-vector norm each detect memorized images"
    Options = Detecting

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """Each AUC, on each contrast."""
        options = context.options
        return detects(context, {options.flipd: -1.0, options.flipd_uncond: -1.0, options.cfg_norm: 1.0})


class NormBest(SetClaim):
    """The CFG-vector norm detects better than either FLIPD."""

    name = "10"
    statement = "The CFG-vector norm detects memorized images better than FLIPD does"
    Options = Comparing

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """The paired difference of AUC, on each contrast."""
        norm = context.options.cfg_norm
        for name in (context.options.flipd, context.options.flipd_uncond):
            yield from detects_better(context, norm, name, large=[norm])


class DetectsWithoutCaption(SetClaim):
    """FLIPD with the empty caption."""

    name = "11"
    statement = "Unconditional FLIPD detects memorized images without their captions"
    Options = DetectingAlone

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """The AUC, on each contrast."""
        return detects(context, {context.options.flipd_uncond: -1.0})
