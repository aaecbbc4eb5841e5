"""Claims 9, 10 and 11: which scores detect memorized images, and which is best."""

from collections.abc import Iterator

from mmh.claims.base import Context, Finding
from mmh.claims.image_sets import Norm, SetClaim, detects, detects_better


class EachDetects(SetClaim):
    """FLIPD, with and without the caption, and the CFG-vector norm."""

    name = "9"
    statement = "Conditional FLIPD, unconditional FLIPD and the CFG-vector norm each detect memorized images"
    tables = ("evaluation", "image_sets")
    Options = Norm

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """Each AUC above one half, on each contrast."""
        options = context.options
        return detects(context, [options.flipd, options.flipd_uncond, options.cfg_norm])


class NormBest(SetClaim):
    """The CFG-vector norm detects better than either FLIPD."""

    name = "10"
    statement = "The CFG-vector norm detects memorized images better than FLIPD does"
    Options = Norm

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """The paired difference of AUC above 0, on each contrast."""
        norm = context.options.cfg_norm
        for name in (context.options.flipd, context.options.flipd_uncond):
            yield from detects_better(context, norm, name, large=[norm])


class DetectsWithoutCaption(SetClaim):
    """FLIPD with the empty caption."""

    name = "11"
    statement = "Unconditional FLIPD detects memorized images without their captions"
    tables = ("evaluation", "image_sets")

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """The AUC above one half, on each contrast."""
        return detects(context, [context.options.flipd_uncond])
