"""Claim 18: LID(x | c) <= LID(x) (Proposition 3.2), image by image on the estimates."""

import math
from collections.abc import Iterator
from functools import partial

from mmh.claims.base import Context, Finding
from mmh.claims.image_sets import Flipds, SetClaim, negative_sets
from mmh.options.base import Field

FEW = 0.1
"""Largest share of images that may go against the claim."""


class Options(Flipds):
    """Options of claim 18."""

    least_fall: float = Field(default=0.5, ge=0)
    """Claim 18: least difference of LID that counts, dimensions; half a one is told from none by a count"""


class CaptionLowersLid(SetClaim):
    """FLIPD without and with the caption, paired, in each set by itself."""

    name = "18"
    statement = "Given its caption, an image's LID is no larger: LID(x|c) <= LID(x)"
    tables = ("scores", "image_sets")
    Options = Options

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """In each set the median fall, and the share of images whose LID rises."""
        from mmh.stats.clusters import share_interval
        from mmh.stats.medians import median_interval

        own = context.options
        for name in (own.positive_set, *negative_sets(context)):
            rows = context.images([name], [own.flipd, own.flipd_uncond]).dropna()
            fall, family = (rows[own.flipd_uncond] - rows[own.flipd]).to_numpy(), rows["family"].to_numpy()
            if not len(rows):
                continue
            yield Finding(
                f"median of {own.flipd_uncond} minus {own.flipd}, {name} (above {own.least_fall:g})",
                partial(median_interval, fall, clusters=family, unit="family"),
                (own.least_fall, math.inf),
                null="0: the caption changes nothing",
            )
            yield Finding(
                f"share of images where {own.flipd} exceeds {own.flipd_uncond} by more than "
                f"{own.least_fall:g}, {name} (below {FEW:g})",
                partial(share_interval, fall < -own.least_fall, family, "family"),
                (-math.inf, FEW),
                null="0.5: it rises as often as it falls",
            )
