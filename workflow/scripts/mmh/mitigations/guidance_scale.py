"""Another guidance scale in place of the configured one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.mitigations.base import Mitigation
from mmh.options import base as options
from mmh.options.base import Field

if TYPE_CHECKING:
    from mmh.sampling.guides import Guide
    from mmh.sampling.start import Start


class GuidanceScale(Mitigation):
    """lambda is another, at each step."""

    name, printed = "guidance-scale", "guidance"

    class Options(options.Options):
        """Another guidance scale."""

        scale: float = Field(ge=0)
        """lambda; 1 follows the caption alone"""

    def guide(self, start: Start) -> float | Guide:
        """The given lambda."""
        return float(self.options.scale)
