"""What `make bench` measures, one function per file it writes."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from mmh.compute import rng
from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.lid import flipd, flipd_estimate, local_pca, normal_bundle_spectrum
from mmh.models.ddpm import network as ddpm_network
from mmh.oracles.exact import GaussianPart, Mixture
from tests.bench import ROOT
from tests.bench.timing import Measure, interleaved

Result = tuple[list[Measure], dict[str, Any]]
T0 = 0.05


def network(side: int, channels: int) -> ScoreModel:
    """The untrained UNet of the demo, 0.7 million parameters, at another image size."""
    return ScoreModel.from_diffusers(
        ddpm_network.build(sample_size=side, channels=channels), ddpm_network.noise_schedule()
    )


def images(model: ScoreModel, n: int) -> torch.Tensor:
    """Smooth random numbers in [-1, 1]; times do not depend on them."""
    return torch.tanh(rng.normal(0, "bench", range(n), model.shape))


def forward(model: ScoreModel, x: torch.Tensor) -> Callable[[], object]:
    """One plain call of the network without a graph."""

    def work() -> object:
        with torch.no_grad():
            return model.eps(x, T0)

    return work


def flipd_cost(*, full: bool) -> Result:
    """FLIPD in units of plain forward passes of the same batch."""
    rows, extra = 32, 4
    model = network(32, 3)
    x = images(model, rows)
    works = {"forward": forward(model, x)}
    for probes in (1, 1 + extra):
        works[f"probes {probes}"] = lambda probes=probes: flipd(model, x, T0, probes=probes, batch_size=rows)
    seconds = interleaved(works, 8)
    one = seconds["probes 1"] / seconds["forward"]
    further = (seconds[f"probes {1 + extra}"] - seconds["probes 1"]) / extra / seconds["forward"]

    small = network(8, 1)
    y = images(small, 64)
    works = {
        "forward": forward(small, y),
        "exact": lambda: flipd(small, y, T0, probes=None, batch_size=len(y)),
    }
    exact = interleaved(works, 3)
    evaluations = exact["exact"] / exact["forward"] / small.dim
    measures = [
        Measure("FLIPD, 1 probe, 3 x 32 x 32, batch 32", one, "forwards", "<= 3.0"),
        Measure("FLIPD, each further probe", further, "forwards", "<= 1.9"),
        Measure("FLIPD, exact trace, d = 64, batch 64, per dimension", evaluations, "forwards", "<= 2.0"),
    ]
    return measures, {"seconds 3x32x32": seconds, "seconds d=64": exact, "rows": rows}


def normal_bundle_cost(*, full: bool) -> Result:
    """The normal bundle's linear algebra against an SVD, its memory, and its share beside a network."""
    measures: list[Measure] = []
    details: dict[str, Any] = {}
    for dim, bar in ((768, 3), (1536, 5), (3072, 6)):
        if dim > 1536 and not full:
            continue
        numbers = _against_svd(dim, 8 if dim < 1000 else 4)
        details[f"d={dim}"] = numbers
        measures += [
            Measure(
                f"NB linear algebra, d = {dim}, SVD of d x 4d in float64 / ours",
                numbers["ratio"],
                "times",
                f">= {bar}",
            ),
            Measure(
                f"NB linear algebra, d = {dim}, SVD of 4d x d in float64 / ours",
                numbers["ratio tall"],
                "times",
            ),
            Measure(
                f"NB without the network (copies drawn too), d = {dim}, SVD in float64 / ours",
                numbers["ratio with copies"],
                "times",
            ),
            Measure(
                f"NB linear algebra, d = {dim}, SVD of 4d x d in float32 / ours",
                numbers["ratio float32"],
                "times",
            ),
            Measure(
                f"NB singular values, largest relative difference from the SVD, d = {dim}",
                numbers["difference"],
                "",
                "<= 1e-6",
            ),
        ]
    peak = _child("normal-bundle")
    details["peak memory"] = peak
    if peak["rise"] is not None:
        doubles = peak["rise"] / 8 / peak["dim"] ** 2
        measures.append(Measure(f"NB peak extra memory, d = {peak['dim']}", doubles, "d² doubles", "<= 3"))
    share = _network_share(3, 16, 2) if not full else _network_share(3, 32, 1)
    details["share"] = share
    measures.append(
        Measure(f"NB time in the network, d = {share['dim']}", 100 * share["share"], "%", ">= 90")
    )
    return measures, details


def _against_svd(dim: int, repeats: int) -> dict[str, float]:
    """Time spectra of a "network" that costs nothing: it hands out rows of a matrix made before."""
    copies, size, schedule = 4 * dim, 256, Schedule.linear_vp()
    random = rng.generator(0, "bench-scores")
    # Singular values over three decades, as scores across and along a manifold have.
    scale = np.logspace(0, -3, dim, dtype=np.float32)
    rows = torch.from_numpy(random.standard_normal((copies, dim), dtype=np.float32) * scale)
    sigma, place = schedule.sigma(T0), [0]

    def hand_out(z: torch.Tensor, t: float) -> torch.Tensor:
        start = place[0] % copies
        place[0] += len(z)
        return rows[start : start + len(z)]

    model = ScoreModel.from_function(hand_out, (dim,), schedule)
    x = torch.zeros((1, dim))
    found: dict[str, np.ndarray] = {}

    def ours() -> None:
        place[0] = 0
        found["ours"] = normal_bundle_spectrum(model, x, T0, copies=copies, batch_size=size)[0]

    def draw() -> None:
        """What the spectrum does besides linear algebra: noise, noised copies, predictions in float64."""
        stream = rng.generator(0, "normal-bundle", 0)
        noise, buffer = np.empty((size, dim), np.float32), torch.empty(size, dim, dtype=torch.float64)
        for _ in range(0, copies, size):
            stream.standard_normal(dtype=np.float32, out=noise)
            z = buffer.copy_(torch.from_numpy(noise)).mul_(sigma).add_(schedule.psi(T0) * x).float()
            buffer.copy_(model.eps(z, T0))

    double = rows.double() / -sigma

    def svd() -> None:
        found["svd"] = torch.linalg.svdvals(double).numpy()

    # The paper's matrix has a column per copy, d x 4d; scores arrive as its transpose, which is easier on LAPACK.
    wide = double.T.contiguous()
    works = {
        "ours": ours,
        "copies": draw,
        "svd": svd,
        "svd wide": lambda: torch.linalg.svdvals(wide),
        "svd float32": lambda: torch.linalg.svdvals(rows),
    }
    seconds = interleaved(works, repeats)
    algebra = seconds["ours"] - seconds["copies"]
    large = found["svd"] > 1e-5 * found["svd"].max()
    return {
        **{f"seconds {name}": value for name, value in seconds.items()},
        "ratio": seconds["svd wide"] / algebra,
        "ratio tall": seconds["svd"] / algebra,
        "ratio with copies": seconds["svd"] / seconds["ours"],
        "ratio float32": seconds["svd float32"] / algebra,
        "difference": float(np.abs(found["ours"] / found["svd"] - 1)[large].max()),
    }


def _network_share(channels: int, side: int, repeats: int) -> dict[str, Any]:
    """Share of the processor time of one image's spectrum, 4 d copies, that the network takes."""
    inner = network(side, channels)
    spent = [0.0]

    def timed(z: torch.Tensor, t: float) -> torch.Tensor:
        start = time.process_time()
        out = inner.eps(z, t)
        spent[0] += time.process_time() - start
        return out

    model = ScoreModel.from_function(timed, inner.shape, inner.schedule)
    x, best = images(inner, 1), {"share": 0.0, "seconds": math.inf}
    for _ in range(repeats):
        spent[0] = 0.0
        start = time.process_time()
        normal_bundle_spectrum(model, x, T0)
        total = time.process_time() - start
        if total < best["seconds"]:
            best = {"share": spent[0] / total, "seconds": total}
    return {**best, "dim": inner.dim, "copies": 4 * inner.dim}


def local_pca_cost(*, full: bool) -> Result:
    """Local PCA given the neighbours, against one PCA per point by two public packages."""
    import skdim
    from sklearn.decomposition import PCA

    n, dim, k, slice_size = (10_000 if full else 500), 3072, 100, 40
    random = rng.generator(0, "bench-pca")
    points = random.standard_normal((n, dim), dtype=np.float32)
    indices = np.stack([random.choice(n, k, replace=False) for _ in range(n)])
    distances = np.ones((n, k))
    found: dict[str, np.ndarray] = {}

    def ours() -> None:
        result = local_pca(points, k=k, radius=None, neighbours=(distances, indices))
        found["ours"] = result.variances[:slice_size]

    def scikit_learn() -> None:
        found["scikit-learn"] = np.stack(
            [PCA().fit(points[row]).explained_variance_ for row in indices[:slice_size]]
        )

    def scikit_dimension() -> None:
        skdim.id.lPCA().fit_pw(points, precomputed_knn=indices[:slice_size], n_neighbors=k)

    works = {"ours": ours, "scikit-learn": scikit_learn, "scikit-dimension": scikit_dimension}
    seconds = interleaved(works, 1 if full else 3)
    per_point = {name: value / (n if name == "ours" else slice_size) for name, value in seconds.items()}
    largest = found["scikit-learn"].max(axis=1, keepdims=True)
    difference = float((np.abs(found["ours"] - found["scikit-learn"]) / largest).max())
    memory = {size: _child("local-pca", size) for size in (1000, 4000)}
    measures = [
        Measure(f"local PCA, {n} x {dim}, k = {k}, scikit-learn / ours, per point",
                per_point["scikit-learn"] / per_point["ours"], "times", ">= 6"),
        Measure(f"local PCA, {n} x {dim}, k = {k}, scikit-dimension lPCA / ours, per point",
                per_point["scikit-dimension"] / per_point["ours"], "times", ">= 6"),
        Measure("local PCA, largest difference of a variance / largest variance of its point", difference, "", "<= 1e-5"),
    ]  # fmt: skip
    if all(m["rise"] is not None for m in memory.values()):
        grown = (memory[4000]["rise"] - memory[1000]["rise"]) / 2**20
        measures.append(
            Measure("local PCA, extra memory of 3,000 more points (their results: 2.3 MiB)", grown, "MiB")
        )
    return measures, {"seconds per point": per_point, "memory": memory}


def probe_spread(*, full: bool) -> Result:
    """Spread of FLIPD with each kind of probe, where the exact value is known."""
    dim, rank, repeats = 256, 64, 2000 if full else 1000
    basis = np.linalg.qr(rng.generator(0, "bench-basis").standard_normal((dim, rank)))[0]
    part = GaussianPart(*(torch.from_numpy(a) for a in (np.zeros(dim), basis, np.ones(rank))))
    law = Mixture([part], Schedule.linear_vp())
    point, _ = law.sample(1, 0)
    x = np.repeat(point, repeats, axis=0)
    exact = float(law.flipd(point, T0)[0])
    normal = dim - rank
    expected = {
        "gaussian": lambda m: math.sqrt(2 * normal / m),
        "rademacher": lambda m: math.sqrt(2 * normal * rank / dim / m),
    }
    kinds = (*expected, "orthogonal", "hutch++")
    measures: list[Measure] = []
    details: dict[str, Any] = {"dim": dim, "rank": rank, "exact": exact, "repeats": repeats}
    for kind in kinds:
        for count in (1, 8, 32):
            try:
                found = flipd_estimate(law.model, x, T0, probes=count, probe=kind, batch_size=250)
            except ValueError:
                continue  # this kind does not exist, or needs more probes
            spread = float(np.sqrt(np.mean((found.value - exact) ** 2)))
            named = None if found.stderr is None else float(np.sqrt(np.mean(found.stderr**2)))
            formula = expected[kind](count) if kind in expected else None
            details[f"{kind} {count}"] = {"error": spread, "stderr": named, "formula": formula}
            what = f"error of FLIPD, {count} {kind} probe{'s' * (count > 1)}, rank {rank} in {dim}"
            measures.append(Measure(what, spread, "dimensions"))
    return measures, details


def _child(what: str, n: int = 0) -> dict[str, Any]:
    """Peak memory in a process of its own, where nothing was run before."""
    command = [sys.executable, "-m", "tests.bench.memory", what, str(n)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


MEASURES: dict[str, Callable[..., Result]] = {
    "flipd": flipd_cost,
    "normal_bundle": normal_bundle_cost,
    "local_pca": local_pca_cost,
    "probes": probe_spread,
}
