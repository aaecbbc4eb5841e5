"""The reverse process of improved DDPM (Nichol and Dhariwal, 2021): respaced steps, learned variance, DDIM.

The network is trained on 4000 noise levels and sampled on a subset of them. Its output has twice the channels
of an image: the noise epsilon, then v, which places the log variance of a step within its possible range.
"""

from collections.abc import Sequence
from itertools import count

import numpy as np
import torch

from mmh.diffusion.schedule import Schedule
from mmh.errors import InputError

STEPS = 4000
TIME_SCALE = 0.25
"""The network's time input is in units of a thousandth, whatever the number of levels: 1000 / 4000."""


def kept_steps(respacing: str, total: int = STEPS) -> np.ndarray:
    """Name the noise levels that a respaced process keeps.

    Parameters
    ----------
    respacing : str
        ``""``: all. ``"N"``: N levels, evenly spaced with both ends, rounded half to even. ``"ddimN"``: the
        smallest whole stride that gives exactly N levels from 0 on; the last level is then left out as a
        rule.
    total : int
        Number of levels of the full process.

    Returns
    -------
    (N,) int64
        Rising, within 0..total - 1.

    Raises
    ------
    InputError
        If the text is none of these, N is not within 2..total, or no stride gives N levels.
    """
    if respacing == "":
        return np.arange(total, dtype=np.int64)
    digits = respacing.removeprefix("ddim")
    if not (digits.isascii() and digits.isdigit()):
        raise InputError(f'respacing must be "", "N" or "ddimN" with a number N, got {respacing!r}')
    wanted = int(digits)
    if not 2 <= wanted <= total:
        raise InputError(f"respacing {respacing!r} must keep 2 to {total} levels, not {wanted}")
    if respacing.startswith("ddim"):
        # A longer stride never gives more levels, so the first one that gives no more than N decides.
        stride = next(s for s in count(1) if -(-total // s) <= wanted)
        if -(-total // stride) != wanted:
            raise InputError(f"respacing {respacing!r}: no whole stride gives {wanted} of {total} levels")
        return np.arange(0, total, stride, dtype=np.int64)
    stride_length, place, kept = (total - 1) / (wanted - 1), 0.0, []
    for _ in range(wanted):
        kept.append(round(place))
        place += stride_length  # summed up, as in training: a product could round another way
    return np.array(kept, dtype=np.int64)


class Process:
    """A reverse process on kept noise levels; a step goes from position k to k - 1, the last one from 0.

    Everything is derived from the cumulative products at the kept levels: beta_k = 1 - abar_k / abar_(k-1)
    with abar_(-1) = 1. Tables are float64; a coefficient is rounded to the dtype of the state where it is
    used. The estimate of the clean image is clipped to [-1, 1] in every step: at the noisiest level it is the
    state times 8e4.

    Parameters
    ----------
    kept : (N,) int
        Levels that are kept, rising, at least two.
    schedule : Schedule, optional
        The full process, one with a table; by default the cosine schedule of 4000 levels.

    Attributes
    ----------
    kept : (N,) int64
        What the network is told: the original levels.
    alphas_cumprod, alphas_cumprod_prev, betas : (N,) float64
        Of the respaced process.
    posterior_variance : (N,) float64
        Variance of q(x_(k-1) | x_k, x_0), the lower end of the learned range; at 0, where it vanishes and no
        noise is added, that of position 1.
    coefficient_clean, coefficient_state : (N,) float64
        The mean of q(x_(k-1) | x_k, x_0) is their combination of x_0 and x_k.

    Raises
    ------
    InputError
        If the levels do not rise within the schedule, or the schedule has no levels.
    """

    def __init__(self, kept: Sequence[int] | np.ndarray, schedule: Schedule | None = None) -> None:
        schedule = Schedule.cosine(STEPS) if schedule is None else schedule
        last = schedule.index(1.0)
        if last is None:
            raise InputError(f"a {schedule.kind} schedule has no levels to keep; use a discrete one")
        self.kept = np.array(kept, dtype=np.int64)
        rising = self.kept.ndim == 1 and len(self.kept) >= 2 and bool((np.diff(self.kept) > 0).all())
        if not rising or self.kept[0] < 0 or self.kept[-1] > last:
            raise InputError(f"kept levels must be two or more and rise within 0..{last}, got {kept}")
        # Times are positive: a quarter of a level stands for level 0, to which it is rounded.
        levels = schedule.psi(np.maximum(self.kept, 0.25) / (last + 1))
        self.alphas_cumprod = levels**2
        self.alphas_cumprod_prev = np.append(1.0, self.alphas_cumprod[:-1])
        self.betas = 1.0 - self.alphas_cumprod / self.alphas_cumprod_prev
        rest, rest_prev = 1.0 - self.alphas_cumprod, 1.0 - self.alphas_cumprod_prev
        self.posterior_variance = self.betas * rest_prev / rest
        self.posterior_variance[0] = self.posterior_variance[1]
        self.coefficient_clean = self.betas * np.sqrt(self.alphas_cumprod_prev) / rest
        self.coefficient_state = rest_prev * np.sqrt(1.0 - self.betas) / rest
        self._inverse_psi = 1.0 / levels
        self._inverse_snr = np.sqrt(1.0 / self.alphas_cumprod - 1.0)

    def clean(self, position: int, x: torch.Tensor, eps: torch.Tensor) -> torch.Tensor:
        """Estimate the clean image, x / psi - eps sigma / psi, clipped to [-1, 1].

        Parameters
        ----------
        position : int
            Place k of the state's noise level among the kept ones.
        x, eps : (n, C, H, W)
            State and predicted noise.

        Returns
        -------
        (n, C, H, W)
            In the dtype of `x`.
        """
        estimate = float(self._inverse_psi[position]) * x - float(self._inverse_snr[position]) * eps
        return estimate.clamp(-1.0, 1.0)

    def ancestral_step(
        self, position: int, x: torch.Tensor, output: torch.Tensor, noise: torch.Tensor
    ) -> torch.Tensor:
        """Draw the state before position k with the learned variance, or with beta where none is learned.

        log variance = f log(beta) + (1 - f) log(posterior variance) with f = (v + 1) / 2; v is not clamped.

        Parameters
        ----------
        position : int
            Place k of the state's noise level among the kept ones.
        x, noise : (n, C, H, W)
            State, and standard normal numbers, not used at position 0.
        output : (n, 2C, H, W) or (n, C, H, W)
            What the network says of the state: eps, then v, or eps alone.

        Returns
        -------
        (n, C, H, W)
            In the dtype of `x`; at position 0 the clipped estimate of the clean image.
        """
        eps = output[:, : x.shape[1]]
        clean = self.clean(position, x, eps)
        mean = float(self.coefficient_clean[position]) * clean + float(self.coefficient_state[position]) * x
        if position == 0:
            return mean
        if output.shape[1] == x.shape[1]:
            return mean + float(np.sqrt(self.betas[position])) * noise
        v = output[:, x.shape[1] :]
        high, low = float(np.log(self.betas[position])), float(np.log(self.posterior_variance[position]))
        fraction = (v + 1.0) / 2.0
        log_variance = fraction * high + (1.0 - fraction) * low
        return mean + torch.exp(0.5 * log_variance) * noise

    def ddim_step(
        self, position: int, x: torch.Tensor, output: torch.Tensor, noise: torch.Tensor, eta: float = 0.0
    ) -> torch.Tensor:
        """Compute the state before position k by DDIM (Song et al. 2021, Eq. 12 and 16).

        The noise is derived anew from the clipped estimate of the clean image.

        Parameters
        ----------
        position, x, noise
            As for `ancestral_step`.
        output : (n, C, H, W) or (n, 2C, H, W)
            Its first C channels are eps.
        eta : float
            Share of fresh noise: 0 is deterministic, 1 has the posterior variance.

        Returns
        -------
        (n, C, H, W)
            In the dtype of `x`; at position 0 the clipped estimate of the clean image.
        """
        clean = self.clean(position, x, output[:, : x.shape[1]])
        eps = (float(self._inverse_psi[position]) * x - clean) / float(self._inverse_snr[position])
        # Rounded to the state's dtype before 1 - abar is taken, as the published samplers do: in float32 that
        # moves the lowest levels by 2e-5.
        here, before = (
            torch.tensor(table[position], dtype=x.dtype, device=x.device)
            for table in (self.alphas_cumprod, self.alphas_cumprod_prev)
        )
        sigma = eta * ((1 - before) / (1 - here)).sqrt() * (1 - here / before).sqrt()
        mean = before.sqrt() * clean + (1 - before - sigma**2).clamp(min=0).sqrt() * eps
        return mean + sigma * noise if position else mean
