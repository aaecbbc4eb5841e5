"""One step of a batch of trajectories, as metrics of prompts see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

from mmh.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from mmh.compute.trace import GraphProducts
    from mmh.diffusion.score_model import ScoreModel
    from mmh.hessian.geometry import Geometry
    from mmh.hessian.operators import Product
    from mmh.sampling.guided import Step

Branch = Literal["caption", "empty", "difference"]


class Before(NamedTuple):
    """What is kept of a step for the next one: (n, *shape) each, without graph."""

    z: torch.Tensor
    caption: torch.Tensor


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
    before : Before, optional
        The step before, of the same rows.

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
    before : Before
        Latents and caption's noise of the step before; of a metric that looks back.
    """

    def __init__(
        self,
        step: Step,
        model: ScoreModel,
        streams: Callable[[str, int], list[np.random.Generator]],
        attention: Sequence[torch.Tensor] = (),
        before: Before | None = None,
    ) -> None:
        self.number, self.t, self.index, self.sigma = step.number, step.t, step.index, step.sigma
        self.z, self.empty, self.caption, self.guided = step.z, step.empty, step.caption, step.guided
        self.model, self.attention, self._step = model, attention, step
        self._before = before
        self.graph_is_wanted_again = False
        self._streams = streams
        self._geometries: dict[object, Geometry] = {}

    @property
    def before(self) -> Before:
        """The step before."""
        if self._before is None:
            raise InputError("a metric that compares steps must say so: looks_back = True")
        return self._before

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

    def probe(self, law: str, number: int) -> NDArray[np.float32]:
        """Probe vectors (n, d) of a law, gaussian or rademacher: the same for every metric and branch."""
        import numpy as np

        streams, dim = self.streams(law, number), self.model.dim
        if law == "gaussian":
            return np.stack([stream.standard_normal(dim, dtype=np.float32) for stream in streams])
        signs = np.stack([stream.integers(0, 2, dim, dtype=np.int8) for stream in streams])
        return 2 * signs.astype(np.float32) - 1

    def geometry(self, branch: Branch, m: int | None, probes: int, law: str) -> Geometry:
        """Spectrum of the Jacobian of one branch, or of eps_c - eps_0, for a metric that needs the graph.

        Both branches come from the same backward passes over their 2 n rows, and from the same probes; what
        several metrics ask for alike is computed once. `m` products of each probe; None: the whole Jacobian.
        """
        which = "difference" if branch == "difference" else "both"
        key = which, m, probes, law
        if key not in self._geometries:
            self._geometries[key] = self._geometry(which == "difference", m, probes, law)
        found, n = self._geometries[key], len(self.z)
        rows = {"empty": slice(0, n), "caption": slice(n, 2 * n), "difference": slice(0, n)}
        return found.part(rows[branch])

    def _geometry(self, difference: bool, m: int | None, probes: int, law: str) -> Geometry:
        import torch

        from mmh.hessian.estimate import check_arguments, dense_parts, krylov_parts
        from mmh.hessian.geometry import Geometry
        from mmh.hessian.operators import transpose_product

        dim, device, noises = self.model.dim, self.z.device, self._step.noises
        check_arguments(dim, m, probes, law)
        with torch.inference_mode(False), torch.enable_grad():
            if difference:
                transpose, copies = self.transpose_of_difference(), 1
                norms = self.squared_difference
            else:
                transpose, copies = transpose_product(noises, self._step.pair), 2
                norms = self.squared(noises)
            if m is None:
                found = dense_parts(transpose, copies * len(self.z), dim, self.sigma, device)
            else:
                drawn = (torch.from_numpy(self.probe(law, j)).to(device) for j in range(probes))
                starts = [v.repeat(copies, 1) for v in drawn]
                found = krylov_parts(transpose, None, starts, m, self.sigma, dtype=self.model.dtype)
        parts = found["traces"], found["nodes"], found["weights"], norms
        return Geometry(dim, self.sigma, *parts, dense=m is None)

    def transpose_of_difference(self) -> Product:
        """Give v (n, d) to (J_c - J_0)^T v by one backward pass, for a metric that needs the graph."""
        import torch

        from mmh.hessian.operators import transpose_product

        return transpose_product(self._step.noises, self.z, fold=lambda v: torch.cat([-v, v]))

    def difference_at(self, z: torch.Tensor) -> torch.Tensor:
        """Call the network for eps_c - eps_0 at other latents (n, *shape) of this noise level: 2 n rows."""
        import torch

        if self.model.schedule.psi(self.t) == 0:
            return z - z  # the state is the noise, whatever the caption
        empty, caption = self._step.both.eps(torch.cat([z, z]), self.t).to(self.z.dtype).chunk(2)
        return caption - empty

    def pulled_back(self) -> torch.Tensor:
        """J_c^T eps_c - J_0^T eps_0 (n, *shape) by one backward pass, for a metric that needs the graph."""
        import torch

        from mmh.hessian.operators import transpose_product

        with torch.inference_mode(False), torch.enable_grad():
            noises = self._step.noises
            both = transpose_product(noises, self._step.pair)(noises.detach().flatten(1))
        of_empty, of_caption = both.reshape(noises.shape).chunk(2)
        return of_caption - of_empty

    def products(self) -> GraphProducts:
        """J^T v of the guided noise, for a metric that needs the graph: no call of the network."""
        from mmh.compute.trace import GraphProducts

        return GraphProducts(self.model, self.z, self.t, self.guided, keep=self.graph_is_wanted_again)
