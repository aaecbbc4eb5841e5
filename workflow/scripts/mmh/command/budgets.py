"""How much an audit computes: chosen so that a budget holds, by the cost model's measured times."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mmh.command.folders import Folder
from mmh.command.models_of_others import Found
from mmh.compute.network_cost import STABLE_DIFFUSION, Network, unet

MINUTES = {"quick": 4.0, "standard": 30.0, "full": 240.0}
"""Minutes that each budget aims at; the least that an audit needs may be more."""
PROBES = {"quick": 8, "standard": 16, "full": 32}
MOST = {"quick": 2000, "standard": 10_000, "full": 50_000}
"""Samples: more are not drawn, however fast the model."""
GENERATIONS = {"quick": 4, "standard": 8, "full": 16}
"""Of each prompt, at most."""
STEPS = {"quick": 50, "standard": 50, "full": 100}
_SAMPLES = (200, 300, 500, 700, 1000, 1500, 2000, 3000, 5000, 7000, 10_000, 20_000, 50_000)
_GENERATOR = Network(20.2, 0.17, 0.42e-3, 9.0, 20.0)  # mmh.models.stylegan2.MEASURED, for 32 x 32 pixels
_JOB = 8.0  # seconds of Snakemake and of imports for each job
_JOBS = 10  # of an audit that come one after another


@dataclass(frozen=True)
class Images:
    """How an audit of images is cut.

    Attributes
    ----------
    samples : int
    steps, probes : int
        Of the sampler, and of FLIPD.
    batch : int
        Rows per network call.
    sample_shard, image_shard : int
        Items per job: one job for each core.
    minutes : float
        Expected.
    """

    samples: int
    steps: int
    probes: int
    batch: int
    sample_shard: int
    image_shard: int
    minutes: float


def images_within(
    budget: str, model: Found, images: Folder, held: int, cores: int, *, gpu: bool = False
) -> Images:
    """Choose how many samples are drawn.

    Parameters
    ----------
    budget : str
        A key of `MINUTES`.
    model : Found
    images : Folder
    held : int
        Hold-out images.
    cores : int
    gpu : bool

    Returns
    -------
    Images
    """
    dim = images.channels * images.size**2
    batch = max(1, min(250, 200_000 // dim))
    draws, scores = model.kind == "diffusers", model.kind == "diffusers"
    net = unet(model.widths, dim) if draws else _GENERATOR
    row = net.gpu if gpu else net.cpu / cores
    steps, probes = (STEPS[budget] if draws else 1), PROBES[budget]
    scored = (images.n + held) * (1 + 3 * probes) * row if scores else 0.0
    fixed = _JOBS * _JOB + images.n * 100 * 1e-4 / cores

    def minutes(n: int) -> float:
        return (fixed + scored + n * steps * row + n * images.n * dim * 4e-11) / 60

    fitting = [n for n in _SAMPLES if n <= MOST[budget] and minutes(n) <= MINUTES[budget]]
    chosen = max(fitting, default=_SAMPLES[0])

    def shard(n: int) -> int:
        return max(batch, math.ceil(n / cores / batch) * batch)

    sizes = shard(chosen), shard(max(images.n, held))
    return Images(chosen, steps, probes, batch, *sizes, minutes(chosen))


@dataclass(frozen=True)
class Prompts:
    """How an audit of prompts is cut.

    Attributes
    ----------
    generations, steps : int
    batch, shard : int
        Trajectories together, and prompts per job.
    minutes : float
        Expected.
    """

    generations: int
    steps: int
    batch: int
    shard: int
    minutes: float


def prompts_within(
    budget: str, model: Found, prompts: Mapping[str, int], cores: int, *, gpu: bool
) -> Prompts:
    """Choose how often each prompt is sampled.

    Parameters
    ----------
    budget : str
    model : Found
    prompts : mapping of str to int
        Prompts of each set.
    cores : int
    gpu : bool

    Returns
    -------
    Prompts
    """
    n, steps = sum(prompts.values()), 50
    small = (model.size or 512) <= 32
    dim = 4 * ((model.size or 512) // (2 if small else 8)) ** 2
    net = unet(model.widths, dim) if small else STABLE_DIFFUSION
    row = net.gpu if gpu else net.cpu / cores

    def minutes(generations: int) -> float:
        return (6 * _JOB + 2 * n * generations * steps * row) / 60  # with the caption, and without

    fitting = [g for g in (1, 2, 4, 8, 16) if g <= GENERATIONS[budget] and minutes(g) <= MINUTES[budget]]
    chosen = max(fitting, default=1)
    batch = 64 if small else (8 if gpu else 1)
    return Prompts(chosen, steps, batch, max(1, math.ceil(n / cores)), minutes(chosen))
