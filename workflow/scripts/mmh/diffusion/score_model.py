"""Score models: what every estimator needs to know of a diffusion model.

A model is described by x_t | x_0 ~ N(psi(t) x_0, sigma(t)^2 I) with t in (0, 1], and by the noise it
predicts, eps(z, t); its score is -eps(z, t) / sigma(t).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from math import prod
from typing import Any, Self

import torch
from numpy.typing import ArrayLike

from mmh.diffusion.diffusers_network import Network, diffusers_parts
from mmh.diffusion.modes import training_parts
from mmh.diffusion.pipelines import Prompts, embedded, pipeline_parts
from mmh.diffusion.schedule import Schedule
from mmh.diffusion.terms import Terms, as_condition, function_parts, said, weighted_sum
from mmh.errors import InputError


class ScoreModel:
    """A noise predictor with its schedule; conditioning, if any, is bound to it row by row.

    Build one with `from_diffusers`, `from_pipeline` or `from_function`. Conditioning rows belong to the rows
    of the batch: after ``model.conditioned(c)``, ``model.eps(z, t)`` needs as many rows in `z` as in `c` (or
    one row in `c`, used for all). Code that cuts, repeats or pads a batch by row numbers takes
    ``model.select(rows)`` along.

    Parameters
    ----------
    network : callable
        (z, t, c) -> eps, all of one batch; c is None for an unconditional call.
    shape : sequence of int
        Shape of one sample.
    schedule : Schedule
        The noise schedule.
    dtype, device
        Type and place of the network's input.
    module : torch.nn.Module, optional
        The module behind `network`: its parameters are frozen here and it is put into eval mode at each call.
    terms : sequence of (float, tensor or None)
        Weights and conditions of the calls that are summed: eps = sum_j w_j network(z, t, c_j).
    build : callable, optional
        Makes `network` anew of another form of `function`, and with the noise levels of a second argument.
    function : callable, optional
        What `build` took to make `network`.
    """

    def __init__(
        self,
        network: Network,
        shape: Sequence[int],
        schedule: Schedule,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        module: torch.nn.Module | None = None,
        terms: Terms = ((1.0, None),),
        build: Callable[..., Network] | None = None,
        function: Callable[..., Any] | None = None,
    ) -> None:
        self.shape = tuple(int(s) for s in shape)
        self.schedule = schedule
        self.dtype = dtype
        self.device = torch.device(device)
        self.module = module
        self.terms = tuple(terms)
        self.function = network if function is None else function
        self.build: Callable[..., Network] = build or (lambda f, schedule=None: f)
        self.variants: dict[Any, Any] = {}  # other forms of the function, shared by models of one network
        self._network = network
        if module is not None:
            module.eval().requires_grad_(False)

    def __repr__(self) -> str:
        name = getattr(self.function, "__qualname__", type(self.function).__name__)
        place = f"{str(self.dtype).removeprefix('torch.')} on {self.device}"
        return f"ScoreModel({name}, shape={self.shape}, {self.schedule}, {place}, {said(self.terms)})"

    @property
    def dim(self) -> int:
        """Number of values of one sample, d."""
        return prod(self.shape)

    @property
    def rows(self) -> int | None:
        """Number of rows that the bound conditioning has, or None if any batch fits."""
        bound = [len(c) for _, c in self.terms if c is not None and len(c) != 1]
        return bound[0] if bound else None

    def eps(self, z: torch.Tensor, t: float) -> torch.Tensor:
        """Predict the noise in `z`, differentiable with respect to `z`.

        Parameters
        ----------
        z : torch.Tensor
            (n, *shape), at the noise level of `t`: psi(t) x for a clean x, no rescaling done here.
        t : float
            Time in (0, 1], the same for the whole batch.

        Returns
        -------
        torch.Tensor
            (n, *shape), in the network's dtype.

        Raises
        ------
        InputError
            If the shape of `z` or its number of rows does not fit.
        """
        return self._sum(self._network, z, t)

    def score(self, z: torch.Tensor, t: float) -> torch.Tensor:
        """Score of the noised density, -eps(z, t) / sigma(t); the same arguments as `eps`."""
        return -self.eps(z, t) / self.schedule.sigma(float(t))

    def clean(self, z: torch.Tensor, t: float) -> torch.Tensor:
        """Predict the clean sample, (z - sigma eps) / psi; the same arguments as `eps`.

        A network that predicts v or the sample gives it without the division, at psi = 0 too.

        Raises
        ------
        InputError
            As `eps`; and at psi = 0, if all that is known is the noise.
        """
        direct = getattr(self._network, "clean", None)
        if direct is not None:
            return self._sum(direct, z, t)
        psi, sigma = self.schedule.psi(float(t)), self.schedule.sigma(float(t))
        if psi == 0:
            raise InputError(f"at t = {t:g} psi is 0: the noise alone does not tell the clean sample")
        return (z.to(device=self.device, dtype=self.dtype) - sigma * self.eps(z, t)) / psi

    def conditioned(self, c: ArrayLike | torch.Tensor) -> Self:
        """Bind conditioning in a new model that shares the network: eps(z, t, c).

        Encoder hidden states or class labels: (n, ...), one for each row, or (1, ...) for all.
        """
        return self._with(((1.0, self._condition(c)),))

    def guided(self, c: ArrayLike | torch.Tensor, null: ArrayLike | torch.Tensor, scale: float) -> Self:
        """Bind classifier-free guidance, eps(z, null) + scale (eps(z, c) - eps(z, null)).

        Parameters
        ----------
        c, null : array_like or torch.Tensor
            Conditioning and empty conditioning, (n, ...) or (1, ...).
        scale : float
            Guidance strength; 1 is the conditional model, 0 the unconditional one.

        Returns
        -------
        ScoreModel
            A new model that shares the network; its Jacobian is that of the whole guided sum.
        """
        terms = ((1.0 - float(scale), self._condition(null)), (float(scale), self._condition(c)))
        sizes = {len(c_j) for _, c_j in terms} - {1}
        if len(sizes) > 1:
            raise InputError(f"c and null must have as many rows as each other, or one: got {sorted(sizes)}")
        return self._with(terms)

    def select(self, rows: ArrayLike) -> Self:
        """Take rows (m,) of the bound conditioning, in order and with repetitions, for batches of m rows.

        The same model where none is bound.
        """
        if self.rows is None:
            return self
        index = torch.as_tensor(rows, dtype=torch.int64, device=self.device)
        return self._with(
            tuple((w, c if c is None or len(c) == 1 else c.index_select(0, index)) for w, c in self.terms)
        )

    def continuous(self) -> Self:
        """Let the model be called between its noise levels, for solvers of differential equations.

        A diffusers network is given the time t T as it is, not a step, and the noise levels of its prediction
        type are interpolated; a function that was wrapped gets t either way. Where the schedule is continuous
        already, this is the same model.
        """
        schedule = self.schedule.continuous()
        if schedule is self.schedule:
            return self
        model, build = copy.copy(self), self.build
        model.schedule = schedule
        model.build = lambda function, levels=schedule: build(function, levels)
        model._network = model.build(self.function)
        return model

    @classmethod
    def from_function(
        cls,
        function: Callable[..., torch.Tensor],
        shape: Sequence[int],
        schedule: Schedule,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> Self:
        """Wrap any noise predictor: a closed form, a small network.

        Parameters
        ----------
        function : callable or torch.nn.Module
            ``function(z, t) -> eps`` with z (n, *shape) and t a float, and ``function(z, t, c)`` once
            conditioned. A module is frozen and put into eval mode.
        shape, schedule : sequence of int, and Schedule
            Shape of one sample, and the noise schedule.
        dtype, device
            Type and place of the input; by default those of the module's parameters, or float32 on the CPU.
        """
        return cls(shape=shape, schedule=schedule, **function_parts(function, dtype, device))

    @classmethod
    def from_diffusers(
        cls,
        unet: Any,
        scheduler: Any = None,
        *,
        time_scale: float = 1.0,
        schedule: Schedule | None = None,
        shape: Sequence[int] | None = None,
    ) -> Self:
        """Wrap a diffusers UNet or transformer with the scheduler that it was trained with.

        The noise follows from the scheduler's prediction type: eps = out (``epsilon``), psi out + sigma z
        (``v_prediction``), (z - psi out) / sigma (``sample``); the z-terms are part of the Jacobian. Output
        channels of a learned variance are dropped. Unconditional until `conditioned` or `guided` is called.

        Parameters
        ----------
        unet : diffusers model
            Called as ``unet(z, timestep=..., [encoder_hidden_states=c | class_labels=c])``; frozen.
        scheduler : diffusers scheduler
            Gives the table of noise levels and the prediction type.
        time_scale : float
            Factor on the time input: 0.25 for a 4000-step model whose input is rescaled to 1000 steps.
        schedule : Schedule, optional
            Noise levels in place of the scheduler's; the time input is t T where it has no step index.
        shape : sequence of int, optional
            Shape of one sample, where the network's configuration has no ``sample_size``.

        Raises
        ------
        InputError
            If a part is no network or no scheduler, or the prediction type or the sample shape is unknown.
        """
        return cls(**diffusers_parts(unet, scheduler, schedule, time_scale, shape))

    @classmethod
    def from_pipeline(
        cls, pipe: Any, prompts: Prompts = None, *, guidance: float | None = None, **how: Any
    ) -> Self:
        """Wrap the network of a diffusers pipeline, with its scheduler and, if asked for, captions.

        Parameters
        ----------
        pipe : diffusers pipeline
            With a ``unet`` or ``transformer``; of a latent model, samples are latents.
        prompts, guidance : str or sequence of str, and float, optional
            Captions to bind, one for all rows or one for each; strength of their classifier-free guidance.
        **how
            As for `from_diffusers`.

        Raises
        ------
        InputError
            If a part is missing, or it takes no captions.
        """
        model = cls.from_diffusers(*pipeline_parts(pipe), **how)
        if prompts is None and guidance is None:
            return model
        c, null = embedded(pipe, prompts, empty=guidance is not None)
        return model.conditioned(c) if guidance is None else model.guided(c, null, guidance)

    def _sum(self, network: Network, z: torch.Tensor, t: float) -> torch.Tensor:
        """Weighted sum over the bound conditions of what `network` says."""
        if tuple(z.shape[1:]) != self.shape:
            raise InputError(f"this model takes (n, {', '.join(map(str, self.shape))}), got {tuple(z.shape)}")
        if self.rows not in (None, len(z)):
            raise InputError(
                f"the conditioning has {self.rows} rows but the batch has {len(z)}; use select(rows)"
            )
        if self.module is not None and training_parts(self.module):
            self.module.eval()  # someone trained it, or a part of it, further
        z = z.to(device=self.device, dtype=self.dtype)
        return weighted_sum(network, z, t, self.terms)

    def _with(self, terms: Terms) -> Self:
        model = copy.copy(self)
        model.terms = tuple(terms)
        return model

    def _condition(self, c: ArrayLike | torch.Tensor) -> torch.Tensor:
        return as_condition(self._network, c, dtype=self.dtype, device=self.device)
