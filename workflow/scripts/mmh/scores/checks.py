"""Whether an estimator fits the model, the samples and the item sets of its experiment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mmh.io.spans import SELECTED
from mmh.models.base import KINDS

if TYPE_CHECKING:
    from mmh.options.entries import Entry
    from mmh.rows import Table
    from mmh.scores.base import Score


def misfits(score: type[Score], experiment: Entry, where: str, scores: Table[Score]) -> Iterator[str]:
    """Find what an estimator asks of an experiment that has it not.

    Parameters
    ----------
    score : type
        Its row.
    experiment : Entry
        With well-formed sections.
    where : str
        Path of its block.
    scores : Table
        All estimators, of which messages name those that would do.

    Yields
    ------
    str
        One message per mistake.
    """
    sections = set(experiment.entry)
    if not {"data", "model"} <= sections:
        return
    plan = experiment.at(where)
    if "sampling" in sections:
        yield from _item_misfits(plan, experiment.entry, where)
        yield from _model_misfits(score, has_generator(experiment), where)
    else:
        yield from _latent_misfits(score, plan, experiment.entry, where, scores)


def has_generator(experiment: Entry) -> bool:
    """Whether the model maps latents to images instead of having a score."""
    return KINDS[experiment.kind].gives == "generator"


def _item_misfits(plan: Mapping[str, Any], entry: Mapping[str, Any], where: str) -> Iterator[str]:
    items, subset = set(plan["items"]), plan.get("subset")
    if subset == "calibration" and not entry["sampling"]["calibration"]:
        yield f"{where}.subset: sampling.calibration is 0, so it is empty"
    if SELECTED in items and not entry.get("candidates"):
        yield f"{where}.items: 'selected' needs the section 'candidates'"
    if subset and items != {"samples"}:
        yield f"{where}.subset: is of samples; items must be [samples]"
    if {SELECTED, "samples"} <= items:
        yield f"{where}.items: selected samples are samples; use one of the two"


def _model_misfits(score: type[Score], gan: bool, where: str) -> Iterator[str]:
    if gan and score.needs == "score":
        yield f"{where}.method: {score.name!r} needs a score, a GAN has none; use 'jacobian'"
    if score.needs == "generator" and not gan:
        yield f"{where}.method: {score.name!r} needs a GAN's generator"
    if score.needs in ("captions", "decoder"):
        yield f"{where}.method: {score.name!r} needs a text-to-image model"


def _latent_misfits(
    score: type[Score], plan: Mapping[str, Any], entry: Mapping[str, Any], where: str, scores: Table[Score]
) -> Iterator[str]:
    if not score.latents:
        known = ", ".join(name for name, row in scores.rows().items() if row.latents)
        yield f"{where}.method: {score.name!r} is not for text-to-image models; use {known}"
    captioned = [name for name, o in entry.get("image_sets", {}).items() if "experiment" not in o]
    for items in plan["items"]:
        if items not in captioned:
            known = ", ".join(sorted(captioned)) or "none"
            yield f"{where}.items: {items!r} has no captions; use one of {known}"
