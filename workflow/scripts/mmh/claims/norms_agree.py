"""Claim 8: the norm of the guided score and that of the CFG vector."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

from mmh.claims.base import Context, Finding
from mmh.claims.image_sets import SetClaim, SetOptions, negative_sets
from mmh.options.base import EstimatorName, Field
from mmh.options.computed import of_another_method
from mmh.options.entries import Entry


class Options(SetOptions):
    """Options of claim 8."""

    guided_norm: EstimatorName = "guided_norm"
    """Claim 8: norm of the guided score."""
    cfg_difference: EstimatorName = "cfg_difference"
    """Claim 8: norm of the CFG vector at the same t and place."""
    exchanged_norm: EstimatorName = "exchanged_norm"
    """Claim 8: norm of the guided score whose unconditional part is another image's."""
    least_correlation: float = Field(default=0.5, ge=-1, le=1)
    """Claim 8: Spearman correlation above which two norms agree."""
    least_excess: float = Field(default=0.1, ge=0)
    """Claim 8: least excess over the correlation of independent parts, of the artanh (Cohen's q)."""


class NormsAgree(SetClaim):
    """The guided score's norm rises with the CFG vector's, over all images and within each set.

    s^CFG = s_0 + lambda (s_c - s_0) holds the CFG vector itself, so the norms agree at a large lambda even if
    s_0 has nothing to do with it. That null is computed: with s_0 of another image in place of its own. The
    sets have rows of their own, because two groups that differ in both norms correlate when pooled.
    """

    name = "8"
    statement = (
        "The guided score's norm and the CFG-vector norm agree, by more than the former holds the latter"
    )
    figure = "score_norms"
    tables = ("scores", "image_sets")
    Options = Options

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """The null is of its own method."""
        yield from super().check(options, experiment, where)
        key = f"{where}.exchanged_norm"
        yield from of_another_method(experiment, options.exchanged_norm, "exchanged-norm", key)
        known = experiment.section("estimators")
        names = ("guided_norm", "cfg_difference", "exchanged_norm")
        own = {name: known.get(getattr(options, name), {}) for name in names}
        for name, options_of in own.items():
            for same, others in (
                ("t", names),
                ("guidance", ("guided_norm", "exchanged_norm")),
                ("items", names),
            ):
                first = own[others[0]].get(same)
                if name in others and options_of and first != options_of.get(same):
                    other = getattr(options, others[0])
                    yield f"{where}.{name}: {same} is not that of {other!r}; the three norms are of one score"

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """Each rank correlation above a threshold, and above what independent parts would give."""
        from mmh.stats.correlation import spearman, spearman_difference, spearman_interval

        own = context.options
        names = [own.positive_set, *negative_sets(context)]
        scores = [own.guided_norm, own.cfg_difference, own.exchanged_norm]
        table = context.images(names, scores).dropna()
        groups = [("all images", table), *((name, table[table["items"] == name]) for name in names)]
        for name, rows in groups:
            if not len(rows):
                continue
            guided, difference, exchanged = (rows[score].to_numpy() for score in scores)
            by_chance = float(spearman(difference, exchanged)[0])
            how: dict[str, Any] = {"clusters": rows["family"].to_numpy(), "unit": "family"}
            about = f"Spearman correlation of {own.guided_norm} and {own.cfg_difference}, {name}"
            yield Finding(
                f"{about} (above {own.least_correlation:g})",
                partial(spearman_interval, difference, guided, **how),
                (own.least_correlation, math.inf),
                null="0: unrelated norms; independent parts give more",
                beside=f"with the unconditional part of another image: {by_chance:.3f}",
            )
            yield Finding(
                f"artanh of {about}, less that with another image's unconditional part "
                f"(above {own.least_excess:g})",
                partial(spearman_difference, difference, guided, exchanged, **how),
                (own.least_excess, math.inf),
                null="0: independent parts agree as well",
            )
