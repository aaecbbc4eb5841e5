"""Estimators: their options, the spectra that some of them threshold, and the tables of all scores."""

from pathlib import Path
from typing import Any

from mmh.io.spans import SELECTED
from mmh.plan.experiment import RATIO
from mmh.plan.inputs.base import Inputs, Wildcards, without


class Scores(Inputs):
    """What stands under ``estimators``."""

    def options(self, wildcards: Wildcards) -> dict[str, Any]:
        """An estimator's options, without those that say which items it gets, and in which spans."""
        options = self.experiment(wildcards).estimators[wildcards.estimator]
        return without(options, "method", "items", "subset", "shard_size")

    def model_options(self, wildcards: Wildcards) -> dict[str, Any]:
        """An estimator's options, and how a text-to-image model is loaded where the experiment has one."""
        return {**self.options(wildcards), **self.experiment(wildcards).loading}

    def spectra_options(self, wildcards: Wildcards) -> dict[str, Any]:
        """Those of an estimator's options that spectra depend on."""
        return without(self.options(wildcards), "percentile")

    def spectra(self, wildcards: Wildcards) -> list[str]:
        """Spectra of an item set, span by span."""
        return self.experiment(wildcards).spectra_files(wildcards.item_set, wildcards.estimator)

    def left_out_of_pool(self, wildcards: Wildcards) -> str | list[str]:
        """The candidates, where they make up much of the images that have spectra."""
        selected = wildcards.item_set == SELECTED
        return f"{self.experiment(wildcards).folder}/candidates.parquet" if selected else []

    def files(self, wildcards: Wildcards) -> list[str]:
        """Score tables to put together."""
        return self.experiment(wildcards).score_files

    def item_sets(self, wildcards: Wildcards) -> list[str]:
        """Names of the item sets of the score tables, in the order of `files`."""
        return [Path(file).parts[3] for file in self.files(wildcards)]

    def ratios(self, wildcards: Wildcards) -> dict[str, Any]:
        """Options of the estimators that are quotients of two others."""
        estimators = self.experiment(wildcards).estimators
        return {name: options for name, options in estimators.items() if options["method"] == RATIO}
