"""Replicates: experiments trained anew with other root seeds, on the same data. Standard library only."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from mmh.errors import InputError
from mmh.plan.experiment import Config, Experiment
from mmh.plan.study import Variant


def experiments_by_seed(config: Config, only: Collection[str] = ()) -> dict[int, list[str]]:
    """Say which experiments each root seed trains.

    Parameters
    ----------
    config : mapping
        The checked configuration.
    only : collection of str
        Names of experiments; all that have the key ``replicates`` if empty.

    Returns
    -------
    dict of int to list of str
        The union of all seeds, in the order in which they are first named; of each, the experiments that
        name it, in the order of the configuration.

    Raises
    ------
    InputError
        If a name is unknown, or no experiment has the key.
    """
    entries = config["experiments"]
    having = [name for name, entry in entries.items() if entry.get("replicates")]
    for name in only:
        if name not in entries:
            raise InputError(
                f"--experiments {name}: there is no such experiment; known: {', '.join(entries)}"
            )
        if name not in having:
            raise InputError(
                f"experiments.{name}: has no key replicates; add one, such as replicates: [0, 1, 2, 3, 4]"
            )
    if not having:
        raise InputError("no experiment has the key replicates, such as replicates: [0, 1, 2, 3, 4]")
    found: dict[int, list[str]] = {}
    for name in having:
        for seed in entries[name]["replicates"] if name in only or not only else ():
            found.setdefault(seed, []).append(name)
    return found


def tables(config: Config, name: str) -> list[str]:
    """Tables of an experiment whose numbers are compared between trainings."""
    experiment = Experiment(config, name)
    kept = [file for file in experiment.result_tables if Path(file).stem in ("evaluation", "claims")]
    swept = "percentile_curve" in experiment.entry.get("figures", {})
    return [*kept, *([f"{experiment.folder}/percentiles.csv"] if swept else [])]


def training(config: Config, seed: int, experiments: list[str], root: Path) -> Variant:
    """What is laid over the configuration for one training of experiments.

    Parameters
    ----------
    config : mapping
    seed : int
    experiments : list of str
    root : Path
        Folder that plug-ins are named from; a working folder of its own is elsewhere.

    Returns
    -------
    Variant
    """
    overlay: dict[str, Any] = {"run": list(experiments), "seed": seed}
    if config["plugins"]:
        overlay["plugins"] = [str((root / file).resolve()) for file in config["plugins"]]
    return Variant(f"seed={seed}", overlay)
