"""The normal bundle with a network against a plain reference, and the layout of its input."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from diffusers import DDPMScheduler, UNet2DModel

from mmh.compute import rng
from mmh.compute.rows import fast_layout
from mmh.diffusion.score_model import ScoreModel
from mmh.lid import normal_bundle_spectrum
from tests.bench.measures import Result
from tests.bench.timing import Measure, interleaved

SIDE, ROWS, T0 = 16, 256, 0.05


def network(*, attention: bool) -> ScoreModel:
    """A UNet for 3 x 16 x 16, d = 768, with attention below full size and in the middle, or without any."""
    torch.manual_seed(0)
    kind = "Attn" if attention else ""
    unet = UNet2DModel(
        sample_size=SIDE,
        block_out_channels=(32, 64),
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=("DownBlock2D", f"{kind}DownBlock2D"),
        up_block_types=(f"{kind}UpBlock2D", "UpBlock2D"),
        add_attention=attention,
    )
    return ScoreModel.from_diffusers(unet, DDPMScheduler(1000))


def plain_spectrum(model: ScoreModel, x: torch.Tensor) -> np.ndarray:
    """Singular values (d,) of 4d scores, as one writes them down: the rows in float32, then their SVD."""
    copies, psi, sigma = 4 * model.dim, model.schedule.psi(T0), model.schedule.sigma(T0)
    noise = torch.from_numpy(
        rng.generator(0, "bench-plain").standard_normal((copies, *model.shape), np.float32)
    )
    with torch.no_grad():
        rows = [model.eps(psi * x + sigma * part, T0).flatten(1) for part in noise.split(ROWS)]
    return torch.linalg.svdvals(torch.cat(rows)).numpy()


def network_cost(*, full: bool) -> Result:
    """The whole estimate beside the plain one, and a forward pass in either layout, of both networks."""
    measures: list[Measure] = []
    details: dict[str, Any] = {}
    for attention in (True, False):
        name = "with attention" if attention else "without attention"
        found = details[name] = _compared(network(attention=attention), full=full)
        whole, layouts = found["spectrum"], found["forward"]
        measures += [
            Measure(f"NB {name}, d = 768, plain reference / ours", whole["plain"] / whole["ours"], "times",
                    ">= 1.0"),
            Measure(f"forward pass {name}, channels last / as it is", layouts["last"] / layouts["contiguous"],
                    "times"),
        ]  # fmt: skip
    return measures, details


def _compared(model: ScoreModel, *, full: bool) -> dict[str, Any]:
    """Seconds of forward passes and of whole spectra, and the layout that is taken."""
    x = torch.zeros(1, *model.shape)
    z = torch.from_numpy(rng.generator(0, "bench-z").standard_normal((ROWS, *model.shape), np.float32))
    last = z.to(memory_format=torch.channels_last)

    def forward(batch: torch.Tensor) -> None:
        with torch.no_grad():
            model.eps(batch, T0)

    works = {"contiguous": lambda: forward(z), "last": lambda: forward(last)}
    spectra = {
        "plain": lambda: plain_spectrum(model, x),
        "ours": lambda: normal_bundle_spectrum(model, x, T0, copies=4 * model.dim, batch_size=ROWS),
    }
    taken = fast_layout(z, model.module).is_contiguous(memory_format=torch.channels_last)
    return {
        "forward": interleaved(works, 4 if full else 2),
        "chosen": "last" if taken else "contiguous",
        "spectrum": interleaved(spectra, 3 if full else 1),
    }


MEASURES = {"normal_bundle_networks": network_cost}
