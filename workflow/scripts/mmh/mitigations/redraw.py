"""The best of several noises: the control of every search for a noise, at equal compute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmh.mitigations.base import Mitigation
from mmh.options import base as options
from mmh.options.base import Field

if TYPE_CHECKING:
    import torch

    from mmh.sampling.start import Start


class Redraw(Mitigation):
    """Of several noises, that with the smallest ||s_c - s_0|| at the first step, the metric of Wen et al."""

    name, printed = "redraw", "best of several noises"

    class Options(options.Options):
        """Best of several noises."""

        candidates: int = Field(ge=1)
        """noises that are looked at, the first that of no mitigation; each costs two network rows"""

    def noise(self, start: Start) -> torch.Tensor:
        """Look at all of them, one after the other; of equal ones the first is taken."""
        import torch

        from mmh.sampling.sharpness import norms, spread

        best = start.noise()
        least = torch.full((len(start),), float("inf"), dtype=best.dtype, device=best.device)
        for number in range(self.options.candidates):
            z = start.noise(number)
            with torch.no_grad():
                value = norms(start.score_difference(z))
            better = value < least
            best, least = torch.where(spread(better, z), z, best), torch.where(better, value, least)
        return best

    @classmethod
    def most_rows(cls, options: Any) -> float:
        """Two for each noise."""
        return 2.0 * options.candidates
