"""Claim 18: LID(x | c) <= LID(x) (Proposition 3.2), image by image on the estimates."""

import math
from collections.abc import Iterator

from mmh.claims.base import Context, Finding
from mmh.claims.image_sets import SetClaim, negative_sets


class CaptionLowersLid(SetClaim):
    """FLIPD without and with the caption, paired."""

    name = "18"
    statement = "Given its caption, an image's LID is no larger: LID(x|c) <= LID(x)"

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """The median difference above 0: of the memorized images, and of all others."""
        from mmh.evaluation.image_sets import side_by_side
        from mmh.stats.medians import median_interval

        conditional, unconditional = context.options.flipd, context.options.flipd_uncond
        positive, others = context.options.positive_set, negative_sets(context)
        for what, names in ((positive, [positive]), ("the other images", others)):
            table = side_by_side(
                context.tables["scores"], context.tables["image_sets"], names, [conditional, unconditional]
            ).dropna()
            interval = median_interval(
                (table[unconditional] - table[conditional]).to_numpy(),
                clusters=table["family"].to_numpy(),
                unit="family",
            )
            statistic = f"median of {unconditional} minus {conditional}, {what} (above 0)"
            yield statistic, interval, (0.0, math.inf)
