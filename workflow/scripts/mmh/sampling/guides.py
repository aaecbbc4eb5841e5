"""What a sampler makes of the two noises of a step: plain guidance, or any other combination of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from mmh.diffusion.score_model import ScoreModel


@dataclass(frozen=True)
class Branches:
    """The two predictions of one step, before they are combined.

    Attributes
    ----------
    number : int
        0 for the noisiest level.
    t, index, sigma
        Time, step of the model's table, noise level.
    z : torch.Tensor
        (n, *shape), latents at this level; the leaf of the graph where the guide wants one.
    empty, caption : torch.Tensor
        (n, *shape), eps_0 and eps_c; at psi = 0, where the state is the noise whatever the caption, once more
        the clean samples that the network predicts.
    pair, noises : torch.Tensor or None
        (2 n, *shape), the latents twice, as the network was given them, and [eps_0, eps_c] of them: one
        backward pass between these two goes through each branch once. None where the network was not asked.
    both : ScoreModel or None
        The network with the conditions of those 2 n rows.
    """

    number: int
    t: float
    index: int
    sigma: float
    z: torch.Tensor
    empty: torch.Tensor
    caption: torch.Tensor
    pair: torch.Tensor | None = None
    noises: torch.Tensor | None = None
    both: ScoreModel | None = None


class Guide(ABC):
    """Combines the noises of a step; a step's rows are independent of each other."""

    def wants_graph(self, t: float) -> bool:
        """Whether `combine` will differentiate the noises at this level with respect to the latents."""
        return False

    @abstractmethod
    def combine(self, step: Branches) -> torch.Tensor:
        """Give the guided noise, (n, *shape); where both branches are equal, that is what they are."""


class Constant(Guide):
    """eps_0 + lambda (eps_c - eps_0).

    Parameters
    ----------
    scale : float
        lambda.
    """

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def combine(self, step: Branches) -> torch.Tensor:
        """The same lambda at each step."""
        return step.empty + self.scale * (step.caption - step.empty)


class Delayed(Constant):
    """lambda = 0, the empty caption alone, while the noise is large.

    Parameters
    ----------
    scale : float
        lambda afterwards.
    until : float
        t above which it is 0.
    """

    def __init__(self, scale: float, until: float) -> None:
        super().__init__(scale)
        self.until = until

    def combine(self, step: Branches) -> torch.Tensor:
        """Guided once t has come down to `until`."""
        return super().combine(step) if step.t <= self.until else step.empty
