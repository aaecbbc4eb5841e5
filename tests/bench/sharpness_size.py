"""`python -m tests.bench.sharpness_size`: sharpness of one prompt at the size of Stable Diffusion v1.5, once, on a CPU.

The UNet alone has the public configuration, and random weights whose noise is scaled to unit size: time, memory
and rounding are those of the real one, the values are not. Without text encoder and VAE; captions are normal
numbers, as large as CLIP's after its last normalisation.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import torch

from mmh.compute import rng
from mmh.diffusion.score_model import ScoreModel
from mmh.metrics.base import made
from mmh.prompts.scoring import prompt_scores
from mmh.sampling.guided import ddim_grid, initial_noise
from tests.bench.text_to_image import SCHEDULER, full_size_unet
from tests.bench.timing import Measure, description, report, table

PASS: dict[str, Any] = {"m": 3, "probes": 1, "probe": "rademacher"}
KRYLOV = {name: PASS for name in ("lhsd", "lid_trace", "lambda_min", "lambda_max")}
CURVATURE = {"score_difference": {}, "curvature": {"product": "central", "h": 0.1}}
LARGEST = 12
"""GiB that both must fit into."""
OTHERS = {
    "jvp": {"product": "jvp"},
    **{f"central, h = {h:g}": {"product": "central", "h": h} for h in (0.01, 0.03, 0.1, 0.3, 1.0)},
    "one-sided, h = 1": {"product": "one-sided", "h": 1.0},
}


def peak_gib() -> float:
    """Peak resident memory of the process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def run(*, compare: bool = False) -> tuple[list[Measure], dict[str, Any]]:
    """Take one Krylov pass and one curvature at the first of 50 steps.

    Parameters
    ----------
    compare : bool
        Take the curvature by every product besides.

    Returns
    -------
    list of Measure
    dict
        Processor seconds, peak memory so far and network rows of each part, and the values.
    """
    from diffusers import DDIMScheduler

    torch.manual_seed(0)
    unet, scheduler = full_size_unet(), DDIMScheduler(**SCHEDULER)
    score, grid = ScoreModel.from_diffusers(unet, scheduler), ddim_grid(scheduler, 50)[:1]
    captions = rng.normal(0, "captions", [0, 1], (77, 768))
    c, null = captions[:1], captions[1:]
    noise = initial_noise(0, "bench", [0], [0], score.shape)
    t = float(grid.t[0])
    with torch.no_grad():
        plain = score.conditioned(c).eps(noise, t)  # also loads what is loaded on first use
        unet.conv_out.weight.div_(plain.std())
        unet.conv_out.bias.div_(plain.std())
    rows = [0]
    unet.register_forward_pre_hook(lambda _, args: rows.__setitem__(0, rows[0] + len(args[0])))
    details: dict[str, Any] = {"seconds": {}, "peak_gib": {}, "rows": {}}

    def timed(name: str, metrics: dict[str, Any]) -> dict[str, float]:
        rows[0], start = 0, time.process_time()
        how = {"grid": grid, "prompt_set": "bench", "prompts": [0], "generations": 1, "batch_size": 1}
        found = prompt_scores(score, c, null, metrics=made(metrics), **how)
        details["seconds"][name] = time.process_time() - start
        details["rows"][name], details["peak_gib"][name] = rows[0], peak_gib()
        print(name, details["seconds"][name], details["peak_gib"][name], flush=True)
        return {name: float(values[0, 0]) for name, values in found.values.items()}

    timed("sampling alone", {"cfg_norm": {}})
    details["curvature"] = timed("curvature", CURVATURE)
    details["krylov"] = timed("krylov, m = 3", KRYLOV)
    if compare:
        details["products"] = {n: timed(n, {"curvature": o})["curvature"] for n, o in OTHERS.items()}
    details["dim"], details["sigma"] = score.dim, float(score.schedule.sigma(t))
    details["relative_difference"] = (
        details["curvature"]["score_difference"] * details["sigma"] / score.dim**0.5
    )
    own = ("curvature", "krylov, m = 3")
    step = details["seconds"]["sampling alone"]
    lines = [
        Measure(
            "sharpness of one prompt at the size of Stable Diffusion v1.5, peak memory (CPU)",
            max(details["peak_gib"][name] for name in own),
            "GiB",
            f"<= {LARGEST}",
        ),
        *(
            Measure(f"{name}, step 1, beside sampling", details["seconds"][name] / step, "steps")
            for name in own
        ),
        *(Measure(f"{name}, step 1", value, "s") for name, value in details["seconds"].items()),
    ]
    return lines, details


def main() -> None:
    """Run, write ``<out>/sharpness_size.json`` and print the table and the details."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.sharpness_size", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/bench"), help="folder of the JSON file")
    parser.add_argument("--compare", action="store_true", help="the curvature by every product: minutes more")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    lines, details = run(compare=arguments.compare)
    report("sharpness_size", lines, details, arguments.out)
    print(f"{description()}:\n\n{table(lines)}\n\n{json.dumps(details, indent=1)}")


if __name__ == "__main__":
    main()
