"""Laws of known dimension, on which estimators are measured."""

from typing import Any

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
