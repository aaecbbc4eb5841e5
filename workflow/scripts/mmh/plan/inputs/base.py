"""What all groups of input functions have in common."""

from collections.abc import Mapping
from typing import Any

from mmh.plan.experiment import Config, Experiment

Wildcards = Any  # Snakemake's: an attribute for each wildcard of the job


class Inputs:
    """Functions of a job's wildcards that rules take as inputs and parameters.

    Parameters
    ----------
    config : mapping
        The checked configuration.
    """

    def __init__(self, config: Config) -> None:
        self.config = config

    def experiment(self, wildcards: Wildcards) -> Experiment:
        """The experiment of a job."""
        return Experiment(self.config, wildcards.experiment)


def without(options: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """A copy of ``options`` without the keys that do not change the bytes of a job's output."""
    return {key: value for key, value in options.items() if key not in keys}


def chosen(options: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """A copy of those of ``keys`` that ``options`` has, in the order of ``keys``."""
    return {key: options[key] for key in keys if key in options}
