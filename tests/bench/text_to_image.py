"""`python -m tests.bench.text_to_image`: every score of Stable Diffusion v1.5 at full size, once.

The networks have the public configuration and random weights: time and memory are those of the real ones, the
scores are not. On a CPU that is minutes per score, so the trajectory has 5 steps there, one of them with
FLIPD.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmh.compute import rng
from mmh.compute.attention import full_float32
from mmh.compute.memory import fitting_batch
from mmh.lid.flipd import flipd
from mmh.metrics.base import made
from mmh.models.latent.model import TextToImageModel
from mmh.prompts.scoring import prompt_scores
from mmh.sampling.guided import Grid, ddim_grid
from mmh.scores.cfg_norm import cfg_vector_norm
from tests.bench.timing import Measure, description, report, table

METRICS = made({"cfg_norm_squared": {}, "cfg_norm": {}, "score_norm_squared": {}, "flipd": {"trace": 1}})
LARGEST = 24
"""GiB that every score must fit into."""
FORWARDS = 3.0
"""Forward passes that one conditional FLIPD may take."""
SCHEDULER = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}


class NumberedTokens:
    """A tokenizer without words: a caption is a number, its tokens are drawn by it."""

    model_max_length = 77

    def __call__(self, texts: list[str], **_: Any) -> dict[str, Any]:
        draws = [rng.generator(0, "tokens", len(text)).integers(0, 49406, 75) for text in texts]
        rows = np.stack([np.concatenate([[49406], draw, [49407]]) for draw in draws])
        return {"input_ids": torch.from_numpy(rows)}


def full_size_unet() -> torch.nn.Module:
    """Build the UNet of Stable Diffusion v1.5 (859.5 M parameters) with weights drawn by PyTorch's generator."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=64,
        in_channels=4,
        out_channels=4,
        block_out_channels=(320, 640, 1280, 1280),
        layers_per_block=2,
        cross_attention_dim=768,
        attention_head_dim=8,
    )


def full_size(device: str = "cpu", dtype: torch.dtype = torch.float32) -> TextToImageModel:
    """Build UNet (859.5 M parameters), VAE (83.7 M) and text encoder (123.1 M) of Stable Diffusion v1.5."""
    from diffusers import AutoencoderKL, DDIMScheduler
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    unet = full_size_unet()
    vae = AutoencoderKL(
        sample_size=512,
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    )
    text = CLIPTextModel(
        CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)
    )
    for part in (unet, vae, text):
        part.eval().requires_grad_(False)
    scheduler = DDIMScheduler(**SCHEDULER)
    parts = unet.to(device, dtype), vae.to(device), text.to(device, dtype)
    return TextToImageModel(*parts, NumberedTokens(), scheduler)


def parameters(network: torch.nn.Module) -> float:
    """Millions of parameters."""
    return sum(p.numel() for p in network.parameters()) / 1e6


def run(device: str, dtype: str, steps: int) -> tuple[list[Measure], dict[str, Any]]:
    """Take every score once.

    Parameters
    ----------
    device : {"cpu", "cuda"}
    dtype : str
        Of UNet and text encoder.
    steps : int
        Of the trajectory.

    Returns
    -------
    list of Measure
    dict
        Seconds, scores and counts.
    """
    model = full_size(device, getattr(torch, dtype))
    seconds: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any], repeats: int = 1) -> Any:
        # Processor time on a CPU: the machine may be busy with other things.
        clock = time.process_time if device == "cpu" else time.perf_counter
        seconds[name] = float("inf")
        for _ in range(repeats if device == "cpu" else repeats + 1):
            start = clock()
            result = work()
            if device == "cuda":
                torch.cuda.synchronize()
            seconds[name] = min(seconds[name], clock() - start)
        return result

    c = timed("embed", lambda: model.embed(["a caption"]))
    null = model.null()
    pixels = rng.generator(0, "pixels").integers(0, 256, (1, 3, 512, 512), dtype=np.uint8)
    z = timed("encode", lambda: model.encode(pixels, batch_size=1))
    score = model.score_model()
    bound = score.conditioned(c)
    noised = torch.from_numpy(z).to(device)
    with torch.no_grad(), full_float32():  # as FLIPD calls it
        timed("forward", lambda: bound.eps(noised, 0.05), repeats=3)
    lid = timed("flipd", lambda: flipd(bound, z, 0.05, batch_size=1), repeats=2)
    norm = timed("cfg_vector_norm", lambda: cfg_vector_norm(score, z, c, null, batch_size=1))
    grid = ddim_grid(model.scheduler, steps)
    options = {"grid": grid, "prompt_set": "bench", "prompts": [0], "generations": 1, "batch_size": 1}
    found = timed("prompt", lambda: prompt_scores(score, c, null, metrics=METRICS, **options))
    image = timed("decode", lambda: model.decode(found.latents, batch_size=1))
    peak = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        if device == "cpu"
        else torch.cuda.max_memory_allocated()
    ) / 2**30
    fitting = {} if device == "cpu" else fitting_batches(model, c, z, pixels, grid, options)
    low = int((grid.t <= 0.2).sum())
    details = {
        "device": device if device == "cpu" else torch.cuda.get_device_name(),
        "dtype": dtype,
        "seconds": seconds,
        "steps": steps,
        "steps_with_flipd": low,
        "flipd": float(lid[0]),
        "cfg_vector_norm": float(norm[0]),
        "metrics": {name: float(np.nanmean(found.values[name])) for name in found.values},
        "image": list(image.shape),
        "parameters_millions": {
            "unet": parameters(model.unet),
            "vae": parameters(model.vae),
            "text_encoder": parameters(model.text_encoder),
        },
        "peak_gib": peak,
        "fitting_batches": fitting,
    }
    where = f"{device}, {dtype}"
    lines = [
        Measure(
            f"Stable Diffusion v1.5 size, every score, peak memory ({where})", peak, "GiB", f"<= {LARGEST}"
        ),
        Measure(
            f"conditional FLIPD, one probe ({where})",
            seconds["flipd"] / seconds["forward"],
            "forwards",
            f"<= {FORWARDS}",
        ),
        *(Measure(f"{name} ({where})", value, "s") for name, value in seconds.items()),
    ]
    for name, (size, each) in fitting.items():
        lines += [
            Measure(f"{name}: batch chosen from free memory ({where})", size, "rows"),
            Measure(f"{name}: at that batch ({where})", each, "s/row"),
        ]
    return lines, details


def fitting_batches(
    model: TextToImageModel,
    c: torch.Tensor,
    z: np.ndarray,
    pixels: np.ndarray,
    grid: Grid,
    options: dict[str, Any],
) -> dict[str, tuple[int, float]]:
    """Rows that `batch_size: auto` chooses for each score, and seconds of a row at that size (GPU only)."""
    score, null = model.score_model(), model.null()
    bound = score.conditioned(c)

    def prompts(rows: int, levels: Grid) -> object:
        once = options | {"grid": levels, "generations": rows, "batch_size": rows}
        return prompt_scores(score, c, null, metrics=METRICS, **once)

    # What is tried, and what is timed then.
    works: dict[str, tuple[Callable[[int], object], ...]] = {
        "flipd": (lambda rows: flipd(bound, z.repeat(rows, 0), 0.05, batch_size=rows),),
        "cfg_vector_norm": (
            lambda rows: cfg_vector_norm(score, z.repeat(rows, 0), c, null, batch_size=rows),
        ),
        "prompt": (lambda rows: prompts(rows, grid[-1:]), lambda rows: prompts(rows, grid)),
        "encode": (lambda rows: model.encode(pixels.repeat(rows, 0), batch_size=rows),),
        "decode": (lambda rows: model.decode(z.repeat(rows, 0), batch_size=rows),),
    }
    found = {}
    for name, (trial, *timed) in works.items():
        size = fitting_batch(trial, model.device, None, 256)
        start = time.perf_counter()
        for work in timed or [trial]:
            work(size)
        torch.cuda.synchronize()
        found[name] = (size, (time.perf_counter() - start) / size)
    return found


def main() -> None:
    """Run, write ``<out>/text_to_image.json`` and print the table and the details."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.text_to_image", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/bench"), help="folder of the JSON file")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--dtype", choices=["float32", "float16", "bfloat16"], default="float32")
    parser.add_argument("--steps", type=int, default=5, help="DDIM steps of the trajectory")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    lines, details = run(arguments.device, arguments.dtype, arguments.steps)
    report("text_to_image", lines, details, arguments.out)
    print(f"{description()}:\n\n{table(lines)}\n\n{json.dumps(details, indent=1)}")


if __name__ == "__main__":
    main()
