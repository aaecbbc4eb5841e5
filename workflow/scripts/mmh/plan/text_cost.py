"""What the jobs of text-to-image models need; see `mmh.plan.cost`. Standard library only."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from mmh.attributions.base import ATTRIBUTIONS, LOW
from mmh.compute.network_cost import (
    CUDA_MB,
    IMPORTS_MB,
    START,
    Need,
    Network,
    Parts,
    batch_rows,
    flipd_calls,
    half,
    network_calls,
    network_mb,
)
from mmh.elicited.options import ElicitationPlan
from mmh.io.spans import span_range
from mmh.metrics.base import METRICS, asked_metrics
from mmh.mitigations.base import MITIGATIONS
from mmh.models.base import KINDS, dimension
from mmh.plan.experiment import Experiment, network
from mmh.rewriters.base import REWRITERS
from mmh.rewriting.options import rewritings

Config = Mapping[str, Any]
Wildcards = Mapping[str, str]
SIDES = {"native": 0, "tinted": 0, "imagenet-288": 288, "imagenet-320": 320}
"""Side of the images that a copy descriptor sees; of those of embedded worlds it does not matter."""


def parts(experiment: Config) -> Parts:
    """Give what an experiment's model has beside its UNet."""
    model = experiment["model"]
    return KINDS[model["kind"]].parts(model)


def pipeline_mb(experiment: Config, gpu: bool, batch_mb: float) -> float:
    """Memory of a process that holds the whole pipeline."""
    others = parts(experiment)
    held = 8 * (others.vae.millions + others.text_millions)
    return network_mb(network(experiment), gpu, batch_mb) + held


def _setting(config: Config, wildcards: Wildcards) -> tuple[Config, Network, Network, int]:
    """Give the experiment, its UNet, its autoencoder, and the bytes of an image."""
    entry = config["experiments"][wildcards["experiment"]]
    others = parts(entry)
    return entry, network(entry), others.vae, others.image


def _encode_images(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    entry, _, vae, image = _setting(config, wildcards)
    n, size = len(span_range(wildcards["span"])), batch_rows(entry["latents"])
    seconds = START[gpu] + network_calls(vae, n, size, 1, gpu=gpu)
    whole = Experiment(config, wildcards["experiment"]).n_items(wildcards["item_set"])
    held = (whole + 8 * min(n, size)) * image * 1e-6 + n * dimension(entry) * 8e-6
    return Need(seconds, pipeline_mb(entry, gpu, size * vae.row_mb) + held)


def _score_prompts(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    entry, net, vae, image = _setting(config, wildcards)
    options, dim = entry["prompts"], dimension(entry)
    n, size = len(span_range(wildcards["span"])) * options["generations"], batch_rows(options)
    metrics = [(METRICS[name], taken) for name, taken in asked_metrics(options).items()]
    trace_calls = partial(flipd_calls, dim=dim, gpu=gpu)
    extra: dict[object, float] = {}  # what several compute in common counts once, at the steps of the busiest
    for m, taken in metrics:
        spent = m.share(taken, options["steps"]) * m.cost(taken, dim, trace_calls)
        key = m.same_work(taken) or m.name
        extra[key] = max(extra.get(key, 0.0), spent)
    # Two rows per step, for both branches of the guided score.
    calls = 2 * options["steps"] * (1 + sum(extra.values()))
    seconds = START[gpu] + network_calls(net, n, size, calls, gpu=gpu, precision=half(entry) if gpu else 1.0)
    seconds += network_calls(vae, n, min(size, n), 1, gpu=gpu)
    row = net.graph_mb if any(m.needs == "graph" for m, _ in metrics) else net.row_mb
    held = n * (image * 2e-6 + dim * 12e-6)
    return Need(seconds, pipeline_mb(entry, gpu, size * max(2 * row, vae.row_mb)) + held)


def _sample_mitigated(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    entry, net, vae, image = _setting(config, wildcards)
    options, dim = entry["mitigation"], dimension(entry)
    n, size = len(span_range(wildcards["span"])) * options["generations"], batch_rows(options)
    block = dict(options["mitigations"][wildcards["mitigation"]])
    row = MITIGATIONS[block.pop("method")]
    searched = row.most_rows(row.Options.model_validate(block))
    calls = 2 * entry["prompts"]["steps"] + searched
    seconds = START[gpu] + network_calls(net, n, size, calls, gpu=gpu, precision=half(entry) if gpu else 1.0)
    seconds += network_calls(vae, n, min(size, n), 1, gpu=gpu)
    each = net.graph_mb if searched else net.row_mb
    held = n * (image * 2e-6 + dim * 12e-6)
    return Need(seconds, pipeline_mb(entry, gpu, size * max(4 * each, vae.row_mb)) + held)


def _measure_mitigations(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    entry, _, _, image = _setting(config, wildcards)
    options = entry["mitigation"]
    prompts = sum(options["sets"].values()) * len(options["mitigations"])
    return _measured(config, wildcards, gpu, prompts * (options["generations"] + 1), prompts * image * 1e-6)


def _elicit_copies(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    entry, net, vae, image = _setting(config, wildcards)
    options = ElicitationPlan.model_validate(entry["re_elicitation"])
    block = dict(entry["mitigation"]["mitigations"][wildcards["mitigation"]])
    row = MITIGATIONS[block.pop("method")]
    searched = row.most_rows(row.Options.model_validate(block))
    n, steps = len(span_range(wildcards["span"])), entry["prompts"]["steps"]
    # A step differentiates both branches of each draw, and pays its part of what the mitigation does.
    attacked = options.budgets[-1] * options.draws * (4 + searched / steps)
    sampled = len(options.budgets) * options.generations * (2 * steps + searched)
    size, calls = batch_rows(entry["re_elicitation"]), attacked + sampled
    seconds = START[gpu] + network_calls(net, n, size, calls, gpu=gpu, precision=half(entry) if gpu else 1.0)
    drawn = n * len(options.budgets) * options.generations
    seconds += network_calls(vae, drawn, min(size, drawn), 1, gpu=gpu)
    held = 300 + (2 * Experiment(config, wildcards["experiment"]).n_train + drawn) * image * 1e-6
    held += drawn * dimension(entry) * 12e-6
    return Need(seconds, pipeline_mb(entry, gpu, size * max(4 * net.graph_mb, vae.row_mb)) + held)


def _measure_re_elicitation(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    entry, _, _, image = _setting(config, wildcards)
    options = ElicitationPlan.model_validate(entry["re_elicitation"])
    each = len(options.budgets) * options.generations
    n = sum(options.sets.values()) * len(options.mitigations) * each
    return _measured(config, wildcards, gpu, n, options.shard_size * each * image * 1e-6 + n * 1e-3)


def _sample_iterates(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    entry, net, vae, image = _setting(config, wildcards)
    options, dim, shared = entry["optimisation"], dimension(entry), entry["prompts"]
    n, size = len(span_range(wildcards["span"])) * options["generations"], batch_rows(options)
    block = dict(entry["mitigation"]["mitigations"][wildcards["mitigation"]])
    row, sampled = MITIGATIONS[block.pop("method")], len(options["at"])
    calls = row.most_rows(row.Options.model_validate(block | {"iterations": options["at"][-1]}))
    flipd = METRICS["flipd"]
    taken = flipd.Options.model_validate({key: shared[key] for key in flipd.shared if key in shared})
    each = flipd.share(taken, shared["steps"]) * flipd.cost(
        taken, dim, partial(flipd_calls, dim=dim, gpu=gpu)
    )
    calls += 2 * shared["steps"] * (1 + each) * sampled
    seconds = START[gpu] + network_calls(net, n, size, calls, gpu=gpu, precision=half(entry) if gpu else 1.0)
    seconds += network_calls(vae, n * sampled, min(size, n * sampled), 1, gpu=gpu)
    held = n * sampled * (image * 2e-6 + dim * 12e-6)
    return Need(seconds, pipeline_mb(entry, gpu, size * max(4 * net.graph_mb, vae.row_mb)) + held)


def _measure_iterates(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    entry, _, _, image = _setting(config, wildcards)
    options = entry["optimisation"]
    each = options["generations"] * len(options["at"])
    n = sum(options["sets"].values()) * len(options["mitigations"]) * each
    return _measured(config, wildcards, gpu, n, options["shard_size"] * each * image * 1e-6 + n * 1e-3)


def _measured(config: Config, wildcards: Wildcards, gpu: bool, n: int, held: float) -> Need:
    """Need of comparing n images with training images, of which so many MB are held."""
    entry, _, _, image = _setting(config, wildcards)
    side = SIDES.get(entry["prompts"]["preprocess"], 224)
    each = (1e-3 if gpu else 0.1) * (side / 224) ** 2 + 5e-3
    train = (
        Experiment(config, wildcards["experiment"]).n_train if entry["prompts"]["images"] == "train" else 0
    )
    held += 2 * train * image * 1e-6 + entry["prompts"]["batch_size"] * side**2 * 2e-4
    return Need(START[gpu] + n * each, IMPORTS_MB["torch"] + 300 + held + (CUDA_MB if gpu else 0))


def _attribute_tokens(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    entry, net, _, _ = _setting(config, wildcards)
    options = entry["attribution"]
    n, size = len(span_range(wildcards["span"])) * options["generations"], batch_rows(options)
    calls = sum(along_steps(block, entry["prompts"]["steps"]) for block in options["attributions"].values())
    calls = 2 * (entry["prompts"]["steps"] + 4 * calls) + 60  # a second derivative is worth about four calls
    seconds = START[gpu] + network_calls(net, n, size, calls, gpu=gpu, precision=half(entry) if gpu else 1.0)
    return Need(seconds, pipeline_mb(entry, gpu, size * 6 * net.graph_mb))


def along_steps(block: Mapping[str, Any], steps: int) -> float:
    """Steps at which a block under `attributions` is differentiated; t falls evenly from 1 to 0."""
    asked = ATTRIBUTIONS[block["method"]]
    given = {key: value for key, value in block.items() if key != "method"}
    chosen = getattr(asked.Options.model_validate(given), "steps", 0)
    return {"all": float(steps), "low": LOW * steps, 0: 0.0}.get(chosen, 1.0)


def _occlude_words(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    entry, net, vae, image = _setting(config, wildcards)
    options = entry["attribution"]
    n = len(span_range(wildcards["span"])) * options["occlusion"]["generations"] * 12  # words of a caption
    size, calls = batch_rows(options), 2 * entry["prompts"]["steps"]
    seconds = START[gpu] + network_calls(net, n, size, calls, gpu=gpu, precision=half(entry) if gpu else 1.0)
    seconds += network_calls(vae, n, min(size, n), 1, gpu=gpu)
    held = 300 + (2 * Experiment(config, wildcards["experiment"]).n_train + n) * image * 1e-6
    return Need(seconds, pipeline_mb(entry, gpu, size * max(2 * net.row_mb, vae.row_mb)) + held)


def _rewrite_prompts(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    entry, _, _, _ = _setting(config, wildcards)
    options, block = entry["rewriting"], entry["rewriting"].get("rewriter")
    texts = sum(options["sets"].values()) * rewritings(options)
    each = REWRITERS[block["method"]].seconds if block else 0.0
    return Need(START[gpu] + texts * (each + 1e-3), pipeline_mb(entry, gpu, 0) + texts * 3e-3)


def _sample_rewritten(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    entry, net, vae, image = _setting(config, wildcards)
    options, dim = entry["rewriting"], dimension(entry)
    n = len(span_range(wildcards["span"])) * rewritings(options) * options["generations"]
    size, calls = batch_rows(options), 2 * options.get("steps", entry["prompts"]["steps"])
    seconds = START[gpu] + network_calls(net, n, size, calls, gpu=gpu, precision=half(entry) if gpu else 1.0)
    seconds += network_calls(vae, n, min(size, n), 1, gpu=gpu)
    held = n * (image * 2e-6 + dim * 12e-6)
    return Need(seconds, pipeline_mb(entry, gpu, size * max(2 * net.row_mb, vae.row_mb)) + held)


def _measure_rewrites(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    entry, _, _, image = _setting(config, wildcards)
    options = entry["rewriting"]
    n = sum(options["sets"].values()) * rewritings(options) * options["generations"]
    largest = options["shard_size"] * rewritings(options) * options["generations"]
    return _measured(config, wildcards, gpu, n, largest * image * 1e-6 + n * 1e-3)


def _match_generations(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    entry, _, _, image = _setting(config, wildcards)
    options = entry["prompts"]
    prompts = sum(options["sets"].values())
    n = prompts * (options["generations"] + 1)
    side = SIDES.get(options["preprocess"], 224)
    each = (1e-3 if gpu else 0.1) * (side / 224) ** 2 + 5e-3
    held = 2 * prompts * image * 1e-6 + options["batch_size"] * side**2 * 2e-4
    return Need(START[gpu] + n * each, IMPORTS_MB["torch"] + 200 + held + (CUDA_MB if gpu else 0))


def _train_clip(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    options = config["experiments"][wildcards["experiment"]]["clip"]
    size = (options.get("width", 64) / 64) ** 2 * options.get("layers", 2) / 2
    return Need(START[False] + options["steps"] * (options["batch_size"] * 1e-3 * size + 10e-3), 800)


def _fetch_images(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    options = config["experiments"][wildcards["experiment"]]["image_sets"][wildcards["item_set"]]
    return Need(60 + options.get("draw", options.get("n", 10_000)) * 0.5, 500)


def _import_image_set(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    options = config["experiments"][wildcards["experiment"]]["image_sets"][wildcards["item_set"]]
    n, values = options.get("n", 10_000), 3 * options.get("size", 512) ** 2
    return Need(10 + n * 0.05, 400 + 2.2 * n * values * 1e-6)


MODELLED: dict[str, Callable[[Config, Wildcards, bool], Need]] = {
    "encode_images": _encode_images,
    "score_prompts": _score_prompts,
    "match_generations": _match_generations,
    "sample_mitigated": _sample_mitigated,
    "measure_mitigations": _measure_mitigations,
    "elicit_copies": _elicit_copies,
    "measure_re_elicitation": _measure_re_elicitation,
    "sample_iterates": _sample_iterates,
    "measure_iterates": _measure_iterates,
    "rewrite_prompts": _rewrite_prompts,
    "sample_rewritten": _sample_rewritten,
    "measure_rewrites": _measure_rewrites,
    "attribute_tokens": _attribute_tokens,
    "occlude_words": _occlude_words,
    "train_clip": _train_clip,
    "fetch_images": _fetch_images,
    "import_image_set": _import_image_set,
}
# As in `mmh.plan.cost`: seconds, MB, and copies of all samples and of the training images.
FIXED: dict[str, tuple[float, float, float, float]] = {
    "list_images": (120, 2000, 0, 0),
    "import_prompts": (60, 500, 0, 0),
    "answer_prompts": (30, 600, 0, 0),
    "audit_prompts": (300, 1000, 0, 0),
    "check_clip": (60, 900, 0, 1),
    "score_attributions": (60, 500, 0, 0),
    "evaluate_detection": (120, 800, 0, 0),
    "combine_detectors": (300, 800, 0, 0),
    "tabulate_field": (30, 500, 0, 0),
}
