"""The cost model against what was measured, and that requests grow with the work and with the attempt."""

import copy
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from mmh.compute import network_cost
from mmh.config.check import check_config
from mmh.errors import InputError
from mmh.plan import cost
from mmh.plan.cost import Need, memory, need, runtime
from mmh.plan.experiment import network

ROOT = Path(__file__).parents[2]
CONFIG: dict[str, Any] = check_config(yaml.safe_load((ROOT / "config.yaml").read_text()))
IDDPM, GAN = "cifar10-iddpm", "cifar10-stylegan2ada"


def job(experiment: str, rule: str, *, gpu: bool = False, changes: Any = (), **wildcards: str) -> Need:
    """Need of a job of the shipped configuration after changes ((section, ..., key), value)."""
    config = copy.deepcopy(CONFIG)
    for (*path, last), value in changes:
        place = config["experiments"][experiment]
        for key in path:
            place = place[key]
        place[last] = value
    return need(config, rule, {"experiment": experiment, **wildcards}, gpu=gpu)


def lid(estimator: str, n: int, items: str = "selected") -> Any:
    return {"item_set": items, "estimator": estimator, "span": f"000000-{n - 1:06d}"}


def samples(n: int) -> Any:
    return {"span": f"000000-{n - 1:06d}"}


def flipd_probes(probes: int) -> Any:
    return [(("estimators", "flipd", "trace"), probes)]


# docs/resources.md has the same numbers. One H100 80GB, or one thread of an AMD EPYC virtual machine.
H100_SECONDS = [
    ("normal bundle, 100 images of 12,288 copies", 1040.0, job(IDDPM, "score_spectra", gpu=True, **lid("nb", 100))),
    ("FLIPD, 1 probe, 128,000 images", 213.8, job(IDDPM, "score_span", gpu=True, changes=flipd_probes(1), **lid("flipd", 128_000))),
    ("FLIPD, 8 probes, 128,000 images", 874.0, job(IDDPM, "score_span", gpu=True, changes=flipd_probes(8), **lid("flipd", 128_000))),
    ("iDDPM, 12,500 samples, 250 steps, TF32", 811.7, job(IDDPM, "sample_images", gpu=True, **samples(12_500))),
    ("StyleGAN2, 500,000 samples", 208.3, job(GAN, "sample_images", gpu=True, **samples(500_000))),
    ("Jacobian, 1000 samples, 3072 x 512", 293.0, job(GAN, "score_spectra", gpu=True, **lid("jacobian", 1000))),
]  # fmt: skip
CPU_SECONDS = [
    ("digits, 500 samples", 16.6, job("digits", "sample_images", **samples(500))),
    ("digits, FLIPD exact, 500 images", 28.8, job("digits", "score_span", **lid("flipd", 500, "samples"))),
    ("digits, FLIPD exact, 10 levels", 90.1, job("digits", "score_span", **lid("flipd_curve", 200, "samples"))),
    ("60 images in a batch of 256", 14.9, job("digits-overfit", "score_span", changes=[(("estimators", "flipd", "batch_size"), 256)], **lid("flipd", 60, "train"))),
    ("digits, normal bundle, 500 images", 63.3, job("digits", "score_spectra", **lid("nb", 500, "samples"))),
    ("digits-gan, Jacobian, 2000 samples", 27.0, job("digits-gan", "score_spectra", **lid("jacobian", 2000, "samples"))),
    ("train_model, digits", 230.1, job("digits", "train_model")),
    ("train_model, digits-overfit", 159.2, job("digits-overfit", "train_model")),
    ("train_model, digits-control", 136.5, job("digits-control", "train_model")),
    ("train_model, digits-gan", 206.0, job("digits-gan", "train_model")),
    ("train_model, von-mises", 47.1, job("von-mises", "train_model")),
    ("train_on_law", 15.5, job("manifolds", "train_on_law", law="lollipop")),
    ("train_descriptor", 40.1, need(CONFIG, "train_descriptor", {"descriptor": "digits-sscd"})),
    ("measure_accuracy, 800 dimensions", 16.1, job("manifolds", "measure_accuracy", law="subspace-200")),
    ("local PCA, 50,000 x 3072", 170.0, job(IDDPM, "score_set", item_set="train", estimator="lpca")),
    ("StyleGAN2, 250 samples", 45.0, job(GAN, "sample_images", changes=[(("sampling", "batch_size"), 250)], **samples(250))),
    ("StyleGAN2, Jacobian of one sample", 74.5, job(GAN, "score_spectra", **lid("jacobian", 1))),
    ("iDDPM, FLIPD, 1 probe, 8 images", 3.1 + 3, job(IDDPM, "score_span", changes=[*flipd_probes(1), (("estimators", "flipd", "batch_size"), 8)], **lid("flipd", 8))),
]  # fmt: skip
# Peak resident memory of the process, MB; of the last three the data and what was measured above them.
CPU_MEMORY = [
    ("digits, samples", 551, job("digits", "sample_images", **samples(500))),
    ("von-mises, samples", 315, job("von-mises", "sample_images", **samples(2000))),
    ("digits, FLIPD exact", 725, job("digits", "score_span", **lid("flipd", 500, "samples"))),
    ("digits, normal bundle", 522, job("digits", "score_spectra", **lid("nb", 500, "samples"))),
    ("digits, embeddings", 255, job("digits", "embed_images", item_set="train", span="000000-001049")),
    ("train_model, digits", 585, job("digits", "train_model")),
    ("train_model, von-mises", 381, job("von-mises", "train_model")),
    ("measure_accuracy, 800 dimensions", 898, job("manifolds", "measure_accuracy", law="subspace-200")),
    ("StyleGAN2, 250 samples", 2616, job(GAN, "sample_images", changes=[(("sampling", "batch_size"), 250)], **samples(250))),
    ("iDDPM, FLIPD, 1 probe, 8 images", 708 + 541, job(IDDPM, "score_span", changes=[(("estimators", "flipd", "batch_size"), 8)], **lid("flipd", 8))),
    ("local PCA, 50,000 x 3072", 614 + 992, job(IDDPM, "score_set", item_set="train", estimator="lpca")),
]  # fmt: skip
SECONDS = H100_SECONDS + CPU_SECONDS


@pytest.mark.parametrize(
    ("measured", "estimate"), [row[1:] for row in SECONDS], ids=[row[0] for row in SECONDS]
)
def test_seconds_are_those_measured_within_a_factor_of_one_and_a_half(
    measured: float, estimate: Need
) -> None:
    assert measured / 1.5 < estimate.seconds < 1.5 * measured


@pytest.mark.parametrize(
    ("measured", "estimate"), [row[1:] for row in CPU_MEMORY], ids=[row[0] for row in CPU_MEMORY]
)
def test_memory_is_what_was_measured_or_up_to_a_third_more(measured: float, estimate: Need) -> None:
    assert 0.88 * measured < estimate.mem_mb < 1.35 * measured
    assert memory(estimate) >= measured + 400


@pytest.mark.parametrize(
    ("batch_size", "probes", "precision", "measured"),
    [(2, 1, 1.0, 0.0853), (8, 1, network_cost.HALF, 0.0127), (8, 2, network_cost.HALF, 0.0127 + 0.0053)],
)
def test_flipd_at_the_size_of_stable_diffusion(
    batch_size: int, probes: int, precision: float, measured: float
) -> None:
    net = network({"model": {"kind": "diffusers"}, "latents": {"dtype": "float32"}})
    calls = network_cost.flipd_calls(probes, 16384, gpu=True)
    seconds = network_cost.network_calls(net, 800, batch_size, calls, gpu=True, precision=precision) / 800
    assert measured / 1.5 < seconds < 1.5 * measured


def test_calibrated_l2() -> None:
    on_gpu, on_cpu = (cost.search_seconds(50_000, 50_000, 3072, gpu=gpu) for gpu in (True, False))
    assert on_gpu == pytest.approx(10, rel=0.2)
    assert on_cpu == pytest.approx(148, rel=0.2)
    above_the_data = job(IDDPM, "search_copies").mem_mb - 2 * 614
    assert 389 * 1.07 < above_the_data < 3 * 389 * 1.07


def test_the_gram_matrices_of_every_group_are_counted() -> None:
    """docs/estimators.md: groups + 1 matrices of d^2 doubles, and 2.2 of them at the peak of one."""
    square = 3072**2 * 8e-6
    few, many = (
        job(IDDPM, "score_spectra", changes=[(("estimators", "nb", "groups"), groups)], **lid("nb", 1))
        for groups in (4, 8)
    )
    assert many.mem_mb - few.mem_mb == pytest.approx(4 * square, rel=0.01)
    assert few.mem_mb > (5 + 1.2) * square


def test_the_parameters_of_a_unet_follow_from_its_widths() -> None:
    from mmh.models.ddpm.network import build

    for widths in ((16, 16), (32, 64), (64, 128)):
        entry = {"data": {"world": "digits"}, "model": {"kind": "unet", "block_out_channels": list(widths)}}
        weights = sum(p.numel() for p in build(block_out_channels=widths).parameters())
        assert network(entry).millions * 1e6 == pytest.approx(weights, rel=0.05)


SPANS = [
    (IDDPM, "sample_images", {}),
    (GAN, "sample_images", {}),
    ("von-mises", "sample_images", {}),
    (IDDPM, "score_span", {"item_set": "selected", "estimator": "flipd"}),
    (IDDPM, "score_spectra", {"item_set": "selected", "estimator": "nb"}),
    (GAN, "score_spectra", {"item_set": "selected", "estimator": "jacobian"}),
    (IDDPM, "embed_images", {"item_set": "train"}),
]


@pytest.mark.parametrize("gpu", [False, True])
@pytest.mark.parametrize(("experiment", "rule", "wildcards"), SPANS)
def test_a_longer_span_never_needs_less(experiment: str, rule: str, wildcards: Any, gpu: bool) -> None:
    needs = [
        job(experiment, rule, gpu=gpu, **wildcards, **samples(n)) for n in (1, 7, 100, 999, 5000, 50_000)
    ]
    for shorter, longer in pairwise(needs):
        assert shorter.seconds <= longer.seconds
        assert shorter.mem_mb < longer.mem_mb
    assert needs[0].seconds < needs[-1].seconds


@pytest.mark.parametrize("megabytes", [0, 99, 100, 2500, 40_000])
def test_requests_grow_with_the_attempt_and_leave_room_for_snakemake(megabytes: float) -> None:
    needed = Need(seconds=megabytes, mem_mb=megabytes)
    asked = [memory(needed, attempt) for attempt in (1, 2, 3)]
    minutes = [runtime(needed, attempt) for attempt in (1, 2, 3)]
    assert all(isinstance(value, int) for value in asked + minutes)
    assert asked[0] >= megabytes + 400
    assert asked == sorted(asked)
    assert asked[2] - 400 >= 3 * megabytes
    assert minutes == [minutes[0], 2 * minutes[0], 4 * minutes[0]]
    assert minutes[0] >= max(10, 3 * megabytes / 60)


def test_every_rule_that_asks_is_known() -> None:
    text = "".join(file.read_text() for file in (ROOT / "workflow" / "rules").glob("*.smk"))
    blocks = re.split(r"^rule (\w+):", text, flags=re.MULTILINE)[1:]
    asked = {name for name, block in zip(blocks[::2], blocks[1::2], strict=True) if "plan.memory" in block}
    assert len(asked) >= 30
    assert asked <= cost.rules()
    assert cost.rules() <= {script.stem for script in (ROOT / "workflow" / "scripts").glob("*.py")}


def test_every_experiment_s_model_is_known() -> None:
    models = [entry for entry in CONFIG["experiments"].values() if "model" in entry]
    assert {"edm-mlp", "unet", "gan", "iddpm", "stylegan2"} <= {entry["model"]["kind"] for entry in models}
    for entry in models:
        net = network(entry)
        assert 0 < net.gpu < net.cpu
        assert net.row_mb <= net.graph_mb


def test_a_rule_or_model_that_is_not_known_is_named() -> None:
    with pytest.raises(InputError, match="'guess'"):
        need(CONFIG, "guess", {})
    with pytest.raises(InputError, match="'guess'"):
        network({"data": {"world": "digits"}, "model": {"kind": "guess"}})


def test_paper_scale_spans_take_10_to_60_gpu_minutes_where_the_work_is_that_long() -> None:
    for experiment in (IDDPM, GAN):
        entry = CONFIG["experiments"][experiment]
        works: list[Any] = [
            ("sample_images", {}, entry["sampling"]["n_samples"], entry["sampling"]["shard_size"])
        ]
        works += [("embed_images", {"item_set": "train"}, 50_000, entry["retrieval"]["shard_size"])]
        rules = {
            "flipd": "score_span",
            "normal-bundle": "score_spectra",
            "jacobian": "score_spectra",
        }
        for name, options in entry["estimators"].items():
            if options["method"] in rules:
                wildcards = {"item_set": "selected", "estimator": name}
                works.append((rules[options["method"]], wildcards, 1000, options["shard_size"]))
        for rule, wildcards, n, size in works:
            one, whole = (
                job(experiment, rule, gpu=True, **wildcards, **samples(k)).seconds for k in (size, n)
            )
            assert size == n if whole < 600 else 600 <= one <= 3600, (experiment, rule)


# ---- text-to-image -----------------------------------------------------------------------------------------------------

LATENTS = {"dtype": "float16", "batch_size": 8, "shard_size": 100}
PROMPTS = {
    "sets": {"memorized": 500},
    "generations": 4,
    "steps": 50,
    "trace": 1,
    "batch_size": 8,
    "preprocess": "imagenet-288",
}
STABLE_DIFFUSION = {
    "data": {"world": "none"},
    "model": {"kind": "diffusers"},
    "latents": LATENTS,
    "prompts": PROMPTS,
    "image_sets": {"coco": {"files": ["a"], "n": 2000, "size": 512}},
    "estimators": {
        "flipd": {"method": "flipd", "t": 0.05, "trace": 1, "batch_size": 8},
        "cfg": {"method": "cfg-norm", "t": 0.01, "steps": 3, "batch_size": 8},
        "decoded": {"method": "decoded-png", "batch_size": 8},
    },
}


def text_job(rule: str, span: str = "000000-000099", gpu: bool = True, **changes: Any) -> Need:
    """Need of a job of a rule, or of `score_span` of an estimator."""
    config: Any = {"experiments": {"sd": {**copy.deepcopy(STABLE_DIFFUSION), **changes}}}
    wildcards = {"experiment": "sd", "item_set": "coco", "prompt_set": "memorized", "span": span}
    if rule in STABLE_DIFFUSION["estimators"]:
        wildcards["estimator"], rule = rule, "score_span"
    return need(config, rule, wildcards, gpu=gpu)


def test_flipd_of_real_images_in_half_precision() -> None:
    assert text_job("flipd", "000000-009999").seconds == pytest.approx(10_000 * 0.0127, rel=0.5)


@pytest.mark.parametrize(("dtype", "measured", "factor"), [("float32", 4.08, 1.5), ("float16", 0.395, 2.0)])
def test_a_generation_takes_what_was_measured(dtype: str, measured: float, factor: float) -> None:
    """50 steps of Stable Diffusion's size, 10 of them with FLIPD; in float16 measured in batches of 32."""

    def drawing(**changes: Any) -> float:
        latents = {**LATENTS, "dtype": dtype}
        return text_job("score_prompts", "000000-000999", latents=latents, **changes).seconds

    generations = 1000 * 4
    assert measured / factor < drawing() / generations - 0.11 < measured * factor  # and .11 s to decode it
    doubled = drawing(prompts={**PROMPTS, "generations": 8})
    assert doubled == pytest.approx(2 * drawing(), rel=0.05)


def test_one_krylov_pass_is_counted_once_for_all_that_is_read_off_it() -> None:
    """Of both branches and, apart, of their difference; seconds beside those without any."""

    def seconds(**metrics: Any) -> float:
        whole = {"cfg_norm": {}, **metrics}
        return text_job("score_prompts", "000000-000999", prompts={**PROMPTS, "metrics": whole}).seconds

    few, more, other = {"steps": [1, 48], "m": 3}, {"steps": [1, 40, 48, 50], "m": 3}, {"steps": [1], "m": 5}
    plain, one = seconds(), seconds(lhsd=few)
    assert one > plain
    assert seconds(lhsd=few, lambda_min=few, lid_trace_gap=few) == one
    assert seconds(lhsd=few, lambda_min=more) == seconds(lambda_min=more) == pytest.approx(2 * one - plain)
    assert seconds(lhsd=few, lambda_max_difference=few) == pytest.approx(2 * one - plain)
    assert seconds(lhsd=few, lambda_max=other) - plain == pytest.approx((one - plain) * (1 + 5 / 6))


@pytest.mark.parametrize(("dtype", "measured", "factor"), [("float32", 0.167, 1.5), ("float16", 0.0152, 2.1)])
def test_a_cfg_vector_norm_takes_what_was_measured(dtype: str, measured: float, factor: float) -> None:
    """Of Stable Diffusion's size; in float16 measured in batches of 256."""
    latents = {**LATENTS, "dtype": dtype}
    each = text_job("cfg", "000000-009999", latents=latents).seconds / 10_000
    assert measured / factor < each < measured * factor


@pytest.mark.parametrize("rule", ["encode_images", "cfg", "decoded", "score_prompts"])
@pytest.mark.parametrize("gpu", [False, True])
def test_a_longer_span_of_a_text_to_image_model_needs_more(rule: str, gpu: bool) -> None:
    needs = [text_job(rule, f"000000-{n - 1:06d}", gpu) for n in (8, 80, 800)]
    for shorter, longer in pairwise(needs):
        assert shorter.seconds < longer.seconds
        assert shorter.mem_mb < longer.mem_mb
    assert needs[0].mem_mb > 4 * 860 + (3000 if gpu else 0), "the weights and CUDA's libraries at least"


def test_a_caption_costs_less_than_a_derivative_and_matching_follows_the_generations() -> None:
    assert text_job("cfg").seconds < text_job("score_prompts").seconds
    few, many = (text_job("match_generations", prompts={**PROMPTS, "generations": g}) for g in (1, 3))
    assert many.seconds - 20 == pytest.approx(2 * (few.seconds - 20))


@pytest.mark.parametrize("rule", ["encode_images", "flipd", "cfg", "score_prompts"])
def test_a_batch_that_a_job_chooses_costs_as_much_as_a_small_one(rule: str) -> None:
    def with_batch(size: int | str) -> Need:
        estimators = {
            name: {**options, "batch_size": size} for name, options in STABLE_DIFFUSION["estimators"].items()
        }
        sections = {"latents": {**LATENTS, "batch_size": size}, "prompts": {**PROMPTS, "batch_size": size}}
        return text_job(rule, estimators=estimators, **sections)

    assert with_batch("auto") == with_batch(8)
