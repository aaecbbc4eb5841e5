"""`python -m tests.bench.gpu --out DIR`: costs of the estimators on a GPU, and how far it and the CPU lie apart.

Networks have random weights. Times are wall times between synchronisations, medians of several after a warm-up;
TF32 is off unless a line says otherwise. Each section stands alone: one that fails is reported, and the others
are still run. `--tiny` passes through the same code in small sizes, on a CPU too.
"""

from __future__ import annotations

import argparse
import copy
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import numpy as np
import torch

from mmh.compute import memory, rng
from mmh.compute.attention import full_float32
from mmh.compute.memory import fitting_batch
from mmh.diffusion.score_model import ScoreModel
from mmh.io.files import write_json
from mmh.lid import normal_bundle
from mmh.lid.flipd import flipd, flipd_estimate
from mmh.lid.jacobian import jacobian_spectrum
from mmh.lid.normal_bundle import normal_bundle_groups, normal_bundle_spectrum
from mmh.lid.spectra import count_below, pooled_threshold
from mmh.models.ddpm import network as ddpm_network
from mmh.models.improved import sampling as iddpm_sampling
from tests.bench.timing import Measure, machine, table

Result = tuple[list[Measure], dict[str, Any]]
T0 = 0.05
SD_PARAMETERS = 859_520_964
PRECISIONS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Setting:
    """Where and how large: the device, and whether everything is tiny."""

    device: torch.device
    tiny: bool

    def pick(self, full: Any, tiny: Any) -> Any:
        """Give the one or the other."""
        return tiny if self.tiny else full


def seconds(
    works: Mapping[str, Callable[[], object]], repeats: int, *, warm: bool = True
) -> dict[str, float]:
    """Median wall time of each piece of work, taken in turns, the device idle before and after each."""
    if warm:
        for work in works.values():
            work()
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            _wait()
            start = time.perf_counter()
            work()
            _wait()
            found[name].append(time.perf_counter() - start)
    return {name: median(values) for name, values in found.items()}


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


@contextmanager
def peak_memory(found: dict[str, float], name: str) -> Iterator[None]:
    """Put the largest device memory meanwhile, GiB, into `found`."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    yield
    found[name] = torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0.0


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Allow TF32 in products and convolutions, or forbid it."""
    with full_float32():  # puts the switches back
        torch.backends.cuda.matmul.allow_tf32 = allowed
        torch.backends.cudnn.allow_tf32 = allowed
        yield


def images(model: ScoreModel, n: int) -> torch.Tensor:
    """Random numbers in [-1, 1], on the CPU; times do not depend on them."""
    return torch.tanh(rng.normal(0, "bench", range(n), model.shape))


def demo(setting: Setting, side: int, channels: int) -> ScoreModel:
    """The demo's UNet, 0.7 million parameters."""
    network = ddpm_network.build(sample_size=side, channels=channels).to(setting.device)
    return ScoreModel.from_diffusers(network, ddpm_network.noise_schedule())


def cifar_network(setting: Setting) -> ScoreModel:
    """The UNet of improved-diffusion for CIFAR-10, 52.5 million parameters, learned variance."""
    from diffusers import DDPMScheduler, UNet2DModel

    with torch.device(setting.device):
        network = UNet2DModel(
            sample_size=setting.pick(32, 8),
            out_channels=6,
            block_out_channels=setting.pick((128, 256, 256, 256), (32, 64, 64, 64)),
            layers_per_block=setting.pick(3, 1),
            freq_shift=0,
            down_block_types=("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
            dropout=0.3,
            attention_head_dim=64,
            attn_norm_num_groups=32,
            resnet_time_scale_shift="scale_shift",
        )
    scheduler = DDPMScheduler(4000, beta_schedule="squaredcos_cap_v2")
    return ScoreModel.from_diffusers(network, scheduler, time_scale=0.25)


def stable_diffusion_network(setting: Setting) -> Any:
    """The UNet of Stable Diffusion v1.5, by its public configuration."""
    from diffusers import UNet2DConditionModel

    down = "CrossAttnDownBlock2D"
    with torch.device(setting.device):
        network = UNet2DConditionModel(
            sample_size=setting.pick(64, 16),
            in_channels=4,
            out_channels=4,
            down_block_types=(down, down, down, "DownBlock2D"),
            up_block_types=("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
            block_out_channels=setting.pick((320, 640, 1280, 1280), (32, 64, 64, 64)),
            layers_per_block=2,
            cross_attention_dim=setting.pick(768, 16),
            attention_head_dim=8,
        )
    count = sum(p.numel() for p in network.parameters())
    if not setting.tiny and count != SD_PARAMETERS:
        raise RuntimeError(
            f"the network has {count:,} parameters, Stable Diffusion v1.5 has {SD_PARAMETERS:,}"
        )
    return network


def forward(model: ScoreModel, x: torch.Tensor) -> Callable[[], object]:
    """One plain call of the network, without a graph."""
    z = x.to(model.device, model.dtype)

    def work() -> object:
        with torch.no_grad():
            return model.eps(z, T0)

    return work


def flipd_cost(setting: Setting) -> Result:
    """FLIPD in units of plain forward passes of the same batch, precision and device."""
    measures: list[Measure] = []
    details: dict[str, Any] = {}
    side, extra = setting.pick(32, 8), 4
    cases = (
        ("demo UNet", demo(setting, side, 3), setting.pick(32, 2), False),
        ("52.5 M UNet", cifar_network(setting), setting.pick(128, 2), True),
    )
    for name, model, rows, barred in cases:
        x = images(model, rows)
        works = {"forward": forward(model, x)}
        for probes in (1, 1 + extra):
            works[f"{probes} probes"] = lambda probes=probes, model=model, x=x, rows=rows: flipd(
                model, x, T0, probes=probes, batch_size=rows
            )
        with full_float32():
            spent = seconds(works, 5)
        one = spent["1 probes"] / spent["forward"]
        further = (spent[f"{1 + extra} probes"] - spent["1 probes"]) / extra / spent["forward"]
        what = f"{name}, 3 x {side} x {side}, batch {rows}"
        measures += [
            Measure(f"FLIPD, 1 probe, {what}", one, "forwards", "<= 3.0" if barred else ""),
            Measure(f"FLIPD, each further probe, {what}", further, "forwards", "<= 1.9" if barred else ""),
        ]
        details[name] = {**spent, "rows": rows}
    small = demo(setting, 8, 1)
    x = images(small, setting.pick(64, 4))
    works = {
        "forward": forward(small, x),
        "exact": lambda: flipd(small, x, T0, probes=None, batch_size=len(x)),
    }
    with full_float32():
        spent = seconds(works, 3)
    per_dimension = spent["exact"] / spent["forward"] / small.dim
    measures.append(
        Measure(f"FLIPD, exact trace, d = 64, batch {len(x)}, per dimension", per_dimension, "forwards")
    )
    return measures, {**details, "exact": spent}


def normal_bundle_algebra(setting: Setting, dims: tuple[int, ...] = (768, 1536)) -> Result:
    """Gram matrix and eigenvalues on the device against an SVD of all scores there."""
    measures: list[Measure] = []
    details: dict[str, Any] = {}
    torch.linalg.svdvals(torch.eye(64, dtype=torch.float64, device=setting.device))
    bars = {768: ">= 3", 1536: ">= 5", 3072: ">= 6"}
    for dim in setting.pick(dims, (32,)):
        scale = torch.logspace(0, -3, dim)
        rows = (rng.normal(0, "bench-scores", [0], (4 * dim, dim))[0] * scale).to(setting.device)
        wide = rows.double().T.contiguous()
        found: dict[str, Any] = {}

        def gram(rows: torch.Tensor = rows, dim: int = dim) -> torch.Tensor:
            return normal_bundle._gram((part.double() for part in rows.split(256)), dim, setting.device)

        def ours(found: dict[str, Any] = found, dim: int = dim) -> None:
            found["ours"] = normal_bundle._roots(gram(), 4 * dim)

        def svd(found: dict[str, Any] = found, wide: torch.Tensor = wide) -> None:
            found["svd"] = torch.linalg.svdvals(wide).cpu().numpy()

        spent = seconds({"gram": gram, "ours": ours}, 5) | seconds({"svd": svd}, 1, warm=False)
        large = found["svd"] > 1e-5 * found["svd"].max()
        difference = float(np.abs(found["ours"] / found["svd"] - 1)[large].max())
        what = f"NB linear algebra, d = {dim}"
        measures += [
            Measure(what, 1e3 * spent["ours"], "ms"),
            Measure(
                f"{what}, SVD of d x 4d in float64 / ours",
                spent["svd"] / spent["ours"],
                "times",
                bars.get(dim, ""),
            ),
            Measure(f"{what}, largest relative difference of a singular value", difference, "", "<= 1e-6"),
        ]
        details[f"d={dim}"] = spent
    return measures, details


def large_svd(setting: Setting) -> Result:
    """The same at 3 x 32 x 32; the SVD may take a minute, so this comes last."""
    return normal_bundle_algebra(setting, (3072,))


def cifar_costs(setting: Setting) -> Result:
    """Seconds per image of 3 x 32 x 32 with the 52.5 M network: normal bundle, FLIPD, samples."""
    model, details = cifar_network(setting), {}
    x, size = images(model, setting.pick(128, 4)), setting.pick(512, 4)
    copies = setting.pick(4 * model.dim, 16)
    spent_in_network = [0.0]
    inner = model.eps

    def timed(z: torch.Tensor, t: float) -> torch.Tensor:
        _wait()
        start = time.perf_counter()
        out = inner(z, t)
        _wait()
        spent_in_network[0] += time.perf_counter() - start
        return out

    def spectrum() -> object:
        return normal_bundle_spectrum(model, x[:1], T0, copies=copies, batch_size=size)

    normal_bundle_spectrum(model, x[:1], T0, copies=2 * size, batch_size=size)
    with peak_memory(details, "NB peak GiB"):
        spent = seconds({"NB": spectrum}, 2, warm=False)
    with mock.patch.object(model, "eps", timed):
        whole = seconds({"NB": spectrum}, 1, warm=False)["NB"]
    measures = [
        Measure(f"NB, {copies} copies, 52.5 M UNet, float32", spent["NB"], "s/image"),
        Measure(
            "NB, share of time in the network (device waited for at each call)",
            100 * spent_in_network[0] / whole,
            "%",
            ">= 90",
        ),
    ]
    rows = len(x)
    for probes in (1, 8):
        work = {"flipd": lambda probes=probes: flipd(model, x, T0, probes=probes, batch_size=rows)}
        found = seconds(work, 2)["flipd"] / rows
        measures.append(
            Measure(f"FLIPD, {probes} probes, 52.5 M UNet, float32, batch {rows}", 1e3 * found, "ms/image")
        )
        spent[f"FLIPD {probes}"] = found

    def grouped() -> object:
        return normal_bundle_groups(
            model, x[:1], T0, groups=4, copies=copies, batch_size=setting.pick(1024, 4)
        )

    spent["NB groups"] = seconds({"NB": grouped}, 1)["NB"]
    measures.append(
        Measure("NB with 4 groups, batch 1024, as the pipeline calls it", spent["NB groups"], "s/image")
    )
    batch, steps = setting.pick(500, 4), setting.pick(10, 2)
    z = images(model, batch)

    def draw() -> object:
        """The whole sampler, noise drawn on the CPU included."""
        return iddpm_sampling.sample(
            lambda x, time: model.module(x, time).sample,
            range(batch),
            seed=0,
            shape=model.shape,
            batch_size=batch,
            respacing=str(steps),
            device=setting.device,
        )

    for name, allowed in (("float32", False), ("TF32 convolutions", True)):
        with tf32(False), torch.no_grad():
            torch.backends.cudnn.allow_tf32 = allowed
            found = seconds({"draw": draw}, 2)["draw"] / steps
        rate = batch / 250 / found
        measures.append(
            Measure(f"iDDPM samples, 250 ancestral steps, {name}, batch {batch}", rate, "samples/s")
        )
        spent[f"sampler step {name}"] = found
    half = ScoreModel.from_diffusers(copy.deepcopy(model.module).half(), ddpm_network.noise_schedule())
    for name, network, allowed in (("float32", model, False), ("TF32", model, True), ("float16", half, True)):
        with tf32(allowed):
            found = seconds({"forward": forward(network, z)}, 5)["forward"]
        measures.append(
            Measure(f"samples, 250 network calls, {name}, batch {batch}", batch / 250 / found, "samples/s")
        )
        spent[f"forward {name}"] = found
    for width in setting.pick((64, 256, 1024), (2,)):
        with full_float32():
            spent[f"forward float32, batch {width}"] = seconds(
                {"f": forward(model, images(model, width))}, 3
            )["f"]
    return measures, {**details, **spent}


def stable_diffusion_costs(setting: Setting) -> Result:
    """FLIPD at the size of Stable Diffusion v1.5 in three precisions."""
    from diffusers import DDPMScheduler

    measures: list[Measure] = []
    details: dict[str, Any] = {}
    most = setting.pick(64, 2)
    network, ids = stable_diffusion_network(setting), np.arange(most)
    scheduler = DDPMScheduler(1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    text = rng.normal(0, "bench-conditions", ids, (77, setting.pick(768, 16)))
    for name, dtype in PRECISIONS.items():
        model = ScoreModel.from_diffusers(network.to(dtype), scheduler).conditioned(text)
        x = images(model, most)

        def trial(rows: int, model: ScoreModel = model, x: np.ndarray = x) -> object:
            return flipd(model, x[np.arange(rows) % most], T0, batch_size=rows)

        fitting = fitting_batch(trial, model.device, None, most)
        rows, few = min(fitting, most), min(fitting, setting.pick(8, 1))
        found: dict[str, float] = {"fitting batch": fitting}
        with peak_memory(found, "peak GiB at that batch"):
            start = time.perf_counter()
            estimate = flipd_estimate(model.select(ids[:rows]), x[:rows], T0, batch_size=None)
            found["seconds at that batch"] = time.perf_counter() - start
        found |= {"rows": rows, "retried": estimate.retried, "largest": float(np.abs(estimate.value).max())}
        chosen = model.select(ids[:few])
        works: dict[str, Callable[[], object]] = {
            f"{probes} probes": lambda probes=probes, chosen=chosen, y=x[:few]: flipd(
                chosen, y, T0, probes=probes, batch_size=len(y)
            )
            for probes in (1, 3)
        }
        works["forward"] = forward(chosen, x[:few])
        with full_float32():
            found |= seconds(works, 3)
        with mock.patch.object(memory, "repeatable", return_value=nullcontext()):
            found["1 probe, any order"] = seconds({"f": works["1 probes"]}, 2)["f"]
        further = (found["3 probes"] - found["1 probes"]) / 2
        what = f"Stable Diffusion size, {name}"
        measures += [
            Measure(f"{what}: FLIPD, 1 probe, batch {few}", found["1 probes"] / few, "s/image"),
            Measure(f"{what}: each further probe", further / few, "s/image"),
            Measure(f"{what}: FLIPD, 1 probe", found["1 probes"] / found["forward"], "forwards"),
            Measure(
                f"{what}: repeatable kernels / fastest",
                found["1 probes"] / found["1 probe, any order"],
                "times",
            ),
            Measure(f"{what}: batch chosen from free memory", fitting, "images"),
            Measure(
                f"{what}: peak memory with {rows} images, weights included",
                found["peak GiB at that batch"],
                "GiB",
            ),
        ]
        details[name] = found
    return measures, details


def stylegan2_costs(setting: Setting) -> Result:
    """Images and Jacobian spectra of a StyleGAN2 generator of CIFAR size."""
    from mmh.models.stylegan.generator import Generator

    width = setting.pick(512, 16)
    torch.manual_seed(0)
    made = Generator(z_dim=width, w_dim=width, c_dim=10, resolution=32, channels=3)
    generator = made.to(setting.device).eval().requires_grad_(False)
    batch = setting.pick(256, 2)
    z = rng.normal(0, "bench-latents", range(batch), (width,)).to(setting.device)
    c = torch.eye(10, device=setting.device)[torch.arange(batch) % 10]

    def draw() -> object:
        with torch.no_grad():
            return generator(z, c)

    measures: list[Measure] = []
    with full_float32():
        spent = seconds({"draw": draw}, 5)
        measures.append(Measure(f"StyleGAN2 at CIFAR size, batch {batch}", batch / spent["draw"], "images/s"))
        for chunk in setting.pick((64, 128, 512), (16,)):
            work = {"j": lambda chunk=chunk: jacobian_spectrum(generator, z[:1], c[:1], chunk=chunk)}
            memory: dict[str, float] = {}
            with peak_memory(memory, "GiB"):
                spent[f"spectrum, chunk {chunk}"] = seconds(work, 3)["j"]
            spent[f"GiB, chunk {chunk}"] = memory["GiB"]
            measures.append(
                Measure(
                    f"StyleGAN2, Jacobian spectrum, chunk {chunk}",
                    spent[f"spectrum, chunk {chunk}"],
                    "s/image",
                )
            )
    matrix = torch.randn(3072, width, dtype=torch.float64, device=setting.device)
    spent["svd"] = seconds({"svd": lambda: torch.linalg.svdvals(matrix)}, 3)["svd"]
    measures.append(Measure(f"of which the SVD of 3072 x {width} in float64", spent["svd"], "s"))
    return measures, spent


def agreement(setting: Setting) -> Result:
    """How far values of the device lie from those of the CPU, same weights, same noise."""
    measures: list[Measure] = []
    for side, channels in setting.pick(((8, 1), (32, 3)), ((8, 1),)):
        there = demo(setting, side, channels)
        with torch.no_grad():
            there.module.conv_out.weight.mul_(2)  # type: ignore[union-attr, operator]
        here = ScoreModel.from_diffusers(copy.deepcopy(there.module).cpu(), ddpm_network.noise_schedule())
        x = images(here, setting.pick(64, 4))
        values = [flipd_estimate(model, x, T0, batch_size=len(x)) for model in (here, there)]
        difference = float(np.abs(values[0].value - values[1].value).max())
        what = f"{channels} x {side} x {side}"
        measures += [
            Measure(
                f"FLIPD, device - CPU, {what}, largest of {len(x)}",
                difference,
                "dimensions",
                f"<= {1e-5 * here.dim:g}",
            ),
            Measure(
                f"FLIPD, standard deviation over the same, {what}", float(values[0].value.std()), "dimensions"
            ),
        ]
        with mock.patch.object(memory, "full_float32", side_effect=lambda: tf32(True)):
            loose = flipd(there, x, T0, batch_size=len(x))
        measures.append(
            Measure(
                f"FLIPD, device with TF32 - CPU, {what}",
                float(np.abs(values[0].value - loose).max()),
                "dimensions",
            )
        )
        if side == 8:
            spectra = [normal_bundle_spectrum(model, x[:16], T0) for model in (here, there)]
            counts = [count_below(s, pooled_threshold(s, 10)) for s in spectra]
            measures += [
                Measure(
                    "NB singular values, device / CPU - 1, largest",
                    float(np.abs(spectra[1] / spectra[0] - 1).max()),
                    "",
                    "<= 1e-4",
                ),
                Measure(
                    "NB LID, device - CPU, largest",
                    int(np.abs(counts[0] - counts[1]).max()),
                    "dimensions",
                    "<= 1",
                ),
            ]
    return measures, {}


def compiled(setting: Setting) -> Result:
    """FLIPD with and without torch.compile, 52.5 M UNet."""
    model, rows = cifar_network(setting), setting.pick(128, 2)
    x = images(model, rows)

    def work(compile_: bool) -> Callable[[], object]:
        return lambda: flipd(model, x, T0, batch_size=rows, compile=compile_)

    start = time.perf_counter()
    value = flipd(model, x, T0, batch_size=rows, compile=True)
    first = time.perf_counter() - start
    difference = float(np.abs(value - flipd(model, x, T0, batch_size=rows)).max())
    spent = seconds({"plain": work(False), "compiled": work(True)}, 3)
    measures = [
        Measure(
            f"FLIPD, 1 probe, batch {rows}: plain / compiled", spent["plain"] / spent["compiled"], "times"
        ),
        Measure("FLIPD, first call compiled", first, "s"),
        Measure("FLIPD, compiled - plain, largest", difference, "dimensions"),
    ]
    return measures, spent


SECTIONS: dict[str, Callable[[Setting], Result]] = {
    "flipd": flipd_cost,
    "normal_bundle": normal_bundle_algebra,
    "cifar": cifar_costs,
    "stable_diffusion": stable_diffusion_costs,
    "agreement": agreement,
    "stylegan2": stylegan2_costs,
    "compiled": compiled,
    "large_svd": large_svd,
}


def main() -> None:
    """Run the sections and write `gpu.json` and `gpu.md` anew after each."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gpu", description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=Path("results/bench"), help="folder of gpu.json and gpu.md"
    )
    parser.add_argument("--tiny", action="store_true", help="small sizes, to try the program; a CPU will do")
    parser.add_argument("--only", choices=list(SECTIONS), action="append", help="run just these")
    parser.add_argument("--seconds", type=float, default=360, help="start no section after this time")
    arguments = parser.parse_args()
    if not arguments.tiny and not torch.cuda.is_available():
        raise SystemExit("no CUDA device; --tiny tries the program on a CPU")
    torch.set_num_threads(1)
    setting = Setting(torch.device("cuda" if torch.cuda.is_available() else "cpu"), arguments.tiny)
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    head = f"{name}, PyTorch {torch.__version__}{', tiny' if setting.tiny else ''}:"
    begin, lines = time.perf_counter(), []
    record: dict[str, Any] = {"device": name, "machine": machine(), "sections": {}}
    arguments.out.mkdir(parents=True, exist_ok=True)
    for section in arguments.only or SECTIONS:
        start = time.perf_counter()
        if start - begin > arguments.seconds:
            record["sections"][section] = {"skipped": "no time left"}
            print(f"## {section}: no time left", flush=True)
            continue
        try:
            measures, details = SECTIONS[section](setting)
            entry: dict[str, Any] = {
                "measures": [{**asdict(measure), "met": measure.met} for measure in measures],
                "details": details,
            }
            lines += measures
            print(f"## {section}\n{table(measures)}", flush=True)
        except Exception as error:  # one section must not take the others with it
            entry = {"failed": f"{type(error).__name__}: {error}"}
            print(f"## {section} failed\n{traceback.format_exc()}", flush=True)
        entry["seconds"] = time.perf_counter() - start
        print(f"({section}: {entry['seconds']:.1f} s)", flush=True)
        record["sections"][section] = entry
        write_json(arguments.out / "gpu.json", record)
        (arguments.out / "gpu.md").write_text(f"{head}\n\n{table(lines)}\n", encoding="utf-8")
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
