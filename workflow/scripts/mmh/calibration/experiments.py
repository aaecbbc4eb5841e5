"""The worlds of an experiment, made of its finished tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd

from mmh.calibration import samples, sets
from mmh.calibration.nulls import worlds_of
from mmh.calibration.worlds import World
from mmh.claims.base import Context
from mmh.claims.reading import read_tables
from mmh.claims.table import contexts
from mmh.detection.prompt_detectors import SCORE_COLUMNS, prompt_detectors
from mmh.errors import InputError
from mmh.evaluation.image_sets import side_by_side
from mmh.evaluation.names import PROMPTS, TURNED, Detector
from mmh.io.table_files import read_table
from mmh.io.tables import PROMPT_SCORES
from mmh.metrics.base import METRICS
from mmh.plan.inputs.evaluation import Evaluation
from mmh.prompts.lists import read_prompts
from mmh.prompts.words import word_features


def asked(config: Mapping[str, Any], root: Path = Path()) -> list[str]:
    """Experiments that have claims or an evaluation: those of the run, and others that are finished."""
    wanted = ("claims", "evaluation", "detection")
    entries = config["experiments"]
    having = [name for name in entries if any(entries[name].get(key) for key in wanted)]
    return [name for name in having if name in config["run"] or _finished(config, name, root)]


def _finished(config: Mapping[str, Any], name: str, root: Path) -> bool:
    try:
        return bool(files(config, name, root))
    except InputError:
        return False


def files(config: Mapping[str, Any], name: str, root: Path = Path()) -> list[Path]:
    """The tables of an experiment that its worlds are made of.

    Parameters
    ----------
    config, name, root
        As for `worlds`.

    Returns
    -------
    list of Path

    Raises
    ------
    InputError
        If one is missing.
    """
    plan, job = Evaluation(config), SimpleNamespace(experiment=name)
    asked_of = plan.claim_tables(job)
    if config["experiments"][name].get("detection"):
        asked_of = {**asked_of, **plan.detection_tables(job)}
    found = _present(asked_of, root).values()
    return [path for one in found for path in (one if isinstance(one, list) else [one])]


def worlds(config: Mapping[str, Any], name: str, root: Path = Path()) -> list[World]:
    """Make the worlds in which an experiment's AUCs are 1/2 and its claims do not hold.

    Parameters
    ----------
    config : mapping
        The whole configuration.
    name : str
        Of the experiment.
    root : Path
        Folder that the paths of results are relative to.

    Returns
    -------
    list of World

    Raises
    ------
    InputError
        If a table is missing, or a claim has no null.
    """
    plan, job = Evaluation(config), SimpleNamespace(experiment=name)
    entry = config["experiments"][name]
    # Evaluations are made anew: of a captioned experiment's only what words alone tell is read.
    tables = read_tables(_present(plan.claim_tables(job), root))
    found = list(_detectors(plan, job, entry, tables, root))
    options = plan.claim_options(job) if entry.get("claims") else {"check": []}
    given = {key: value for key, value in options.items() if key != "check"}
    exclude = range(plan.calibration(job))
    for claim, (_, context) in contexts(options["check"], tables, options=given, exclude=exclude).items():
        found += worlds_of(claim, context)
    return found


def _present(inputs: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """The paths of files, all of which must be there; an empty list is none."""
    found = {}
    for key, value in inputs.items():
        paths = [root / path for path in ([value] if isinstance(value, str) else value)]
        for path in paths:
            if not path.is_file():
                raise InputError(f"{path} is missing; run `make demo` first")
        if paths:
            found[key] = paths[0] if isinstance(value, str) else paths
    return found


def _detectors(
    plan: Evaluation, job: Any, entry: Mapping[str, Any], tables: Mapping[str, pd.DataFrame], root: Path
) -> Iterator[World]:
    if evaluation := entry.get("evaluation"):
        names = list(dict.fromkeys([*evaluation["estimators"], *evaluation.get("baselines", [])]))
        context = Context(tables, None, 0, 0, range(plan.calibration(job)))
        yield from samples.detectors(context.labelled(names), names)
    detection = entry.get("detection") or {}
    if images := detection.get("images"):
        names = list(dict.fromkeys([*images["estimators"], *images["baselines"]]))
        known = list(dict.fromkeys(item for pair in images["pairs"] for item in pair))
        large = plan.detection(job)["images"]["large"]
        table = side_by_side(tables["scores"], tables["image_sets"], known, names)
        table[names] *= [1 if name in large else -1 for name in names]
        captions = tables["image_sets"].set_index(["items", "item"])["caption"]
        texts = captions.reindex(pd.MultiIndex.from_frame(table[["items", "item"]])).fillna("")
        table, features = _with_words(table, texts.tolist())
        turned = {name: f"{name}{TURNED}" for name in images["baselines"]} | features
        yield from sets.detectors(table, images["pairs"], names, turned)
    if prompts := detection.get("prompts"):
        files = _present(plan.detection_tables(job), root)
        known = read_prompts(files["prompts"])
        parts = [read_table(path, PROMPT_SCORES)[list(SCORE_COLUMNS)] for path in files["prompt_scores"]]
        scores = prompt_detectors(
            pd.concat(parts, ignore_index=True), steps=prompts["steps"], generations=prompts["generations"]
        )
        beside = scores.reindex(pd.MultiIndex.from_frame(known[["prompt_set", "prompt"]])).reset_index(
            drop=True
        )
        table = pd.concat([known.reset_index(drop=True), beside], axis=1).rename(
            columns={"prompt_set": "items"}
        )
        table, features = _with_words(table, table["text"].tolist())
        turned = {name: f"{name}{TURNED}" for name in _simple(scores)} | features
        yield from sets.detectors(table, prompts["pairs"], list(scores), turned, PROMPTS)


def _with_words(table: pd.DataFrame, texts: list[str]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Add what single words tell, which is turned by the classes; nothing where a text is missing."""
    if not all(text.strip() for text in texts):
        return table, {}
    features = word_features(texts)
    return pd.concat([table, features], axis=1), {name: name for name in features}


def _simple(names: Iterable[str]) -> list[str]:
    """Detectors of prompts that need no network."""
    detectors = {name: Detector.parse(name) for name in names}
    return [name for name, one in detectors.items() if one is not None and METRICS[one.metric].control]
