"""Estimators: their options, the spectra that some of them threshold, and the tables of all scores."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mmh.digest.reach import Root
from mmh.io.spans import SELECTED
from mmh.plan.inputs.base import Inputs, Wildcards, without
from mmh.rows import root_of
from mmh.scores.base import Score


class Scores(Inputs):
    """What stands under ``estimators``."""

    def method(self, wildcards: Wildcards) -> str:
        """Name of an estimator's method."""
        return self._row(wildcards).name

    def computed_by(self, wildcards: Wildcards) -> list[Root]:
        """Code of an estimator."""
        return [root_of(self._row(wildcards))]

    def combined_by(self, wildcards: Wildcards) -> list[Root]:
        """Code of the estimators that follow from the scores of others."""
        experiment = self.experiment(wildcards)
        rows = {experiment.score(name) for name in self.ratios(wildcards)}
        return [root_of(row) for row in sorted(rows, key=lambda row: row.name)]

    def options(self, wildcards: Wildcards) -> dict[str, Any]:
        """An estimator's own options, without those that say which items it gets, and in which spans."""
        row = self._row(wildcards)
        written = self.experiment(wildcards).estimators[wildcards.estimator]
        own = without(written, "method", *row.planning().model_fields)
        return row.Options.model_validate(own).model_dump(mode="json")

    def spectra_options(self, wildcards: Wildcards) -> dict[str, Any]:
        """Those of an estimator's options that spectra depend on."""
        return without(self.options(wildcards), *self._row(wildcards).later)

    def loading(self, wildcards: Wildcards) -> dict[str, Any]:
        """How a text-to-image model is loaded; nothing for other models."""
        return self.experiment(wildcards).loading.get("load", {})

    def seed(self, wildcards: Wildcards) -> int:
        """Root seed of the run; 0 where nothing is drawn at random."""
        return int(self.config["seed"]) if self._row(wildcards).random else 0

    def untracked(self, wildcards: Wildcards) -> SimpleNamespace:
        """Where plug-ins lie: no change of that computes a score again."""
        return SimpleNamespace(plugins=self.config.get("plugins", []))

    def model(self, wildcards: Wildcards) -> str | list[str]:
        """The model, for an estimator that needs one."""
        alone = self._row(wildcards).needs == "images"
        return [] if alone else f"{self.experiment(wildcards).folder}/model"

    def set_images(self, wildcards: Wildcards) -> list[str]:
        """Images of a whole set, for an estimator that takes no spectra."""
        if self._row(wildcards).shape == "spectra":
            return []
        return self.experiment(wildcards).image_files(wildcards.item_set)

    def spectra(self, wildcards: Wildcards) -> list[str]:
        """Spectra of an item set, span by span, for an estimator that counts them."""
        if self._row(wildcards).shape != "spectra":
            return []
        return self.experiment(wildcards).spectra_files(wildcards.item_set, wildcards.estimator)

    def _row(self, wildcards: Wildcards) -> type[Score]:
        return self.experiment(wildcards).score(wildcards.estimator)

    def left_out_of_pool(self, wildcards: Wildcards) -> str | list[str]:
        """The candidates, where they make up much of the images that have spectra."""
        many = wildcards.item_set == SELECTED and self._row(wildcards).shape == "spectra"
        return f"{self.experiment(wildcards).folder}/candidates.parquet" if many else []

    def files(self, wildcards: Wildcards) -> list[str]:
        """Score tables to put together."""
        return self.experiment(wildcards).score_files

    def item_sets(self, wildcards: Wildcards) -> list[str]:
        """Names of the item sets of the score tables, in the order of `files`."""
        return [Path(file).parts[3] for file in self.files(wildcards)]

    def ratios(self, wildcards: Wildcards) -> dict[str, Any]:
        """Estimators that follow from the scores of others."""
        experiment = self.experiment(wildcards)
        return {name: o for name, o in experiment.estimators.items() if experiment.is_ratio(name)}
