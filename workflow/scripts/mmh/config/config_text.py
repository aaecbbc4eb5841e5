"""Checks of the sections of ``config.yaml`` that only experiments on text-to-image models have."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from mmh.config.entries import Entry
from mmh.evaluation.names import Detector
from mmh.metrics.base import DEFAULT, METRICS, in_order
from mmh.plan.experiment import Experiment
from mmh.worlds.base import WORLDS

Config = Mapping[str, Any]

METHODS = ("flipd", "cfg-norm", "score-norm", "decoded-png")


def text_errors(experiment: Experiment, where: str) -> Iterator[str]:
    """Find what an experiment without samples of its own lacks, or has too much.

    Parameters
    ----------
    experiment : Experiment
        One with `data` and `model`.
    where : str
        Its path, for the messages.

    Yields
    ------
    str
        One message per mistake.
    """
    entry, world, kind = experiment.entry, experiment.world, experiment.kind
    if world.made not in ("captioned", "none"):
        yield f"{where}.sampling: missing; an experiment on the world {world.name!r} needs samples"
        return
    yield from kind.check(
        kind.read(entry["model"]), Entry(experiment.config, experiment.name), f"{where}.model"
    )
    sets = experiment.captioned_sets
    for name in sets:
        if "world" in entry["image_sets"][name] and name not in world.sets:
            known = ", ".join(world.sets) or "none"
            yield f"{where}.image_sets.{name}: the world {world.name} has no such set; it has {known}"
        columns = entry["image_sets"][name].get("columns", {"url": ""})
        if ("url" in columns) == ("image" in columns):
            yield f"{where}.image_sets.{name}.columns: name one of url (addresses) and image (the images)"
    if sets and "latents" not in entry:
        yield f"{where}.latents: missing; image sets with captions are encoded as it says"
    for name, options in entry.get("estimators", {}).items():
        yield from _estimator_errors(options, f"{where}.estimators.{name}", set(sets))
    yield from _prompt_errors(entry, where, set(sets))
    yield from _pair_errors(entry, where, set(sets))
    yield from _figure_errors(entry, where, set(sets))
    yield from _unscored(entry, where)


def _estimator_errors(options: Config, where: str, sets: set[str]) -> Iterator[str]:
    if options["method"] not in METHODS:
        known = ", ".join(METHODS)
        yield f"{where}.method: {options['method']!r} is not for text-to-image models; use {known}"
    for items in options["items"]:
        if items not in sets:
            yield f"{where}.items: {items!r} has no captions; use one of {_listed(sets)}"
    if options["method"] == "flipd":
        if "condition" not in options:
            yield f"{where}.condition: missing; caption for LID given the caption, empty for LID without"
        if isinstance(options["t"], list):
            yield f"{where}.t: a list is for curves on samples; give one noise level"


def _prompt_errors(entry: Config, where: str, sets: set[str]) -> Iterator[str]:
    prompts, lists = entry.get("prompts"), entry.get("prompt_lists", {})
    world, data = WORLDS[entry["data"]["world"]], entry["data"]
    if world.sets and lists:
        yield f"{where}.prompt_lists: the world {world.name} has prompts of its own; remove the lists"
    if not prompts:
        return
    known = world.sets or tuple(lists)
    for name, n in prompts["sets"].items():
        if name not in known:
            yield f"{where}.prompts.sets.{name}: no such list of prompts; there are {_listed(known)}"
        elif world.sets:
            most = world.n_prompts(data, name)
            if n != most:
                yield f"{where}.prompts.sets.{name}: {n} prompts where the world has {most}; all are scored"
    if prompts["images"] not in sets | {"train"} or (prompts["images"] == "train" and not world.sets):
        yield f"{where}.prompts.images: {prompts['images']!r} holds no training images; use an image set"
    yield from _metric_errors(prompts, f"{where}.prompts.metrics")
    for key in ("generations", "steps"):
        most = prompts[key]
        for n in entry.get("detection", {}).get("prompts", {}).get(key, []):
            if n > most:
                yield f"{where}.detection.prompts.{key}: {n}, but prompts.{key} is {most}"


def _metric_errors(prompts: Config, where: str) -> Iterator[str]:
    asked = prompts.get("metrics", DEFAULT)
    for name in asked:
        if name not in METRICS.rows():
            known = ", ".join(in_order(METRICS.rows()))
            yield f"{where}: there is no metric of prompts {name!r}; there are {known}"
        elif isinstance(asked, Mapping):
            try:
                METRICS[name].Options.model_validate(asked[name])
            except ValidationError as error:
                for each in error.errors():
                    yield f"{'.'.join(map(str, (where, name, *each['loc'])))}: {each['msg']}"


def _pair_errors(entry: Config, where: str, sets: set[str]) -> Iterator[str]:
    detection, prompts = entry.get("detection", {}), set(entry.get("prompts", {}).get("sets", {}))
    listed = set(WORLDS[entry["data"]["world"]].sets or entry.get("prompt_lists", {}))
    groups = [
        ("detection.images", detection.get("images", {}).get("pairs", []), sets),
        ("detection.prompts", detection.get("prompts", {}).get("pairs", []), prompts),
        ("prompt_audit", entry.get("prompt_audit", {}).get("pairs", []), listed),
    ]
    for key, pairs, known in groups:
        for pair in pairs:
            for name in pair:
                if name not in known:
                    yield f"{where}.{key}.pairs: there is no set {name!r}; there are {_listed(known)}"
    images = detection.get("images", {})
    for name in images.get("large", []):
        if name not in [*images["estimators"], *images["baselines"]]:
            yield f"{where}.detection.images.large: {name!r} is not among its estimators"


def _figure_errors(entry: Config, where: str, sets: set[str]) -> Iterator[str]:
    figures, prompts = entry.get("figures", {}), entry.get("prompts", {}).get("sets", {})
    for figure, options in figures.items():
        for name in options.get("sets", []):
            if name not in sets:
                yield f"{where}.figures.{figure}.sets: there is no image set {name!r}"
    walk, curves = figures.get("manifold_walk"), figures.get("prompt_detection")
    if walk and walk["items"] not in sets:
        yield f"{where}.figures.manifold_walk.items: there is no image set {walk['items']!r}"
    if walk and prompts and walk["prompt_set"] not in prompts:
        known = _listed(prompts)
        found = walk["prompt_set"]
        yield f"{where}.figures.manifold_walk.prompt_set: no prompts {found!r}; there are {known}"
    pairs = entry.get("detection", {}).get("prompts", {}).get("pairs", [])
    if curves and curves["pair"] not in pairs:
        yield f"{where}.figures.prompt_detection.pair: {curves['pair']} is not among detection.prompts.pairs"
    if curves:
        yield from _detector_errors(entry, where)
    positive = entry.get("claims", {}).get("positive_set", "memorized")
    if entry.get("claims") and positive not in sets:
        yield f"{where}.claims.positive_set: there is no image set {positive!r}; there are {_listed(sets)}"


def _detector_errors(entry: Config, where: str) -> Iterator[str]:
    """Detectors of prompts that `prompt_detection` shows without their being evaluated."""
    options, asked = entry["figures"]["prompt_detection"], entry.get("detection", {}).get("prompts", {})
    anchors = [anchor["estimator"] for anchor in options.get("anchors", [])]
    taken = entry.get("prompts", {}).get("metrics", DEFAULT)
    for key, names in (("curves", options["curves"]), ("anchors", anchors)):
        for name in names:
            detector = Detector.parse(name)
            if detector is None:
                continue
            for part, wanted in (("steps", detector.steps), ("generations", detector.generations)):
                if wanted is not None and wanted not in asked.get(part, []):
                    found = f"{name!r}, but detection.prompts.{part} has no {wanted}"
                    yield f"{where}.figures.prompt_detection.{key}: {found}"
            if detector.metric not in taken:
                found = f"{name!r}, but prompts.metrics has no {detector.metric!r}"
                yield f"{where}.figures.prompt_detection.{key}: {found}"


def _unscored(entry: Config, where: str) -> Iterator[str]:
    """Find scores that are asked for at images where they are not computed: else hours later an error."""
    images, figures = entry.get("detection", {}).get("images", {}), entry.get("figures", {})
    names = [*images.get("estimators", []), *images.get("baselines", [])]
    uses = [("detection.images", names, [name for pair in images.get("pairs", []) for name in pair])]
    for figure, options in figures.items():
        asked = [options[key] for key in ("estimator", "guided", "difference") if key in options]
        shown = [options["items"]] if figure == "manifold_walk" else options.get("sets", [])
        uses.append((f"figures.{figure}", [*asked, *options.get("estimators", [])], shown))
    for key, estimators, shown in uses:
        for name in dict.fromkeys(estimators):
            scored = entry.get("estimators", {}).get(name, {}).get("items", shown)
            for items in dict.fromkeys(shown):
                if items not in scored:
                    yield f"{where}.{key}: {name!r} is not computed on {items!r}; add it to its items"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
