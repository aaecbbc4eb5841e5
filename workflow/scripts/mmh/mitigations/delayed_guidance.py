"""No guidance while the noise is large."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.mitigations.base import Mitigation
from mmh.options import base as options
from mmh.options.base import NoiseLevel

if TYPE_CHECKING:
    from mmh.sampling.guides import Guide
    from mmh.sampling.start import Start


class DelayedGuidance(Mitigation):
    """lambda = 0, the empty caption alone, until t has come down to a level.

    Both branches are computed at each step all the same, and counted.
    """

    name, printed = "delayed-guidance", "delayed guidance"

    class Options(options.Options):
        """Delayed guidance."""

        until: NoiseLevel
        """t above which there is no guidance"""

    def guide(self, start: Start) -> float | Guide:
        """0, then the configured lambda."""
        from mmh.sampling.guides import Delayed

        return Delayed(start.guidance, float(self.options.until))
