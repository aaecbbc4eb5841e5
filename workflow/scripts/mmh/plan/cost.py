"""What one job needs: its seconds and its memory, from the configuration alone. Standard library only.

A cost is a number of network rows times the measured time of one row, plus what the estimator adds to the
network. docs/resources.md has the measurements and how far the model is from each; `tests/unit/test_cost.py`
holds it there. No parameter of any job follows from these numbers, so a change of them reruns nothing.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from mmh.compute.network_cost import (
    CUDA_MB,
    RESNET50,
    SMALL_DESCRIPTOR,
    START,
    TF32,
    Need,
    network_calls,
    network_mb,
)
from mmh.errors import InputError
from mmh.figures.base import FIGURES
from mmh.io.spans import span_range
from mmh.models.base import KINDS, dimension
from mmh.models.edm_mlp import EdmMlp
from mmh.plan.copies_cost import FIXED as COPIES_FIXED
from mmh.plan.copies_cost import MODELLED as COPIES_MODELLED
from mmh.plan.experiment import Experiment, network
from mmh.plan.text_cost import FIXED as TEXT_FIXED
from mmh.plan.text_cost import MODELLED as TEXT_MODELLED
from mmh.plan.work import Work
from mmh.scores.base import SCORES

Config = Mapping[str, Any]
Wildcards = Mapping[str, str]

SAFETY = 3.0  # other processors and GPUs are slower than the measured ones
SPARE_MINUTES = 5  # a node's first read of the environment, a busy file system
LEAST_MINUTES = 10
HEADROOM = 1.3  # of memory, above what was measured
SNAKEMAKE_MB = 400  # two Snakemake processes live inside the allocation of a cluster job


def runtime(need: Need, attempt: int = 1) -> int:
    """Minutes to ask of a scheduler, at least `LEAST_MINUTES`; each further attempt gets twice the time."""
    minutes = math.ceil(SAFETY * need.seconds / 60) + SPARE_MINUTES
    return max(minutes, LEAST_MINUTES) * 2 ** (attempt - 1)


def memory(need: Need, attempt: int = 1) -> int:
    """MB to ask of a scheduler, a multiple of 100; attempt n gets n times the job's own share."""
    return math.ceil((HEADROOM * need.mem_mb * attempt + SNAKEMAKE_MB) / 100) * 100


def need(config: Config, rule: str, wildcards: Wildcards, *, gpu: bool = False) -> Need:
    """Estimate what one job needs.

    Parameters
    ----------
    config : mapping
        The checked configuration.
    rule : str
    wildcards : mapping
        The job's wildcards.
    gpu : bool
        Whether the job gets a GPU; rules that cannot use one ignore it.

    Returns
    -------
    Need

    Raises
    ------
    InputError
        If the rule is not known.
    """
    if rule in _MODELLED:
        return _MODELLED[rule](config, wildcards, gpu)
    if rule not in _FIXED:
        raise InputError(
            f"mmh.plan.cost: nothing is known of rule {rule!r}; add it to _FIXED or _MODELLED there"
        )
    return _fixed(config, wildcards, *_FIXED[rule])


def _fixed(
    config: Config, wildcards: Wildcards, seconds: float, mem_mb: float, samples: float, train: float
) -> Need:
    """Need of a job that holds so many copies of all samples and of the training images."""
    if samples or train:
        entry = config["experiments"][wildcards["experiment"]]
        if samples and "sampling" in entry:
            mem_mb += samples * _images_mb(config, wildcards["experiment"], "samples")
        if "data" in entry:
            mem_mb += train * Experiment(config, wildcards["experiment"]).n_train * dimension(entry) * 4e-6
    return Need(seconds, mem_mb)


def rules() -> frozenset[str]:
    """Rules whose needs are known.

    Returns
    -------
    frozenset of str
    """
    return frozenset(_MODELLED) | frozenset(_FIXED)


def search_seconds(samples: int, train: int, dim: int, *, gpu: bool) -> float:
    """Seconds of an exact search: every sample against every training image.

    Parameters
    ----------
    samples, train, dim : int
        Numbers of rows, and values per row.
    gpu : bool

    Returns
    -------
    float
    """
    return samples * train * dim * (1.2e-12 if gpu else 1.9e-11)


def _images_mb(config: Config, experiment: str, items: str) -> float:
    """Megabytes of an item set as float32."""
    return Experiment(config, experiment).n_items(items) * dimension(config["experiments"][experiment]) * 4e-6


def _of(config: Config, wildcards: Wildcards) -> tuple[Config, Config]:
    """Give the experiment and its estimator's options."""
    entry = config["experiments"][wildcards["experiment"]]
    return entry, entry.get("estimators", {}).get(wildcards.get("estimator"), {})


def _span(wildcards: Wildcards) -> int:
    return len(span_range(wildcards["span"]))


def _sample_images(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    entry, _ = _of(config, wildcards)
    net, sampling, n = network(entry), entry["sampling"], _span(wildcards)
    precision = TF32 if net.imports == "diffusers" else 1.0
    size, calls = sampling["batch_size"], KINDS[entry["model"]["kind"]].calls(sampling)
    seconds = START[gpu] + network_calls(net, n, size, calls, gpu=gpu, precision=precision)
    return Need(seconds, network_mb(net, gpu, size * net.row_mb) + 2 * n * dimension(entry) * 4e-6)


def _read(config: Config, wildcards: Wildcards, n: int) -> float:
    """Memory of the span's images, of the file of a set that they are picked from, and of what is read."""
    entry, items = config["experiments"][wildcards["experiment"]], wildcards["item_set"]
    whole = 0.0 if items == "samples" else _images_mb(config, wildcards["experiment"], items)
    shard = entry.get("sampling", {}).get("shard_size", 0) if items == "samples" else 0
    return whole + (3 * n + shard) * dimension(entry) * 4e-6


def _embed_images(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    entry = config["experiments"][wildcards["experiment"]]
    options, n = entry["retrieval"], _span(wildcards)
    sides = {"imagenet-crop224": 224, "half-crop224": 224, "imagenet-288": 288, "imagenet-320": 320}
    net, side = RESNET50, sides.get(options["preprocess"])
    if config["descriptors"][options["descriptor"]]["source"] == "train":
        net = SMALL_DESCRIPTOR
    elif side is not None:
        net = net.scaled((side / 224) ** 2, (side / 224) ** 2)
    prepare = 0.0 if side is None else 2.5e-3 * n  # resized one by one, on the CPU
    seconds = START[gpu] + network_calls(net, n, options["batch_size"], 1, gpu=gpu) + prepare
    pixels = 0 if side is None else options["batch_size"] * side**2 * 24e-6
    mem_mb = network_mb(net, gpu, options["batch_size"] * net.row_mb) + pixels
    return Need(seconds, mem_mb + _read(config, wildcards, n))


def _search_copies(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    experiment = Experiment(config, wildcards["experiment"])
    entry = experiment.entry
    samples, train, dim = experiment.n_items("samples"), experiment.n_train, dimension(entry)
    seconds = START[gpu] + search_seconds(samples, train, dim, gpu=gpu)
    seconds += search_seconds(samples, train, 512, gpu=False)  # embeddings are searched on the CPU
    shard = max(entry["sampling"]["shard_size"], min(samples, 8192))
    held = 1.3 * train * dim * 4e-6 + 2 * shard * dim * 4e-6 + 0.004 * min(samples, train)
    return Need(seconds, 170 + held + (samples + train) * 512 * 4e-6 + 200 + (CUDA_MB if gpu else 0))


def _score(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    work = Work(config, wildcards, gpu)
    return SCORES[work.options["method"]].cost(work)


def _score_set(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    work = Work(config, wildcards)
    return SCORES[work.options["method"]].cost_of_set(work)


def _make_model(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    experiment = Experiment(config, wildcards["experiment"])
    model, dim = experiment.entry["model"], dimension(experiment.entry)
    return experiment.kind.cost_of_making(model, points=experiment.n_train, dim=dim)


def _make_world(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    experiment = Experiment(config, wildcards["experiment"])
    return experiment.world.cost_of_making(experiment.entry["data"])


def _train_on_law(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    options = config["experiments"][wildcards["experiment"]]["accuracy"]["learned"][wildcards["law"]]
    return EdmMlp.cost_of_making(options, points=options["n_train"], dim=1)


def _train_descriptor(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    options = config["descriptors"][wildcards["descriptor"]]
    return Need(START[False] + options["steps"] * options["batch_size"] * 2e-4, 480)


def _measure_accuracy(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    accuracy = config["experiments"][wildcards["experiment"]]["accuracy"]
    law = accuracy["laws"][wildcards["law"]]
    spectral = sum(o["method"].startswith("normal-bundle") for o in accuracy["estimators"].values())
    points = law.get("spectra_items", law["items"])
    seconds = 4 + len(accuracy["t"]) * points * spectral * law["ambient"] ** 3 * 2.2e-10
    return Need(seconds, 400 + 100 * law["ambient"] ** 2 * 8e-6)


def _fetch_source(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    size = config.get("sources", {}).get(wildcards["source"], {}).get("bytes") or 1e9
    return Need(60 + size / 1e6, 150)  # a megabyte per second


def _draw_figure(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    return _fixed(config, wildcards, *FIGURES[wildcards["figure"]].cost)


_MODELLED: dict[str, Callable[[Config, Wildcards, bool], Need]] = {
    "sample_images": _sample_images,
    "score_span": _score,
    "score_spectra": _score,
    "score_set": _score_set,
    "embed_images": _embed_images,
    "search_copies": _search_copies,
    "make_dataset": _make_world,
    "import_dataset": _make_world,
    "make_captioned_data": _make_world,
    "train_model": _make_model,
    "convert_model": _make_model,
    "import_model": _make_model,
    "train_on_law": _train_on_law,
    "train_descriptor": _train_descriptor,
    "measure_accuracy": _measure_accuracy,
    "fetch_source": _fetch_source,
    "draw_figure": _draw_figure,
    **COPIES_MODELLED,
    **TEXT_MODELLED,
}

# Seconds, MB, and how many copies of all samples and of the training images (float32) are held.
_FIXED: dict[str, tuple[float, float, float, float]] = {
    "list_candidates": (10, 200, 2.2, 0),
    "plant_labels": (3, 200, 2.2, 1),
    "import_labels": (3, 200, 0, 0),
    "export_label_sheet": (30, 300, 2.2, 0.5),
    "gather_scores": (3, 200, 0, 0),
    "gather_accuracy": (5, 200, 0, 0),
    "pair_lid": (3, 200, 0, 0),
    "judge_memorization": (3, 300, 0, 0),
    "evaluate": (10, 300, 0, 0),
    "evaluate_raters": (20, 300, 0, 0),
    "sweep_percentiles": (10, 500, 0, 0),
    "answer_images": (60, 400, 2.2, 3),
    "vary_cuts": (10, 300, 0, 0),
    "check_claims": (10, 300, 0.1, 0.1),
    "compute_cartoon": (5, 400, 0, 0),
    "summarize": (3, 200, 0, 0),
    "gather_claims": (3, 200, 0, 0),
    "collect_run_records": (3, 200, 0, 0),
    "collect_benchmarks": (3, 200, 0, 0),
    **COPIES_FIXED,
    **TEXT_FIXED,
}
