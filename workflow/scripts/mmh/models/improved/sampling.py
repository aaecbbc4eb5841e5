"""Sampler of improved DDPM: ancestral with the learned variance, or DDIM, over kept steps."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from mmh.compute import rng
from mmh.compute.rows import aligned_blocks
from mmh.diffusion.schedule import Schedule
from mmh.errors import InputError
from mmh.models.improved.process import STEPS, TIME_SCALE, Process, kept_steps

SAMPLERS = ("ancestral", "ddim")
Report = Callable[..., None]


@torch.no_grad()
def sample(
    model_fn: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    ids: Sequence[int] | np.ndarray,
    *,
    seed: int,
    shape: Sequence[int],
    batch_size: int,
    respacing: str = "250",
    sampler: str = "ancestral",
    eta: float = 0.0,
    schedule: Schedule | None = None,
    time_scale: float = TIME_SCALE,
    progress: Report | None = None,
    device: torch.device | str = "cpu",
) -> np.ndarray:
    """Draw images, each from a random stream of its own.

    An image's bytes depend on (seed, id) alone, however the ids are cut into calls, on one machine with one
    number of threads; see `batches`. Every step draws noise for every image, also where none is used, so that
    samplers differ in nothing else; only one step's noise is held.

    Parameters
    ----------
    model_fn : callable
        ``model_fn(x, time) -> output`` with x float32 (n, *shape), time float32 (n,), the original level
        times `time_scale`, and output (n, 2C, H, W), or (n, C, H, W) of a network that learned no variance.
    ids : (n,) int
        Which images, in any order.
    seed : int
        Root seed.
    shape : sequence of int
        (C, H, W) of one image.
    batch_size : int
        Images computed at once; part of the recipe, since another one may change the last bits.
    respacing : str
        As for `kept_steps`.
    sampler : {"ancestral", "ddim"}
        Learned variance, or DDIM.
    eta : float
        DDIM's share of fresh noise, 0 to 1.
    schedule, time_scale
        The full process and the factor on the network's time input.
    progress : callable, optional
        Called as ``progress(done)`` after each step; images under way count by the steps that they have done.
    device : torch.device or str
        Where states are held and the model is called.

    Returns
    -------
    (n, C, H, W) float32
        Images in [-1, 1], the last clipped estimates; rows in the order of `ids`.

    Raises
    ------
    InputError
        If an option is unknown or out of range, or the model returns another shape.
    """
    if sampler not in SAMPLERS:
        raise InputError(f"sampler must be one of {', '.join(SAMPLERS)}, got {sampler!r}")
    if not 0.0 <= eta <= 1.0 or (eta and sampler != "ddim"):
        raise InputError(f"eta is DDIM's, from 0 to 1; got {eta} with sampler {sampler!r}")
    if batch_size < 1:
        raise InputError(f"batch_size must be positive, got {batch_size}")
    schedule = Schedule.cosine(STEPS) if schedule is None else schedule
    total = schedule.index(1.0)
    process = Process(kept_steps(respacing, STEPS if total is None else total + 1), schedule)
    ids = np.asarray(ids, dtype=np.int64)
    size = tuple(int(s) for s in shape)
    out = np.empty((len(ids), *size), dtype=np.float32)
    done, steps = 0, len(process.kept)
    for rows, places in aligned_blocks(ids, batch_size):
        streams = [rng.generator(seed, "step-noise", i) for i in ids[rows]]
        x, noise = torch.zeros(batch_size, *size), torch.zeros(batch_size, *size)
        x[places] = rng.normal(seed, "initial-noise", ids[rows], size)
        x = x.to(device)
        for position in reversed(range(steps)):
            time = torch.full((batch_size,), float(process.kept[position] * time_scale), device=x.device)
            output = _checked(model_fn(x, time), x)
            drawn = [stream.standard_normal(size, dtype=np.float32) for stream in streams]
            noise[places] = torch.from_numpy(np.stack(drawn))
            fresh = noise.to(x.device)
            if sampler == "ddim":
                x = process.ddim_step(position, x, output, fresh, eta)
            else:
                x = process.ancestral_step(position, x, output, fresh)
            if progress is not None:
                progress(done + len(rows) * (steps - position) // steps)
        out[rows] = x.cpu().numpy()[places]
        done += len(rows)
    return out


def _checked(output: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    n, channels, *rest = x.shape
    allowed = [(n, 2 * channels, *rest), (n, channels, *rest)]
    if tuple(output.shape) not in allowed:
        raise InputError(
            f"the network returned shape {tuple(output.shape)} for a batch {tuple(x.shape)}; "
            f"needed is {' or '.join(map(str, allowed))}"
        )
    return output.to(x.dtype)
