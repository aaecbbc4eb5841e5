"""Copy retrieval and local PCA at CIFAR-10's size: time beside a raw search, recall of an index, peak memory.

`python -m tests.bench.scale` runs them at small sizes, with ``--full`` at full size; `--child` is what they
run in a process of its own.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import torch

from mmh.compute import rng
from mmh.lid.local_pca import local_pca
from mmh.retrieval import index_search, vector_index
from mmh.retrieval.calibrated_distance import calibrated_l2
from mmh.retrieval.descriptor import train as train_descriptor
from mmh.retrieval.embedding import embed
from tests.bench import ROOT
from tests.bench.timing import Measure, interleaved, peak_rise, table

Result = tuple[list[Measure], dict[str, Any]]
Array = np.ndarray
SHAPE = (3, 32, 32)


def images(n: int, purpose: str, shape: tuple[int, ...] = SHAPE) -> Array:
    """Random fields with the spectrum of photographs, amplitude 1/f, as float32 (n, *shape) in [-1, 1]."""
    height, width = shape[-2:]
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    amplitude = 1 / np.maximum(frequency, 1 / height)
    out = np.empty((n, *shape), dtype=np.float32)
    for start in range(0, n, 1000):
        part = out[start : start + 1000]
        noise = rng.generator(0, purpose, start).standard_normal(part.shape, dtype=np.float32)
        field = np.fft.irfft2(np.fft.rfft2(noise) * amplitude, s=(height, width))
        part[:] = np.clip(field / field.std() / 2, -1, 1)
    return out


def samples(train: Array) -> Array:
    """As many images: an eighth equal a training image, a quarter are near one, the others are new."""
    n = len(train)
    made = images(n, "bench-samples", train.shape[1:])
    stream = rng.generator(0, "bench-copies")
    made[: n // 8] = train[: n // 8]
    near = slice(n // 8, 3 * n // 8)
    noise = stream.standard_normal(made[near].shape, dtype=np.float32)
    made[near] = np.clip(train[near] + 0.1 * noise, -1, 1)
    return made


def calibrated_l2_cost(*, full: bool) -> Result:
    """Calibrated l2 beside the raw search of as many neighbours, its accuracy and peak memory."""
    details: dict[str, Any] = {"seconds": {}, "memory": [_child("calibrated-l2", 10_000)]}
    measures: list[Measure] = []
    error = 0.0
    for n in (5_000, 10_000):
        train = images(n, "bench-train")
        train[-n // 100 :] = train[: n // 100]  # exact duplicates
        generated = samples(train)
        x, y = generated.reshape(n, -1), train.reshape(n, -1)
        found = {}

        def ours(generated: Array = generated, train: Array = train, found: dict[str, Any] = found) -> None:
            found["ours"] = calibrated_l2(generated, train)

        works = {"faiss.knn": lambda x=x, y=y: faiss.knn(x, y, 51), "ours": ours}
        seconds = details["seconds"][n] = interleaved(works, 3 if full else 1)
        rows = np.arange(0, n, n // 20)
        error = max(
            error, float(np.abs(found["ours"].score[rows, 0] - _score(x[rows], y[: -n // 100])).max())
        )
        ratio = seconds["ours"] / seconds["faiss.knn"]
        measures.append(
            Measure(f"calibrated l2, {n} x {n} x 3072, time / faiss.knn", ratio, "times", "<= 1.3")
        )
    measures.append(
        Measure("calibrated l2, largest difference of a score from a float64 search", error, "", "<= 1e-9")
    )
    if full:
        details["memory"].append(_child("calibrated-l2", 50_000))
        large = details["memory"][-1]
        measures.append(Measure("calibrated l2, 50000 x 50000 x 3072", large["seconds"], "s"))
    for child in details["memory"]:
        if child["rise"] is not None:
            what = f"calibrated l2, {child['n']} x {child['n']} x 3072, peak memory above the data"
            measures.append(Measure(what, child["rise"] / 2**30, "GiB", "<= 2"))
    return measures, details


def index_recall(*, full: bool) -> Result:
    """Known copies among unit embeddings, found by a compressed index over shards on disk."""
    n, dim, queries = (50_000, 512, 1000) if full else (10_000, 128, 500)
    factory, nprobe, rerank = ("IVF256,PQ64", 64, 100) if full else ("IVF64,PQ16", 16, 100)
    worlds: dict[str, tuple[Array, Array, Array]] = {
        "isotropic": _unit_world(n, dim, queries, 0.0, (0.75, 0.95)),
        "decaying spectrum": _unit_world(n, dim, queries, 0.5, (0.75, 0.95)),
        "isotropic, weak copies": _unit_world(n, dim, queries, 0.0, (0.6, 0.75)),
        "decaying spectrum, weak copies": _unit_world(n, dim, queries, 0.5, (0.6, 0.75)),
        "images and a trained descriptor": _image_world(n, dim, queries),
    }
    measures, details = [], {}
    for name, (base, copies, rows) in worlds.items():
        with tempfile.TemporaryDirectory() as folder:
            shards = [Path(folder) / f"{i}.npy" for i in range(10)]
            for shard, part in zip(shards, np.array_split(base, len(shards)), strict=True):
                np.save(shard, part)
            path, start = Path(folder) / "index", time.process_time()
            vector_index.build(shards, factory, path, train_rows=16_384)
            built = time.process_time()
            found = index_search.search(path, shards, copies, 1, nprobe=nprobe, rerank=rerank)[1][:, 0]
            done, size = time.process_time(), path.stat().st_size
        exact = faiss.knn(copies, base, 1, metric=faiss.METRIC_INNER_PRODUCT)[1][:, 0]
        cosine = np.einsum("nk,nk->n", copies, base[rows])
        details[name] = {
            "recall": float((found == rows).mean()),
            "recall of an exact search": float((exact == rows).mean()),
            "agreement with an exact search": float((found == exact).mean()),
            "cosine to the original, quantiles": np.quantile(cosine, [0.05, 0.5, 0.95]).tolist(),
            "flat bytes / index bytes": n * dim * 4 / size,
            "seconds": {"build": built - start, "search": done - built},
        }
        bar = ">= 0.95" if full and "weak" not in name else ""
        what = f"{factory}, nprobe {nprobe}, {rerank} re-ranked, {n} x {dim}, {name}"
        measures += [
            Measure(f"{what}: recall@1 of {queries} copies", details[name]["recall"], "", bar),
            Measure(f"{what}: recall@1 of an exact search", details[name]["recall of an exact search"], ""),
        ]
    smallest = min(entry["flat bytes / index bytes"] for entry in details.values())
    measures.append(Measure(f"{factory}, {n} x {dim}, Flat / index bytes", smallest, "times", ">= 8"))
    return measures, details


def local_pca_scale(*, full: bool) -> Result:
    """Local PCA of a whole training set, neighbour search included, in a process of its own."""
    n = 50_000 if full else 4000
    child = _child("local-pca", n)
    bars = ("<= 10", "<= 8") if full else ("", "")
    measures = [
        Measure(f"local PCA, {n} x 3072, k = 100, with the search", child["seconds"] / 60, "min", bars[0])
    ]
    if child["rise"] is not None:
        measures.append(Measure(f"local PCA, {n} x 3072, peak memory above the data", child["rise"] / 2**30,
                                "GiB", bars[1]))  # fmt: skip
    return measures, child


def _score(x: Array, train: Array) -> Array:
    """Calibrated l2 of the nearest image, by the definition, in float64; `train` holds no duplicates."""
    out = np.empty(len(x))
    for i, sample in enumerate(x.astype(np.float64)):
        away = np.sort(np.linalg.norm(train - sample, axis=1))[:50]
        out[i] = away[0] / (0.5 * away.mean())
    return out


def _unit_world(
    n: int, dim: int, queries: int, power: float, cosines: tuple[float, float]
) -> tuple[Array, Array, Array]:
    """Unit rows with standard deviations i^-power; copies at given cosines, with noise of the same spectrum.

    SSCD's authors call pairs above a cosine of 0.75 copies. Powers well above one half make no test: with the
    steep spectrum i^-1 even an exact search finds few copies, since other rows are nearer.
    """
    stream = rng.generator(0, "bench-embeddings")
    scale = (np.arange(1, dim + 1) ** -power).astype(np.float32)

    def unit(rows: Array) -> Array:
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    base = unit(stream.standard_normal((n, dim), dtype=np.float32) * scale)
    rows = stream.choice(n, queries, replace=False)
    noise = stream.standard_normal((queries, dim), dtype=np.float32) * scale
    original = base[rows]
    across = unit(noise - np.einsum("nk,nk->n", noise, original)[:, None] * original)
    cosine = stream.uniform(*cosines, (queries, 1)).astype(np.float32)
    return base, cosine * original + np.sqrt(1 - cosine**2) * across, rows


def _image_world(n: int, dim: int, queries: int) -> tuple[Array, Array, Array]:
    """Copies made of images (noise, shift, crop, JPEG) and embedded by a descriptor trained on such images."""
    grey = images(n, "bench-grey", (1, 32, 32))
    held_out = images(2000, "bench-grey-train", (1, 32, 32))
    model, _ = train_descriptor(held_out, dimension=dim, width=8, steps=300, batch_size=64)
    rows = rng.generator(0, "bench-chosen").choice(n, queries, replace=False)
    copies = np.stack([COPIES[i % len(COPIES)](grey[row, 0], int(row)) for i, row in enumerate(rows)])

    def embedded(x: Array) -> Array:
        pixels = np.round((np.clip(x, -1, 1) + 1) * 127.5).astype(np.uint8)
        return embed(model, pixels[..., None], "native", 256)

    return embedded(grey[:, 0]), embedded(copies), rows


def _noise(x: Array, row: int) -> Array:
    return x + 0.1 * rng.generator(0, "bench-noise", row).standard_normal(x.shape, dtype=np.float32)


def _shift(x: Array, row: int) -> Array:
    return np.pad(x, ((1, 0), (1, 0)), mode="edge")[:-1, :-1]


def _crop(x: Array, row: int) -> Array:
    inner = torch.from_numpy(x[None, None, 1:-1, 1:-1])
    return torch.nn.functional.interpolate(inner, size=x.shape, mode="bilinear")[0, 0].numpy()


def _jpeg(x: Array, row: int) -> Array:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.round((x + 1) * 127.5).astype(np.uint8)).save(file, "JPEG", quality=50)
    return np.asarray(Image.open(file), dtype=np.float32) / 127.5 - 1


COPIES: tuple[Callable[[Array, int], Array], ...] = (_noise, _shift, _crop, _jpeg)


def _child(what: str, n: int) -> dict[str, Any]:
    """Processor seconds and peak memory in a process of its own, where nothing was run before."""
    command = [sys.executable, "-m", "tests.bench.scale", "--child", what, str(n)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _run_child(what: str, n: int) -> dict[str, Any]:
    faiss.omp_set_num_threads(1)
    train = images(n, "bench-train")
    if what == "calibrated-l2":
        generated = samples(train)
        works: Callable[[], object] = lambda: calibrated_l2(generated, train)  # noqa: E731
        few = lambda: calibrated_l2(generated[:64], train[:64])  # noqa: E731
    else:
        pixels = np.round((train + 1) * 127.5).astype(np.uint8)
        del train
        works = lambda: local_pca(pixels, k=100)  # noqa: E731
        few = lambda: local_pca(pixels[:64], k=10)  # noqa: E731
    few()  # loads what is loaded on first use
    start, clock = time.process_time(), time.monotonic()
    rise = peak_rise(works)
    return {
        "n": n,
        "rise": rise,
        "seconds": time.process_time() - start,
        "elapsed": time.monotonic() - clock,
    }


MEASURES: dict[str, Callable[..., Result]] = {
    "calibrated_l2": calibrated_l2_cost,
    "index_recall": index_recall,
    "local_pca_scale": local_pca_scale,
}


def main() -> None:
    """Print the table of the chosen measures, or what a child measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale", description=__doc__)
    parser.add_argument("--full", action="store_true", help="50,000 images: some ten minutes")
    parser.add_argument("--only", choices=list(MEASURES), action="append", help="measure just these")
    parser.add_argument("--child", nargs=2, metavar=("WHAT", "N"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    if arguments.child:
        print(json.dumps(_run_child(arguments.child[0], int(arguments.child[1]))))
        return
    for name in arguments.only or MEASURES:
        start = time.monotonic()
        measures, details = MEASURES[name](full=arguments.full)
        print(table(measures))
        print(json.dumps(details), f"\n{name}: {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
