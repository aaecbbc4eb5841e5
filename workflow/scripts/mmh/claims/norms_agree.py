"""Claim 8: the norm of the guided score and that of the CFG vector."""

import math
from collections.abc import Iterator

from mmh.claims.base import Context, Finding
from mmh.claims.image_sets import SetClaim, SetOptions, negative_sets
from mmh.options.base import EstimatorName, Field


class Options(SetOptions):
    """Options of claim 8."""

    guided_norm: EstimatorName = "guided_norm"
    """Claim 8: norm of the guided score."""
    cfg_difference: EstimatorName = "cfg_difference"
    """Claim 8: norm of the CFG vector at the same t and place."""
    least_correlation: float = Field(default=0.5, ge=-1, le=1)
    """Claim 8: Spearman correlation above which two norms agree."""


class NormsAgree(SetClaim):
    """The guided score's norm rises with the CFG vector's, over all images and within each set.

    The sets have a row each, because two groups of images that differ in both norms correlate together even
    if the norms have nothing to do with each other within either.
    """

    name = "8"
    statement = "The guided score's norm and the CFG-vector norm agree"
    figure = "score_norms"
    Options = Options

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """Each rank correlation above a threshold."""
        from mmh.evaluation.image_sets import side_by_side
        from mmh.stats.correlation import spearman_interval

        guided, difference = context.options.guided_norm, context.options.cfg_difference
        names = [context.options.positive_set, *negative_sets(context)]
        scored = side_by_side(
            context.tables["scores"], context.tables["image_sets"], names, [guided, difference]
        ).dropna()
        least = context.options.least_correlation
        groups = [("all images", scored), *((name, scored[scored["items"] == name]) for name in names)]
        for name, table in groups:
            if len(table):
                interval = spearman_interval(
                    table[difference].to_numpy(),
                    table[guided].to_numpy(),
                    table["family"].to_numpy(),
                    unit="family",
                )
                statistic = f"Spearman correlation of {guided} and {difference}, {name} (above {least:g})"
                yield statistic, interval, (least, math.inf)
