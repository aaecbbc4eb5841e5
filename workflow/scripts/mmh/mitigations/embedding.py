"""What mitigations have in common that look for another embedded prompt by a descent."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from mmh.mitigations.base import Mitigation
from mmh.options import base as options
from mmh.options.base import Field

if TYPE_CHECKING:
    import torch

    from mmh.sampling.start import Mask, Start

    Objective = Callable[[torch.Tensor, Mask, bool], tuple[torch.Tensor, torch.Tensor | None]]
    """Embedded prompts (n, L, D), which generations go on, and whether the gradient is needed -> what is
    minimised, (n,), and its gradient."""
    Watch = Callable[[int, torch.Tensor, torch.Tensor], None]


class Descent(options.Options):
    """A descent on the embedded prompt."""

    iterations: int = Field(default=10, ge=1)
    """steps of Adam at most"""
    learning_rate: float = Field(default=0.05, gt=0)
    """of Adam; the published one"""
    first_token: Literal["kept", "moved"] = "kept"
    """whether the first token, which no word comes before, stays as it is, as in both published programs"""


class EmbeddingDescent(Mitigation):
    """Adam on the embedded prompt, token by token, from the one that was given.

    Each generation has an embedded prompt of its own in the end, found at its own latents: it depends on no
    other generation. The programs of both papers have one for all generations of a prompt.
    """

    class Options(Descent):
        """A descent on the embedded prompt."""

    sign = 1.0
    """What is minimised is this times what is watched."""

    def target(self) -> float | None:
        """Where a generation stops; None: after all iterations."""
        return None

    def objective(self, start: Start) -> Objective:
        """Give what is minimised; it counts the rows that it takes."""
        raise NotImplementedError(self.name)

    def condition(self, start: Start) -> torch.Tensor:
        """Descend for each generation."""
        return self.descend(start)

    def descend(self, start: Start, watch: Watch | None = None) -> torch.Tensor:
        """Descend for each generation.

        Parameters
        ----------
        start : Start
        watch : callable, optional
            Called with the number of iterations done, the embedded prompts after them (n, L, D), and what is
            watched there, (n,), until no generation goes on.

        Returns
        -------
        torch.Tensor
            (n, L, D).
        """
        import torch

        from mmh.compute.attention import math_attention
        from mmh.sampling.noise_descent import descend

        with torch.inference_mode(False), torch.enable_grad(), math_attention():
            start.null = start.null.detach().clone()
            first = start.c.detach().clone()
            first = first.to(torch.promote_types(first.dtype, torch.float32))
            of = self.objective(start)

            def loss(c: torch.Tensor, active: torch.Tensor, *, gradient: bool) -> Any:
                value, slope = of(c, active.cpu().numpy(), gradient)
                if slope is not None and self.options.first_token == "kept":
                    slope = torch.cat([torch.zeros_like(slope[:, :1]), slope[:, 1:]], dim=1)
                return value.to(c.dtype), slope

            found = descend(
                loss,
                first,
                start.all_rows(),
                alpha=0.0,
                threshold=self.target(),
                squared=True,
                steps=self.options.iterations,
                learning_rate=self.options.learning_rate,
                watch=None if watch is None else (lambda k, c, value: watch(k, c, self.sign * value)),
            )
        if self.target() is not None:
            start.accepted = found.accepted.cpu().numpy()
        return found.z
