"""Laws of known dimension, on which estimators are measured, and dense Hessians of embedded densities."""

from typing import Any

from mmh.figures.base import FIGURES
from mmh.plan.experiment import Experiment
from mmh.plan.inputs.base import Inputs, Wildcards, chosen, without


class Laws(Inputs):
    """What stands under ``accuracy``."""

    def law(self, wildcards: Wildcards) -> dict[str, Any]:
        """What defines a law, without how many of its points are looked at."""
        options = self.experiment(wildcards).entry["accuracy"]["laws"][wildcards.law]
        return without(options, "items", "spectra_items")

    def learned(self, wildcards: Wildcards) -> dict[str, str]:
        """The network that was trained on a law, where there is one."""
        experiment = self.experiment(wildcards)
        trained = wildcards.law in experiment.entry["accuracy"].get("learned", {})
        return {"model": f"{experiment.folder}/learned/{wildcards.law}"} if trained else {}

    def options(self, wildcards: Wildcards) -> dict[str, Any]:
        """How the estimators are measured."""
        entry = self.experiment(wildcards).entry["accuracy"]
        return without(entry, "laws", "learned", "conditioned", "resamples")

    def conditioned_laws(self, wildcards: Wildcards) -> dict[str, Any]:
        """The laws whose points are looked at under a condition."""
        entry = self.experiment(wildcards).entry["accuracy"]
        return chosen(entry["laws"], *entry["conditioned"])

    def conditioning(self, wildcards: Wildcards) -> dict[str, Any]:
        """How they are looked at."""
        return chosen(self.experiment(wildcards).entry["accuracy"], "schedule", "t", "conditioned")

    def files(self, wildcards: Wildcards) -> list[str]:
        """Errors of the estimators on each law."""
        return self.experiment(wildcards).law_files

    def ambient(self, wildcards: Wildcards) -> dict[str, int]:
        """Number of values of a point, by law."""
        laws = self.experiment(wildcards).entry["accuracy"]["laws"]
        return {name: options["ambient"] for name, options in laws.items()}


class Landscape(Inputs):
    """What stands under ``figures: score_identities`` and ``figures: toy_landscape``."""

    def images(self, wildcards: Wildcards) -> list[str]:
        """Files of the items at which identities are measured."""
        experiment = self.experiment(wildcards)
        return experiment.image_files(_of(experiment, "score_identities")["items"])

    def captions(self, wildcards: Wildcards) -> str | list[str]:
        """Captions of these items; nothing where they have none."""
        experiment = self.experiment(wildcards)
        items = _of(experiment, "score_identities")["items"]
        captioned = items in experiment.captioned_sets
        return f"{experiment.folder}/image_sets/{items}.parquet" if captioned else []

    def identities(self, wildcards: Wildcards) -> dict[str, Any]:
        """How identities are measured."""
        return _of(self.experiment(wildcards), "score_identities")

    def plane(self, wildcards: Wildcards) -> dict[str, Any]:
        """What of the plane is looked at."""
        return _of(self.experiment(wildcards), "toy_landscape")

    def loading(self, wildcards: Wildcards) -> dict[str, Any]:
        """How a text-to-image model is loaded; nothing for other models."""
        found: dict[str, Any] = self.experiment(wildcards).loading.get("load", {})
        return found


def _of(experiment: Experiment, figure: str) -> dict[str, Any]:
    """A figure's options, defaults filled in."""
    written = experiment.entry["figures"][figure]
    options: dict[str, Any] = FIGURES[figure].Options.model_validate(written).model_dump(mode="json")
    return options
