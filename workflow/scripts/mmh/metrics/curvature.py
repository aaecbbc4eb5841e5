"""||H^D s^D||, the metric of Jeon et al. (2025): how sharply the score difference changes along itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from mmh.metrics.at_steps import AtSteps
from mmh.options.base import Field

if TYPE_CHECKING:
    from mmh.metrics.base import Array
    from mmh.metrics.seen import Seen
    from mmh.options.entries import Entry


class Curvature(AtSteps):
    """||H^D s^D|| with H^D and s^D the Hessian and score with the caption less those without."""

    name, printed = "curvature", "‖H^Δ s^Δ‖"

    class Options(AtSteps.Options):
        """At which steps, and how the product is taken."""

        product: Literal["central", "jvp", "one-sided"] = "central"
        """central: a difference of two calls; jvp: one pass of dual numbers; one-sided: the paper's step"""
        h: float = Field(default=0.1, gt=0)
        """displacement of a difference, in the units of the latents; the paper's step is 1"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Find half precision, which a difference of noises does not survive."""
        yield from super().check(options, experiment, where)
        dtype = experiment.section("latents").get("dtype", "float32")
        if options.product != "jvp" and dtype != "float32":
            yield f"{where}.product: a difference of {dtype} noises is rounding alone; use jvp"

    def see(self, step: Seen) -> Array:
        """The norm, along the un-normalised score difference."""
        from mmh.hessian.directional import along_own_score

        delta = (step.caption - step.empty).detach()
        how: dict[str, Any] = {
            "way": self.options.product,
            "step": self.options.h,
            "module": step.model.module,
        }
        return along_own_score(step.difference_at, step.z.detach(), delta, step.sigma, **how)

    @classmethod
    def cost(cls, options: Any, dim: int, trace_calls: Callable[[int | str], float]) -> float:
        """Two calls, one, or a dual-number pass."""
        return {"central": 2.0, "one-sided": 1.0, "jvp": 5.0}[options.product]

    @classmethod
    def network_rows(cls, options: Any, dim: int) -> tuple[int, int]:
        """Both branches, at each place."""
        return {"central": 4, "one-sided": 2, "jvp": 2}[options.product], 0


class CurvatureTranspose(AtSteps):
    """||(H^D)^T s^D||, by one backward pass over the graph of sampling's own call."""

    name, printed = "curvature_transpose", "‖H^Δᵀ s^Δ‖"
    needs = "graph"

    def see(self, step: Seen) -> Array:
        """The norm."""
        import torch

        from mmh.hessian.directional import transposed_along_own_score

        with torch.inference_mode(False), torch.enable_grad():
            transpose = step.transpose_of_difference()
            return transposed_along_own_score(transpose, step.caption - step.empty, step.sigma)

    @classmethod
    def cost(cls, options: Any, dim: int, trace_calls: Callable[[int | str], float]) -> float:
        """One product."""
        return trace_calls(1) - 1

    @classmethod
    def network_rows(cls, options: Any, dim: int) -> tuple[int, int]:
        """Both branches."""
        return 0, 2
