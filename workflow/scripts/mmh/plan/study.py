"""Studies: a few experiments again and again, something varied. Each is a small file under ``studies/``."""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mmh.errors import InputError
from mmh.options.base import Field, Options
from mmh.options.messages import form_mistakes


class Collected(Options):
    """Numbers of one table of results."""

    table: str
    """file of an experiment's results, as claims.csv"""
    of: list[str] | None = None
    """experiments that make it; left out: all of the study"""
    rows: list[str] = Field(min_length=1)
    """columns that name a row"""
    numbers: list[str] = Field(min_length=1)
    """columns that are collected"""


class Study(Options):
    """A study."""

    about: str
    """what it asks, in a sentence or two"""
    run: list[str] = Field(min_length=1)
    """experiments"""
    vary: dict[str, list[Any]] = Field(min_length=1)
    """values by the path of a key in config.yaml, as experiments.digits.data.seed; each combination is run"""
    collect: list[Collected] = Field(min_length=1)
    """what is collected"""

    def only(self, experiments: list[str]) -> "Study":
        """Leave out all other experiments, and what is collected of them alone."""
        kept = []
        for part in self.collect:
            of = [name for name in part.of or self.run if name in experiments]
            kept += [part.model_copy(update={"of": of})] if of else []
        run = [name for name in self.run if name in experiments]
        if not run or not kept:
            raise InputError(f"the study has no {', '.join(experiments)}; it has {', '.join(self.run)}")
        return self.model_copy(update={"run": run, "collect": kept})

    @property
    def files(self) -> list[str]:
        """The tables that it collects from, in their order."""
        parts = ((part, name) for part in self.collect for name in part.of or self.run)
        return list(dict.fromkeys(f"results/{name}/{part.table}" for part, name in parts))


@dataclass(frozen=True)
class Variant:
    """One combination of what is varied.

    Attributes
    ----------
    label : str
        Such as ``seed=3``.
    overlay : dict
        What is laid over config.yaml.
    """

    label: str
    overlay: dict[str, Any]

    @property
    def folder(self) -> str:
        """Name of its working folder."""
        return re.sub(r"[^\w.+-]+", "_", self.label.replace("=", "-"))


def read_study(path: Path) -> Study:
    """Read the file of a study.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Study

    Raises
    ------
    InputError
        If the file cannot be read, or says what is no study: all mistakes, a line each.
    """
    try:
        text = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"{path}: cannot be read ({' '.join(str(error).split())})") from error
    study, mistakes = form_mistakes(Study, text if isinstance(text, dict) else {}, ())
    if mistakes:
        raise InputError("\n".join([f"{path} is no study:", *(f"  {mistake}" for mistake in mistakes)]))
    assert isinstance(study, Study)
    return study


def variants(vary: Mapping[str, list[Any]], experiments: list[str]) -> list[Variant]:
    """Combine the values that are varied, the last key fastest.

    Parameters
    ----------
    vary : mapping
        Values by the path of a key.
    experiments : list of str
        What each variant runs.

    Returns
    -------
    list of Variant

    Raises
    ------
    InputError
        If two of them could not be told apart by their folders.
    """
    short = {path: path.rsplit(".", 1)[-1] for path in vary}
    if len(set(short.values())) < len(short):
        short = {path: path for path in vary}
    made = []
    for values in itertools.product(*vary.values()):
        overlay: dict[str, Any] = {"run": list(experiments)}
        for path, value in zip(vary, values, strict=True):
            *blocks, key = path.split(".")
            place = overlay
            for block in blocks:
                place = place.setdefault(block, {})
            place[key] = value
        said = (f"{short[path]}={value}" for path, value in zip(vary, values, strict=True))
        made.append(Variant(", ".join(said), overlay))
    folders = [variant.folder for variant in made]
    twice = {folder for folder in folders if folders.count(folder) > 1}
    if twice:
        raise InputError(f"the study has {sorted(twice)[0]} twice; a value may stand once")
    return made
