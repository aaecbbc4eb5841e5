"""SAIL (Jeon, Kim and No, 2025): a descent on the initial noise to where the guidance is not sharp.

    minimise  S(x_T) + alpha N(x_T),   Adam, from a Gaussian noise, until S + alpha ||x_T|| <= ell_thres

Modes, with s the difference of the scores at the first step, J its Jacobian and u = s / ||s||:

    paper           S = ||s(x + delta u) - s(x)||^2, N = ||x||^2    the formula of the paper's Algorithm 2
    exact-hvp       S = ||J s||^2, N = ||x||^2                      what the difference stands for
    official-code   S = ||D(x + delta d)||, N = ||x||               the authors' program, D the difference of
                    the noises and d = D / ||D|| of the *first* x, which points against s: the level of the
                    guidance one unit away and not its sharpness

The published alpha and ell_thres belong together and to Stable Diffusion: its latents have 16,384 values, so
that .05 ||x|| is 6.4 of the 8.2. At another size alpha is scaled so that the Gaussian term stays as large.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from mmh.mitigations.base import Mitigation
from mmh.options import base as options
from mmh.options.base import Field

if TYPE_CHECKING:
    import torch

    from mmh.sampling.noise_descent import Descended
    from mmh.sampling.start import Start

# Rows of the network for one gradient, both branches, and for one value without it.
COSTS = {"official-code": (4.0, 2.0), "paper": (8.0, 4.0), "exact-hvp": (12.0, 6.0)}


class Sail(Mitigation):
    """A descent on the initial noise."""

    name, printed = "sail", "SAIL"

    class Options(options.Options):
        """SAIL."""

        mode: Literal["paper", "official-code", "exact-hvp"] = "paper"
        """what is minimised: the paper's difference, its program's, or the product with the Hessian"""
        alpha: float = Field(default=0.05, ge=0)
        """weight of the Gaussian term (published: .05 for Stable Diffusion 1, .01 for 2)"""
        alpha_dim: int | None = Field(default=16384, ge=1)
        """values of the latents that alpha was chosen for; null: alpha is taken as it is"""
        ell_thres: float | None = Field(default=8.2, gt=0)
        """sharpness + alpha ||x_T|| at which the descent ends; null: all steps are taken, from one noise"""
        delta: float = Field(default=1.0, gt=0)
        """length of the step of the difference; exact-hvp has none"""
        learning_rate: float = Field(default=0.05, gt=0)
        """of Adam"""
        steps: int = Field(default=10, ge=1)
        """Adam steps from one noise"""
        budget: int = Field(default=8, ge=1)
        """noises tried for a generation; of official-code retries those of a round, for all of a prompt"""
        retries: Literal["correct", "official-code"] = "correct"
        """correct: a fresh noise for each attempt, at last the best; official-code: see `published_noise`"""
        rounds: int = Field(default=30, ge=1)
        """rounds of official-code retries at most"""
        keep_norm: bool = False
        """put the noise back to its first length after each step"""

    def noise(self, start: Start) -> torch.Tensor:
        """Descend from one noise after the other, until one is accepted."""
        import torch

        own = self.options
        if own.retries == "official-code" and own.ell_thres is not None:
            from mmh.mitigations.sail_retries import published_noise

            return published_noise(start, own, self._descent(start))
        from mmh.sampling.sharpness import spread

        best, waiting = start.noise(), start.all_rows()
        least = torch.full((len(start),), float("inf"), dtype=best.dtype, device=best.device)
        descent = self._descent(start)
        for number in range(own.budget):
            found = descent(start.noise(number), waiting, own.ell_thres)
            better = waiting & (found.accepted | (found.loss < least))
            best = torch.where(spread(better, best), found.z, best)
            least = torch.where(better, found.loss, least)
            waiting = waiting & ~found.accepted
            if not bool(waiting.any()):
                break
        start.accepted = ~waiting.cpu().numpy()
        return best

    @classmethod
    def most_rows(cls, options: Any) -> float:
        """All steps of all attempts."""
        gradient, value = COSTS[options.mode]
        attempts = options.budget if options.ell_thres is not None else 1
        if options.retries == "official-code" and options.ell_thres is not None:
            attempts = options.budget * options.rounds
        return float(attempts * (options.steps * gradient + value + (2 if value == 2.0 else 0)))

    @staticmethod
    def weight(options: Any, dim: int) -> float:
        """Give alpha at this size: as it is, or so that the Gaussian term stays as large."""
        if options.alpha_dim is None:
            return float(options.alpha)
        ratio = options.alpha_dim / dim
        return float(options.alpha * (ratio**0.5 if options.mode == "official-code" else ratio))

    def _descent(self, start: Start) -> Callable[[torch.Tensor, torch.Tensor, float | None], Descended]:
        """One descent: noises, rows to work on and threshold to where they end."""
        from mmh.sampling.noise_descent import descend

        own, dim = self.options, start.model.dim
        how: dict[str, Any] = {"steps": own.steps, "learning_rate": own.learning_rate}
        how |= {"alpha": self.weight(own, dim), "keep_norm": own.keep_norm}
        how["squared"] = own.mode != "official-code"

        def run(z: torch.Tensor, active: torch.Tensor, threshold: float | None) -> Descended:
            return descend(self._objective(start, z, active), z, active, threshold=threshold, **how)

        return run

    def _objective(self, start: Start, first: torch.Tensor, wanted: torch.Tensor) -> Callable[..., Any]:
        """What is minimised from these first noises, counted."""
        import torch

        from mmh.compute.attention import forward_mode
        from mmh.sampling import sharpness

        mode, delta, sigma = self.options.mode, self.options.delta, start.sigma
        if mode == "official-code":
            with torch.no_grad():
                direction = -delta * sharpness.unit(start.score_difference(first, wanted.cpu().numpy()))

        def objective(z: torch.Tensor, active: torch.Tensor, *, gradient: bool) -> sharpness.Found:
            mask = active.cpu().numpy()

            def field(at: torch.Tensor) -> torch.Tensor:
                return start.score_difference(at, mask)

            if mode == "official-code":
                start.count(2.0 * gradient, mask)
                value, slope = sharpness.ahead(field, z, direction, gradient=gradient)
                return sigma * value, slope if slope is None else sigma * slope
            if mode == "paper":
                start.count(4.0 * gradient, mask)
                return sharpness.finite(field, z, delta, gradient=gradient)
            with forward_mode(start.model.module):
                # Besides the calls: the tangent, one backward pass, and one through both.
                start.count(2.0 + 6.0 * gradient, mask)
                return sharpness.exact(field, z, gradient=gradient)

        return objective
