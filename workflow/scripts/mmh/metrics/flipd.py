"""FLIPD along guided trajectories, where the noise is small."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from mmh.metrics.base import Metric
from mmh.options import base as options
from mmh.options.base import Field

if TYPE_CHECKING:
    from mmh.metrics.base import Array
    from mmh.metrics.seen import Seen

EXACT_DIM = 256


class Flipd(Metric):
    """d - sigma tr(d eps^CFG / d z) + ||eps^CFG||^2, whose mean over the last steps is A^FLIPD.

    The latents are at the noise level of their step already: none is multiplied by psi.
    """

    name, printed, large = "flipd", "FLIPD", False
    until = 0.2  # paper Eq. 28
    needs, shared = "graph", ("trace", "probe")

    class Options(options.Options):
        """How the trace of A^FLIPD is taken."""

        trace: Literal["exact", "auto"] | Annotated[int, Field(ge=1)] = "auto"
        """exact, auto (exact up to 256 dimensions, else one probe), or the number of probes of each step"""
        probe: Literal["gaussian", "rademacher"] = "rademacher"
        """law of the probes; gaussian is the paper's"""

    def see(self, step: Seen) -> Array:
        """FLIPD of the guided noise; each probe is one vector-Jacobian product."""
        value: Array = step.model.dim - step.sigma * self._trace(step) + step.squared_norm
        return value

    @classmethod
    def cost(cls, options: Any, dim: int, trace_calls: Callable[[int | str], float]) -> float:
        """The products of its trace."""
        probes = _probes(options.trace, dim)
        return trace_calls("exact" if probes is None else probes) - 1

    @classmethod
    def network_rows(cls, options: Any, dim: int) -> tuple[int, int]:
        """Both branches, for each product."""
        return 0, 2 * (_probes(options.trace, dim) or dim)

    def _trace(self, step: Seen) -> Array:
        import torch

        from mmh.compute.trace import exact_draws

        probes, device = _probes(self.options.trace, step.model.dim), step.z.device
        with torch.inference_mode(False), torch.enable_grad():
            products = step.products()
            if probes is None:
                return exact_draws(products, step.model.dim).sum(0).cpu().numpy()
            draws = [
                products.quadratic(
                    torch.from_numpy(step.probe(self.options.probe, j)).to(device).double(),
                    last=j == probes - 1,
                )
                for j in range(probes)
            ]
        return torch.stack(draws).mean(0).cpu().numpy()


def _probes(trace: int | str, dim: int) -> int | None:
    """Number of probes, None for the exact trace."""
    if trace == "auto":
        return None if dim <= EXACT_DIM else 1
    return None if trace == "exact" else int(trace)
