"""Checks of ``config.yaml`` that tie keys to each other: what a figure or claim needs, what excludes what."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from mmh.claims.base import CLAIMS
from mmh.config.config_text import text_errors
from mmh.config.entries import Entry
from mmh.models.base import KINDS, SamplingOptions, SamplingPlan
from mmh.plan.experiment import Experiment
from mmh.worlds.base import WORLDS

Config = Mapping[str, Any]

_LABELLED = ("retrieval", "labels", "estimators")
# Sections of an experiment that a figure, a claim or another section cannot do without.
NEEDS: dict[str, tuple[str, ...]] = {
    "labels": ("retrieval",),
    "evaluation": _LABELLED,
    "figures.examples": _LABELLED,
    "figures.lid_model": _LABELLED,
    "figures.lid_data": _LABELLED,
    "figures.lid_complexity": _LABELLED,
    "figures.flipd_curve": _LABELLED,
    "figures.memorized_pairs": ("retrieval", "labels"),
    "figures.lid_paired": ("paired",),
    "figures.lid_scatter": ("estimators",),
    "figures.percentile_curve": _LABELLED,
    "candidates": ("retrieval",),
    "label_sheet": ("candidates",),
    **{f"claims.{number}": claim.needs for number, claim in CLAIMS.rows().items()},
    **{f"figures.{name}": ("detection", "estimators") for name in ("metric_histograms", "complexity")},
    "figures.score_norms": ("image_sets", "estimators"),
    "figures.manifold_walk": ("prompts", "estimators"),
    "figures.prompt_detection": ("prompts", "detection"),
}
# Figures and claims about one world.
_WORLDS: dict[str, tuple[str, ...]] = {
    "figures.lid_scatter": ("von-mises",),
    **{f"claims.{number}": claim.worlds for number, claim in CLAIMS.rows().items() if claim.worlds},
}
NAME = re.compile(r"[a-z0-9][A-Za-z0-9_-]*")
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def non_finite(value: Any, path: str = "") -> Iterator[str]:
    """Name every number that is NaN or infinite; YAML can write them and a schema's ranges let NaN pass.

    Parameters
    ----------
    value : any
        A part of the configuration.
    path : str
        Where it stands.

    Yields
    ------
    str
        One message per number.
    """
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{path}: {value} is not a finite number"
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from non_finite(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from non_finite(inner, f"{path}.{index}")


def name_errors(config: Config) -> Iterator[str]:
    """Refuse names that cannot be part of a path, and one estimator name with two methods.

    Parameters
    ----------
    config : mapping

    Yields
    ------
    str
        One message per mistake.
    """
    methods: dict[str, tuple[str, str]] = {}
    taken = {
        f"{name}{end}"
        for name in config.get("sources", {})
        for end in (".json", ".part", ".part.json", ".part.bad")
    }
    for name in config.get("sources", {}):
        if not FILE_NAME.fullmatch(name):
            yield f"sources.{name}: a source is named by its file: letters, digits, '.', '-' and '_' only"
        if name in taken:
            yield f"sources.{name}: is the name of a file that another source's download makes"
    named = [("descriptors", config.get("descriptors", {})), ("experiments", config["experiments"])]
    for experiment, entry in config["experiments"].items():
        named += [
            (f"experiments.{experiment}.{key}", entry.get(key, {}))
            for key in ("estimators", "image_sets", "prompt_lists")
        ]
        named.append((f"experiments.{experiment}.prompts.sets", entry.get("prompts", {}).get("sets", {})))
        for name, options in entry.get("estimators", {}).items():
            first, method = methods.setdefault(name, (experiment, options["method"]))
            if method != options["method"]:
                place = f"experiments.{experiment}.estimators.{name}.method"
                yield (
                    f"{place}: {options['method']!r}, but the same name is {method!r} in {first}; "
                    "rules are chosen by name, so use two names"
                )
    for where, group in named:
        for name in group:
            if not NAME.fullmatch(name):
                yield f"{where}.{name}: a name is part of file paths: letters, digits, '-' and '_' only"


def section_errors(config: Config, name: str, where: str) -> Iterator[str]:
    """Find keys of one experiment that contradict each other or lack what they need.

    Parameters
    ----------
    config : mapping
    name : str
        The experiment.
    where : str
        Its path, for the messages.

    Yields
    ------
    str
        One message per mistake.
    """
    entry = config["experiments"][name]
    asked = [key for key in ("labels", "evaluation", "candidates", "label_sheet") if key in entry]
    asked += [f"figures.{figure}" for figure in entry.get("figures", {})]
    asked += [f"claims.{claim}" for claim in entry.get("claims", {}).get("check", [])]
    for key in asked:
        for section in NEEDS.get(key, ()):
            if not entry.get(section):
                yield f"{where}.{key}: needs the section {section!r}, which this experiment lacks"
        if key in _WORLDS and entry.get("data", {}).get("world") not in _WORLDS[key]:
            yield f"{where}.{key}: is about the world {', '.join(_WORLDS[key])} only"
    if {"data", "model", "sampling"} <= set(entry):
        yield from _model_errors(config, name, where)
    elif {"data", "model"} <= set(entry):
        yield from text_errors(Experiment(config, name), where)
    yield from _estimator_errors(entry, where)


def _model_errors(config: Config, name: str, where: str) -> Iterator[str]:
    entry = config["experiments"][name]
    kind = KINDS[entry["model"]["kind"]]
    yield from kind.check(kind.read(entry["model"]), Entry(config, name), f"{where}.model")
    yield from _sampling_errors(entry, where)
    yield from _selection_errors(entry, where)
    yield from _retrieval_errors(entry, where)
    labels = entry.get("labels", {})
    if labels.get("source") == "planted" and not WORLDS[entry["data"]["world"]].planted:
        yield f"{where}.labels.source: nothing is planted in the world {entry['data']['world']}; use 'files'"
    if labels.get("source") == "planted" and labels["exact_distance"] > labels["not_distance"]:
        yield f"{where}.labels.exact_distance: must not exceed not_distance, {labels['not_distance']}"
    n = Experiment(config, name).n_train
    if entry.get("retrieval", {}).get("top", 0) > n:
        yield f"{where}.retrieval.top: {entry['retrieval']['top']} of only {n} training images"
    if not entry["sampling"]["calibration"]:
        for key, options in entry.get("estimators", {}).items():
            if options.get("subset") == "calibration":
                yield f"{where}.estimators.{key}.subset: sampling.calibration is 0, so it is empty"


def _sampling_errors(entry: Config, where: str) -> Iterator[str]:
    kind, sampling = KINDS[entry["model"]["kind"]], entry["sampling"]
    if kind.Sampling is None:
        yield f"{where}.sampling: a model of kind {kind.name!r} draws images from prompts only; remove it"
        return
    common = {**SamplingPlan.model_fields, **SamplingOptions.model_fields}
    own = {key: field for key, field in kind.Sampling.model_fields.items() if key not in common}
    needed = [key for key, field in own.items() if field.is_required()]
    for key in needed:
        if key not in sampling:
            yield f"{where}.sampling.{key}: missing; a model of kind {kind.name!r} needs {', '.join(needed)}"
    for key in sampling:
        if key not in common and key not in own:
            known = ", ".join(own)
            yield f"{where}.sampling.{key}: a model of kind {kind.name!r} takes {known} only; remove it"
    yield from kind.check_sampling(sampling, f"{where}.sampling")


def _retrieval_errors(entry: Config, where: str) -> Iterator[str]:
    retrieval = entry.get("retrieval", {})
    if retrieval.get("index", "Flat") == "Flat":
        for key in ("nprobe", "rerank"):
            if key in retrieval:
                yield f"{where}.retrieval.{key}: the index 'Flat' is exact and has no such option; remove it"
    if retrieval.get("rerank", retrieval.get("top", 1)) < retrieval.get("top", 1):
        yield f"{where}.retrieval.rerank: must be at least top, {retrieval['top']}"


def _selection_errors(entry: Config, where: str) -> Iterator[str]:
    n, chosen = entry["sampling"]["n_samples"], entry.get("candidates")
    if chosen and not 2 * chosen["top"] < chosen["total"] <= n:
        low = 2 * chosen["top"] + 1
        yield (
            f"{where}.candidates.total: {chosen['total']} must lie in {low}..{n}: two lists of "
            f"{chosen['top']} candidates, and no more than the samples"
        )
    swept = entry.get("figures", {}).get("percentile_curve", {}).get("estimator")
    if swept in entry.get("estimators", {}):
        options = entry["estimators"][swept]
        if options["method"] not in ("normal-bundle", "jacobian") or not {"samples", "selected"} & set(
            options["items"]
        ):
            yield f"{where}.figures.percentile_curve.estimator: {swept!r} gives no singular values at samples"
    for key, options in entry.get("estimators", {}).items():
        if "selected" in options["items"] and not chosen:
            yield f"{where}.estimators.{key}.items: 'selected' needs the section 'candidates'"
        if options.get("probe") and options["trace"] == "exact":
            yield f"{where}.estimators.{key}.probe: the exact trace has no random probes; remove it"
        if options.get("subset") and set(options["items"]) != {"samples"}:
            yield f"{where}.estimators.{key}.subset: is of samples; items must be [samples]"
        if {"selected", "samples"} <= set(options["items"]):
            yield f"{where}.estimators.{key}.items: selected samples are samples; use one of the two"
        gan, method = KINDS[entry["model"]["kind"]].gives == "generator", options["method"]
        if gan and method in ("flipd", "normal-bundle"):
            yield f"{where}.estimators.{key}.method: {method!r} needs a score, a GAN has none; use 'jacobian'"
        if method == "jacobian" and not gan:
            yield f"{where}.estimators.{key}.method: 'jacobian' needs a GAN's generator"
        sampled = (entry["sampling"].get("truncation"), entry["sampling"].get("noise"))
        if method == "jacobian" and gan and sampled != (1, "const"):
            yield (
                f"{where}.estimators.{key}.method: 'jacobian' is of the map without truncation or random "
                "noise; sample with truncation: 1 and noise: const"
            )
        if method == "jacobian" and not set(options["items"]) <= {"selected", "samples"}:
            yield f"{where}.estimators.{key}.items: 'jacobian' is of samples; use samples or selected"


def _estimator_errors(entry: Config, where: str) -> Iterator[str]:
    estimators = entry.get("estimators", {})
    single = [("evaluation", "estimators"), ("evaluation", "baselines")]
    for section, key in single:
        for name in entry.get(section, {}).get(key, []):
            if isinstance(estimators.get(name, {}).get("t"), list):
                yield f"{where}.{section}.{key}: {name!r} has a list of t; a score needs one"
    for key, options in estimators.items():
        if options["method"] != "ratio":
            continue
        for part in ("numerator", "denominator"):
            source = estimators.get(options[part])
            if source is None:
                continue  # reported as an unknown name
            lacking = [items for items in options["items"] if items not in source["items"]]
            if lacking:
                yield f"{where}.estimators.{key}.items: {options[part]!r} is not computed on {lacking[0]!r}"
            if isinstance(source.get("t"), list):
                yield f"{where}.estimators.{key}.{part}: {options[part]!r} has a list of t; a ratio needs one"
