"""A mitigation: what guidance adds to the noise is no longer than a given length."""

from mmh.mitigations.base import Mitigation
from mmh.options import base as options
from mmh.options.base import Field


class CappedGuidance(Mitigation):
    """eps_0 + c (eps_c - eps_0), c at most lambda, so that the second term is no longer than `most`."""

    name, printed = "capped-guidance", "capped guidance"

    class Options(options.Options):
        """Capped guidance."""

        most: float = Field(gt=0)
        """largest norm of what guidance adds"""

    def guide(self, start):
        """Bound each row by itself."""
        from mmh.sampling.guides import Guide

        most = self.options.most

        class Capped(Guide):
            def combine(self, step):
                change = step.caption - step.empty
                norm = change.flatten(1).norm(dim=1).clamp_min(1e-12)
                factor = (most / norm).clamp(max=start.guidance)
                return step.empty + factor.reshape(-1, *[1] * (change.ndim - 1)) * change

        return Capped()
