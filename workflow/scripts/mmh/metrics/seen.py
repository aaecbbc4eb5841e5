"""One step of a batch of trajectories, as metrics of prompts see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from mmh.compute.trace import GraphProducts
    from mmh.diffusion.score_model import ScoreModel
    from mmh.sampling.guided import Step


class Seen:
    """What a metric may look at: n rows, one for each trajectory. What several metrics want is computed once.

    Parameters
    ----------
    step : Step
        Of guided sampling.
    model : ScoreModel
        The network behind it.
    streams : callable
        As the method `streams`, for this step.
    attention : sequence of torch.Tensor
        Cross-attention maps of the caption, as below.

    Attributes
    ----------
    number, t, index, sigma
        Of the step, from 0 for the noisiest; its time, step of the model's table, and noise level.
    z : torch.Tensor
        (n, *shape), latents.
    empty, caption, guided : torch.Tensor
        (n, *shape), the noises eps_0, eps_c and eps_0 + lambda (eps_c - eps_0).
    attention : sequence of torch.Tensor
        Each layer's (n, heads, places, tokens), summing to 1 over the tokens; of a metric that needs it.
    """

    def __init__(
        self,
        step: Step,
        model: ScoreModel,
        streams: Callable[[str, int], list[np.random.Generator]],
        attention: Sequence[torch.Tensor] = (),
    ) -> None:
        self.number, self.t, self.index, self.sigma = step.number, step.t, step.index, step.sigma
        self.z, self.empty, self.caption, self.guided = step.z, step.empty, step.caption, step.guided
        self.model, self.attention = model, attention
        self.graph_is_wanted_again = False
        self._streams = streams

    @staticmethod
    def squared(eps: torch.Tensor) -> NDArray[np.float64]:
        """||eps||^2 of each row, summed in float64."""
        norms: NDArray[np.float64] = eps.detach().double().flatten(1).square().sum(1).cpu().numpy()
        return norms

    @cached_property
    def squared_difference(self) -> NDArray[np.float64]:
        """||eps_c - eps_0||^2."""
        return self.squared(self.caption - self.empty)

    @cached_property
    def squared_norm(self) -> NDArray[np.float64]:
        """||eps_0 + lambda (eps_c - eps_0)||^2."""
        return self.squared(self.guided)

    def streams(self, purpose: str, number: int) -> list[np.random.Generator]:
        """Random numbers of each row, which depend on seed, prompt, generation, step, purpose and number."""
        return self._streams(purpose, number)

    def products(self) -> GraphProducts:
        """J^T v of the guided noise, for a metric that needs the graph: no call of the network."""
        from mmh.compute.trace import GraphProducts

        return GraphProducts(self.model, self.z, self.t, self.guided, keep=self.graph_is_wanted_again)
