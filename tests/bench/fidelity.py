"""`python -m tests.bench.fidelity`: how far paper text, public code and this project lie apart, measured.

Needs a finished demo (`results/`). Public code is not called: each of its rules is written out here in a few
lines. The numbers of docs/fidelity.md come from the JSON that this writes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmh.compute import rng
from mmh.compute.complexity import to_uint8
from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.evaluation.levels import flat_from
from mmh.io.files import write_json
from mmh.io.image_shards import read_images
from mmh.io.table_files import read_table
from mmh.io.tables import ALL_SCORES, LABELS, TRAIN
from mmh.labels.classes import sample_classes
from mmh.lid import (
    count_above,
    count_below,
    flipd,
    knn,
    local_pca,
    normal_bundle_spectrum,
    pooled_threshold,
)
from mmh.oracles.exact import GaussianPart, Mixture
from mmh.retrieval.calibrated_distance import calibrated_l2
from mmh.scores.cfg_norm import cfg_vector_norm
from mmh.scores.residual import fitted_line
from mmh.stats.curves import auc
from tests.bench import fidelity_sharpness
from tests.bench.timing import machine

Array = NDArray[np.float64]
DIM, RANK, POINTS = 256, 64, 200
CALIBRATION = 200  # first ids of digits, kept for choosing t0
PUBLIC_SEED = 42


def stable_diffusion_table() -> Schedule:
    """Noise levels that Stable Diffusion was trained with."""
    from diffusers import DDPMScheduler

    return Schedule.from_scheduler(
        DDPMScheduler(1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    )


def flat_law(schedule: Schedule) -> Mixture:
    """Unit Gaussian on a rotated subspace of dimension 64 in 256: its LID is 64."""
    basis = np.linalg.qr(rng.generator(0, "fidelity-basis").standard_normal((DIM, RANK)))[0]
    part = GaussianPart(*(torch.from_numpy(a) for a in (np.zeros(DIM), basis, np.ones(RANK))))
    return Mixture([part], schedule)


def with_schedule(law: Mixture, schedule: Schedule) -> ScoreModel:
    """The law's exact noise predictor, asked as if its noise levels were those of another schedule."""
    return ScoreModel.from_function(law.model.eps, (DIM,), schedule, dtype=torch.float64)


def mean_flipd(model: ScoreModel, x: Array, t: float) -> float:
    """Mean FLIPD with exact trace."""
    return float(flipd(model, x, t, probes=None, batch_size=POINTS).mean())


def sigma_schedule(_: Path) -> dict[str, Any]:
    """Stable Diffusion's table against beta(t) linear from .85 to 12, and a step index one lower."""
    table, linear = stable_diffusion_table(), Schedule.linear_vp(0.85, 12.0)
    law = flat_law(table)
    x, _component = law.sample(POINTS, 0)
    rows = {}
    for t in (0.01, 0.02, 0.05, 0.1, 0.2):
        right, other = mean_flipd(law.model, x, t), mean_flipd(with_schedule(law, linear), x, t)
        rows[str(t)] = {
            "sigma2_ratio": (linear.sigma(t) / table.sigma(t)) ** 2,
            "sigma_ratio_index_minus_one": table.sigma(t - 0.001) / table.sigma(t),
            "flipd_table": right,
            "flipd_linear": other,
            "difference": other - right,
            "difference_per_normal_dimension": (other - right) / (DIM - RANK),
        }
    return {"law": f"unit Gaussian of rank {RANK} in {DIM}", "points": POINTS, "t": rows}


def iddpm_schedule(_: Path) -> dict[str, Any]:
    """Cosine table of 4000 steps against the public default, beta(t) linear from .1 to 20."""
    cosine, linear = Schedule.cosine(4000), Schedule.linear_vp(0.1, 20.0)
    law = flat_law(cosine)
    x, _component = law.sample(POINTS, 0)
    rows = {}
    for t in (0.05, 0.1):
        rows[str(t)] = {
            "sigma_cosine": cosine.sigma(t),
            "sigma_linear": linear.sigma(t),
            "flipd_cosine": mean_flipd(law.model, x, t),
            "flipd_linear": mean_flipd(with_schedule(law, linear), x, t),
        }
    return {"t": rows}


def noised_argument(_: Path) -> dict[str, Any]:
    """FLIPD at the scaled clean point against FLIPD at a noised one, where it is d on average."""
    law = flat_law(stable_diffusion_table())
    x, _component = law.sample(2000, 0)
    noise = rng.generator(0, "fidelity-noise").standard_normal(x.shape)
    t = 0.05
    ratio = law.schedule.sigma(t) / law.schedule.psi(t)
    return {
        "t": t,
        "clean": float(law.flipd(x, t).mean()),
        "noised": float(law.flipd(x + ratio * noise, t).mean()),
    }


def v_prediction(_: Path) -> dict[str, Any]:
    """Noise from v, eps = psi v + sigma z: the z-term left out of the Jacobian, or v taken for eps."""
    law = flat_law(stable_diffusion_table())
    x, _component = law.sample(POINTS, 0)
    schedule, rows = law.schedule, {}
    for t in (0.01, 0.05, 0.1):
        psi, sigma = schedule.psi(t), schedule.sigma(t)

        def v(z: torch.Tensor, t: float, psi: float = psi, sigma: float = sigma) -> torch.Tensor:
            return (law.model.eps(z, t) - sigma * z) / psi

        def frozen(z: torch.Tensor, t: float, psi: float = psi, sigma: float = sigma) -> torch.Tensor:
            return psi * v(z, t, psi, sigma) + sigma * z.detach()

        functions = {"right": law.model.eps, "without_z_term": frozen, "v_as_eps": v}
        rows[str(t)] = {
            name: mean_flipd(ScoreModel.from_function(function, (DIM,), schedule, dtype=torch.float64), x, t)
            for name, function in functions.items()
        }
        rows[str(t)]["sigma2_times_d"] = sigma**2 * DIM
    return {"t": rows}


def euler_grid(_: Path) -> dict[str, Any]:
    """Three Euler steps of the flow to t = .01: as many points as steps, end included, against equal steps."""
    schedule, start, end, steps, dim = Schedule.linear_vp(0.85, 12.0), 1e-4, 0.01, 3, 64
    random = rng.generator(0, "fidelity-euler")
    variances = {name: 10.0 ** random.uniform(-1, 0, dim) for name in ("conditional", "unconditional")}
    means = {"conditional": random.standard_normal(dim), "unconditional": np.zeros(dim)}
    x = means["conditional"] + np.sqrt(variances["conditional"]) * random.standard_normal((POINTS, dim))

    def eps(name: str, z: Array, t: float) -> Array:
        psi, sigma = schedule.psi(t), schedule.sigma(t)
        return sigma * (z - psi * means[name]) / (psi**2 * variances[name] + sigma**2)

    def flow(times: Array, step: float) -> Array:
        z = x.copy()
        for t in times.tolist():
            beta = 0.85 + (12.0 - 0.85) * t
            z += step * (-0.5 * beta) * (z - eps("conditional", z, t) / schedule.sigma(t))
        return z

    def spread(t: float) -> Array:
        return np.sqrt(schedule.psi(t) ** 2 * variances["conditional"] + schedule.sigma(t) ** 2)

    def exact(t: float) -> Array:
        centre = means["conditional"]
        return schedule.psi(t) * centre + spread(t) / spread(start) * (x - schedule.psi(start) * centre)

    def norm(z: Array) -> Array:
        return np.linalg.norm(eps("conditional", z, end) - eps("unconditional", z, end), axis=1)

    long = (end - start) / (steps - 1)
    fine = (end - start) / steps
    ends = {
        "as many points as steps": flow(np.linspace(start, end, steps), long),
        "equal steps": flow(start + fine * np.arange(steps), fine),
    }
    truth = exact(end)
    found: dict[str, Any] = {"nominal_end_of_public_grid": start + steps * long, "wanted_end": end}
    for name, z in ends.items():
        moved = np.linalg.norm(z - x, axis=1) / np.linalg.norm(truth - x, axis=1)
        off = np.linalg.norm(z - truth, axis=1) / np.linalg.norm(truth - x, axis=1)
        found[name] = {
            "way_over_exact_way": float(np.median(moved)),
            "error_over_exact_way": float(np.median(off)),
            "cfg_norm_relative_error": float(np.median(np.abs(norm(z) / norm(truth) - 1))),
        }
    return found


def euler_near_point(_: Path) -> dict[str, Any]:
    """The CFG-vector norm of an image that is nearly copied: the law with its caption is a point mass beside it.

    Without a caption the law is a unit Gaussian. The noise (z - psi m) / sigma of a point mass is constant along
    the flow, so the exact norm is known. Offsets are Euclidean, one of them as many times longer as makes it .02
    for each value.
    """
    schedule, start, end, dim = stable_diffusion_table(), 1e-4, 0.01, 64
    levels = schedule.continuous()
    random = rng.generator(0, "fidelity-euler-point")
    mean, ways = random.standard_normal(dim), random.standard_normal((POINTS, dim))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)

    def eps(z: torch.Tensor, t: float, c: torch.Tensor) -> torch.Tensor:
        psi, sigma = levels.psi(t), levels.sigma(t)
        return sigma * (z - psi * c[:, 0]) / (psi**2 * c[:, 1] + sigma**2)

    model = ScoreModel.from_function(eps, (dim,), schedule, dtype=torch.float64)
    point = torch.from_numpy(np.stack([mean, np.zeros(dim)]))[None]
    gaussian = torch.from_numpy(np.stack([np.zeros(dim), np.ones(dim)]))[None]
    rows: dict[str, Any] = {}
    for offset in (0.0, 0.02, 0.02 * np.sqrt(dim)):
        x = mean + offset * ways
        noise = (x - levels.psi(start) * mean) / levels.sigma(start)
        z = levels.psi(end) * mean + levels.sigma(end) * noise
        psi, sigma = levels.psi(end), levels.sigma(end)
        exact = np.linalg.norm(noise - sigma * z / (psi**2 + sigma**2), axis=1)
        cases = {
            "published, 3": ("published", 3),
            **{f"correct, {n}": ("correct", n) for n in (3, 10, 30, 100)},
        }
        rows[f"{offset:.3g}"] = {"exact norm": float(np.median(exact))} | {
            name: float(
                np.median(cfg_vector_norm(model, x, point, gaussian, t=end, steps=steps, grid=grid) / exact)
                - 1
            )
            for name, (grid, steps) in cases.items()
        }
    return {"dimension": dim, "relative error of the norm by offset": rows}


def probe_seeding(results: Path) -> dict[str, Any]:
    """Hutchinson probes by place in the batch, from one seed, against probes by (seed, id, probe)."""
    model = digits_model(results)
    x, ids, _labels = digits_samples(results)
    # Ids with different places in a batch of 32, so that none waits for a further batch.
    _, first = np.unique(ids % 32, return_index=True)
    x, ids, t, rows = x[first], ids[first], 0.05, len(first)
    jacobian, exact = trace_matrices(model, x, t)

    def by_place(count: int) -> Array:
        generator = torch.Generator().manual_seed(PUBLIC_SEED)
        return torch.randn(count, model.dim, generator=generator, dtype=torch.float32).double().numpy()

    def error(probe: Array) -> Array:
        """Error of each row's FLIPD with its probe; the trace enters with a minus."""
        return exact - np.einsum("nd,nde,ne->n", probe, jacobian, probe)

    alone, third = by_place(1)[0], by_place(3)[2]
    public = np.abs(error(np.tile(alone, (rows, 1))) - error(np.tile(third, (rows, 1))))
    ours = np.empty(rows)
    for row in range(rows):
        mates = [(row + 1) % rows, (row + 2) % rows, row]
        one = flipd(model, x[[row]], t, ids=ids[[row]], batch_size=32)[0]
        ours[row] = abs(one - flipd(model, x[mates], t, ids=ids[mates], batch_size=32)[2])
    draws = 200
    random = rng.generator(0, "fidelity-probes")
    shared = np.stack([error(np.tile(random.standard_normal(model.dim), (rows, 1))) for _ in range(draws)])
    reference = flipd(model, x, t, probes=None, ids=ids, batch_size=32)
    keyed = np.stack(
        [flipd(model, x, t, seed=seed, ids=ids, batch_size=32) - reference for seed in range(draws)]
    )
    return {
        "images": rows,
        "t": t,
        "alone_against_third_of_three": {
            "by place, first image": float(public[0]),
            "by place, median": float(np.median(public)),
            "by place, largest": float(public.max()),
            "ours, largest": float(ours.max()),
        },
        "same_place_errors": {
            "draws": draws,
            "correlation of two images, shared probe": mean_correlation(shared),
            "correlation of two images, ours": mean_correlation(keyed),
            "standard deviation of one value, shared probe": float(shared.std()),
            "standard deviation of one value, ours": float(keyed.std()),
            f"standard deviation of the mean of {rows}, shared probe": float(shared.mean(1).std()),
            f"standard deviation of the mean of {rows}, ours": float(keyed.mean(1).std()),
        },
    }


def mean_correlation(errors: Array) -> float:
    """Mean correlation of two columns of errors (draws, images)."""
    table = np.corrcoef(errors.T)
    return float(table[np.triu_indices(len(table), 1)].mean())


def trace_matrices(model: ScoreModel, x: NDArray, t: float) -> tuple[Array, Array]:
    """Matrix sigma d eps / d z of each image, (n, d, d), and its trace (n,)."""
    psi, sigma = model.schedule.psi(t), model.schedule.sigma(t)
    z = (psi * torch.from_numpy(x).double()).to(model.dtype).requires_grad_(True)
    eps = model.eps(z, t).flatten(1)
    rows = [
        torch.autograd.grad(eps[:, j].sum(), z, retain_graph=True)[0].flatten(1) for j in range(model.dim)
    ]
    jacobian = sigma * torch.stack(rows, dim=1).double().numpy()
    return jacobian, np.trace(jacobian, axis1=1, axis2=2)


def nb_percentile(results: Path) -> dict[str, Any]:
    """Normal bundle: a percentile of each image's own spectrum, the largest gap, and the pooled percentile."""
    files = sorted((results / "digits" / "spectra" / "samples" / "nb").glob("*.npz"))
    parts = [(a["spectrum"], a["id"]) for a in map(np.load, files)]
    spectra, ids = np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
    labels = digits_labels(results).reindex(ids)
    used = (ids >= CALIBRATION) & labels.isin(["exact", "not_memorized"]).to_numpy()
    exact = (labels == "exact").to_numpy()[used]
    own = np.array([count_below(s[None], float(np.percentile(s, 10)))[0] for s in spectra])
    gaps = spectra[:, :-1] - spectra[:, 1:]
    by_gap = spectra.shape[1] - 1 - gaps.argmax(axis=1)
    pooled = count_below(spectra, pooled_threshold(spectra, 10))
    numbers: dict[str, Any] = {
        "images": len(ids),
        "exact": int(exact.sum()),
        "not_memorized": int((~exact).sum()),
    }
    for name, lid in {"each image's own": own, "largest gap": by_gap, "pooled": pooled}.items():
        numbers[name] = {
            "auc_exact": auc(-lid[used].astype(float), exact),
            "different values": len(np.unique(lid)),
            "mean": float(lid.mean()),
            "smallest": int(lid.min()),
            "largest": int(lid.max()),
        }
    return numbers


def calibration_of_l2(results: Path) -> dict[str, Any]:
    """Calibrated l2 by three definitions, and the last in its shortest form."""
    x, _ids, labels = digits_samples(results)
    train, _train_ids = read_images(results / "digits" / "data" / "train.npz")
    used = np.isin(labels, ["exact", "not_memorized"])
    exact = labels[used] == "exact"
    flat = train.reshape(len(train), -1)
    distance, match = (a[:, 0] for a in knn(x, train, 1))
    # "Leave the image itself out" by dropping the nearest column.
    second = knn(flat, flat, 2)[0][:, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        short = distance / second[match]
    scores = {
        "50 distinct neighbours of the sample": calibrated_l2(x, train, top=1).score[:, 0],
        "50 neighbours, copies counted": calibrated_l2(x, train, top=1, duplicates="counted").score[:, 0],
        "nearest neighbour of the match": calibrated_l2(
            x, train, top=1, anchor="match", neighbours=1, alpha=1.0
        ).score[:, 0],
        "plain l2": distance,
        "nearest neighbour of the match, shortest form": short,
    }
    with np.errstate(divide="ignore", invalid="ignore"):
        # Every training image offered as a sample: a model that copies to the last bit.
        own = np.zeros(len(flat)) / second
    reference = scores["50 distinct neighbours of the sample"]
    numbers: dict[str, Any] = {
        "samples": len(x),
        "exact": int(exact.sum()),
        "not_memorized": int((~exact).sum()),
    }
    for name, score in scores.items():
        finite = np.isfinite(score)
        worst = np.where(finite, score, 10 * score[finite].max())
        memorized = labels == "exact"
        numbers[name] = {
            "auc_exact": auc(-worst[used], exact),
            "rank correlation with the first": correlation(reference, worst),
            "rank correlation among exact": correlation(reference[memorized], worst[memorized]),
            "inf": int(np.isinf(score).sum()),
            "nan": int(np.isnan(score).sum()),
        }
    numbers["shortest form, training images as samples"] = {
        "images": len(own),
        "nan": int(np.isnan(own).sum()),
    }
    return numbers


def correlation(first: Array, second: Array) -> float | None:
    """Spearman's rank correlation, None where one side is constant."""
    from scipy.stats import spearmanr

    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(spearmanr(first, second).statistic)


def lpca_rules(results: Path) -> dict[str, Any]:
    """Local PCA: radius rule, zero variances in the pool, the point itself, the usual per-point threshold."""
    numbers: dict[str, Any] = {}
    for experiment in ("digits-control", "digits"):
        train, _ids = read_images(results / experiment / "data" / "train.npz")
        table = read_table(results / experiment / "data" / "train.parquet", TRAIN).set_index("train")
        copied = (table.loc[_ids, "copies"] > 1).to_numpy()
        points = train.reshape(len(train), -1)
        k = 100
        distances, indices = knn(points, points, k, exclude_self=True)
        rules = {
            str(radius).lower(): local_pca(points, k=k, radius=radius, neighbours=(distances, indices))
            for radius in ("knn", "all", None)
        }
        itself = local_pca(points, k=k, radius=None, neighbours=knn(points, points, k))
        plain = rules["none"].variances
        lids = {f"radius {name}": rule.lid for name, rule in rules.items()}
        with_zeros = float(np.percentile(plain, 10))
        lids["radius none, zeros in the pool"] = count_above(plain, with_zeros)
        lids["radius none, the point itself among its neighbours"] = itself.lid
        lids["radius none, 5 % of each point's largest variance"] = (
            plain > 0.05 * plain.max(axis=1, keepdims=True)
        ).sum(axis=1)
        numbers[experiment] = {
            "points": len(points),
            "with exact copies": int(copied.sum()),
            "share of zeros among the variances, radius none": rules["none"].pool_zero / plain.size,
            "threshold without zeros": rules["none"].threshold,
            "threshold with zeros": with_zeros,
            "neighbours kept, median": {name: float(np.median(rule.kept)) for name, rule in rules.items()},
            "mean": {name: float(lid.mean()) for name, lid in lids.items()},
            "median of the others": {name: float(np.median(lid[~copied])) for name, lid in lids.items()},
        }
        if copied.any():
            numbers[experiment]["median of the copied"] = {
                name: float(np.median(lid[copied])) for name, lid in lids.items()
            }
    return numbers


def sample_precision(results: Path) -> dict[str, Any]:
    """FLIPD of samples as the sampler gives them, clipped, and rounded to 8 bits; and with one probe."""
    model = digits_model(results)
    x, ids, labels = digits_samples(results)
    kept = np.flatnonzero((ids >= CALIBRATION) & np.isin(labels, ["exact", "not_memorized"]))[:512]
    x, ids, exact = x[kept], ids[kept], labels[kept] == "exact"
    pixels = {
        "float": x,
        "clipped to [-1, 1]": np.clip(x, -1, 1),
        "8 bits": to_uint8(x).astype(np.float32) / 127.5 - 1.0,
    }
    scores = {
        name: flipd(model, image, 0.05, probes=None, ids=ids, batch_size=256)
        for name, image in pixels.items()
    }
    scores["float, one Gaussian probe"] = flipd(model, x, 0.05, ids=ids, batch_size=256)
    numbers: dict[str, Any] = {
        "samples": len(x),
        "t": 0.05,
        "values outside [-1, 1]": float((np.abs(x) > 1).mean()),
        "largest value": float(np.abs(x).max()),
    }
    for name, score in scores.items():
        change = np.abs(score - scores["float"])
        numbers[name] = {"auc_exact": auc(-score, exact)}
        for label, rows in {"exact": exact, "not_memorized": ~exact}.items():
            numbers[name][label] = {
                "median FLIPD": float(np.median(score[rows])),
                "change, median size": float(np.median(change[rows])),
                "change, largest size": float(change[rows].max()),
            }
    return numbers


def noise_level(results: Path) -> dict[str, Any]:
    """Median FLIPD and AUC on the demo's calibration samples at the t0 of the paper's text and lower ones."""
    import pandas as pd

    curve = pd.read_csv(results / "digits" / "figures" / "flipd_curve.csv")
    rows = {}
    for t in (0.01, 0.05, 0.1):
        part = curve[curve["t"] == t].set_index(["quantity", "label"])["estimate"]
        rows[str(t)] = {
            "median, exact": float(part["flipd", "exact"]),
            "median, not_memorized": float(part["flipd", "not_memorized"]),
            "auc_exact": float(part["auc", "exact"]),
            "auc_reconstructive": float(part["auc", "reconstructive"]),
        }
    lowest = curve[(curve["quantity"] == "flipd") & (curve["label"] == "exact")].sort_values("t")
    flat = {
        f"within {within:g} dimensions": flat_from(lowest["t"], lowest["estimate"], within=within)
        for within in (0.5, 1.0, 2.0, 3.0, 4.0)
    }
    return {"t": rows, "flat from, by the median of exact copies": flat}


def nb_noise_level(results: Path) -> dict[str, Any]:
    """Normal bundle of the demo's calibration samples by the noise level, the pool being these samples."""
    model = digits_model(results)
    x, ids, labels = digits_samples(results)
    kept = np.flatnonzero((ids < CALIBRATION) & np.isin(labels, ["exact", "reconstructive", "not_memorized"]))
    x, ids, labels = x[kept], ids[kept], labels[kept]
    counted = {label: int((labels == label).sum()) for label in np.unique(labels).tolist()}
    numbers: dict[str, Any] = {"samples": counted, "copies": 256}
    for t in (0.005, 0.01, 0.02, 0.05, 0.1):
        spectra = normal_bundle_spectrum(model, x, t, copies=256, ids=ids, batch_size=256)
        lid = count_below(spectra, pooled_threshold(spectra, 10)).astype(float)
        numbers[f"t = {t:g}"] = {
            "sigma over psi": model.schedule.sigma(t) / model.schedule.psi(t),
            **{f"median, {label}": float(np.median(lid[labels == label])) for label in counted},
            **{
                f"auc, {label}": auc(-lid[two], labels[two] == label)
                for label in ("exact", "reconstructive")
                for two in [np.isin(labels, [label, "not_memorized"])]
            },
            "share of not_memorized at 0": float((lid[labels == "not_memorized"] == 0).mean()),
        }
    return numbers


def without_complexity(results: Path) -> dict[str, Any]:
    """FLIPD over PNG size, and less its line on PNG size: which way each moves complex images."""
    from scipy.stats import rankdata, theilslopes

    scores = read_table(results / "digits" / "scores.parquet", ALL_SCORES)
    wide = scores[scores["items"] == "samples"].pivot_table(index="item", columns="estimator", values="value")
    labels = digits_labels(results).reindex(wide.index).fillna("").to_numpy().astype(str)
    lid, png = wide["flipd"].to_numpy(), wide["png"].to_numpy()
    first = wide.index.to_numpy() < CALIBRATION
    line = fitted_line(png[first], lid[first])
    robust = float(theilslopes(lid[first], png[first]).slope)
    made = {
        "itself": lid,
        "ratio": lid / png,
        "residual": lid - line.intercept - line.slope * png,
        "residual, Theil and Sen's slope": lid - robust * png,
    }
    later = ~first
    numbers: dict[str, Any] = {
        "slope, dimensions per 1000 bits": 1000 * line.slope,
        "its standard error": 1000 * line.slope_stderr,
        "Theil and Sen's slope": 1000 * robust,
        "fitted to": int(first.sum()),
        "share of exact copies with FLIPD below 0": float((lid[later & (labels == "exact")] < 0).mean()),
    }
    for name, values in made.items():
        moved = rankdata(values) - rankdata(lid)
        two = later & np.isin(labels, ["exact", "not_memorized"])
        numbers[name] = {"auc_exact": auc(-values[two], labels[two] == "exact")} | {
            f"rank correlation of the change of rank with PNG size, {what}": correlation(
                moved[rows], png[rows]
            )
            for what, rows in {"FLIPD below 0": later & (lid < 0), "FLIPD above 0": later & (lid > 0)}.items()
        }
    return numbers


def digits_model(results: Path) -> ScoreModel:
    """The demo's network."""
    from mmh.models.loading import load_model

    return load_model(results / "digits" / "model").score_model()


def digits_labels(results: Path) -> Any:
    """Series sample -> class."""
    return sample_classes(read_table(results / "digits" / "labels.parquet", LABELS)).set_index("sample")[
        "label"
    ]


def digits_samples(results: Path) -> tuple[NDArray, NDArray[np.int64], NDArray]:
    """The demo's samples (n, 1, 8, 8), ids and classes."""
    x, ids = read_images(sorted((results / "digits" / "samples").glob("*.npz")))
    labels = digits_labels(results).reindex(ids).fillna("").to_numpy().astype(str)
    return x, ids, labels


MEASURES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "sigma schedule": sigma_schedule,
    "iDDPM schedule": iddpm_schedule,
    "noised argument": noised_argument,
    "v-prediction": v_prediction,
    "Euler grid": euler_grid,
    "Euler grid near a point mass": euler_near_point,
    "probe seeding": probe_seeding,
    "normal bundle percentile": nb_percentile,
    "calibrated l2": calibration_of_l2,
    "local PCA": lpca_rules,
    "sample precision": sample_precision,
    "noise level": noise_level,
    "normal bundle noise level": nb_noise_level,
    "without complexity": without_complexity,
    **fidelity_sharpness.MEASURES,
}


def main() -> None:
    """Measure every row, print it and write `<out>/fidelity.json`."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.fidelity", description=__doc__.splitlines()[0]
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help="rows to measure, all by default")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of a finished demo")
    parser.add_argument("--out", type=Path, default=Path("results/bench"), help="folder of the JSON file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    numbers = {}
    unknown = [name for name in arguments.rows if name not in MEASURES]
    if unknown:
        parser.error(f"there is no row {unknown[0]!r}; known: {', '.join(MEASURES)}")
    for name in arguments.rows or MEASURES:
        numbers[name] = MEASURES[name](arguments.results)
        print(f"\n{name}")
        show(numbers[name], "  ")
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_json(arguments.out / "fidelity.json", {"machine": machine(), **numbers})


def show(value: dict[str, Any], indent: str) -> None:
    """Print nested numbers, one per line."""
    for key, entry in value.items():
        if isinstance(entry, dict):
            print(f"{indent}{key}:")
            show(entry, indent + "  ")
        else:
            print(f"{indent}{key}: {entry:.4g}" if isinstance(entry, float) else f"{indent}{key}: {entry}")


if __name__ == "__main__":
    main()
