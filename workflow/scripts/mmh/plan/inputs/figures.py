"""Options of the figures, and the images that some of them choose from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmh.io.spans import SELECTED
from mmh.plan.inputs.base import Inputs, Wildcards, chosen


class Figures(Inputs):
    """What stands under ``figures``."""

    def options(self, figure: str) -> Callable[[Wildcards], dict[str, Any]]:
        """Params function: a figure's options with what every figure's title and selection need."""

        def options(wildcards: Wildcards) -> dict[str, Any]:
            entry = self.experiment(wildcards).entry
            common = {"experiment": wildcards.experiment, **chosen(entry.get("sampling", {}), "calibration")}
            extra: dict[str, Any] = {}
            if figure == "lid_paired":
                paired = entry.get("paired", {})
                extra = {key: value for key, value in paired.items() if key.endswith("estimator")}
            elif figure == "lid_scatter":
                extra = chosen(entry.get("data", {}), "concentration", "centre_weight")
            elif figure == "metric_histograms":
                extra = {"large": self.experiment(wildcards).large(entry["figures"][figure]["estimators"])}
            elif figure == "prompt_detection":
                detection = entry["detection"]
                repeated = {key: detection["prompts"][key] for key in ("steps", "generations")}
                common = {**repeated, "resamples": detection["resamples"], **common}
            return {**common, **extra, **entry["figures"][figure]}

        return options

    def shown_samples(self, wildcards: Wildcards) -> list[str]:
        """Samples that `examples` chooses from: those that have its score."""
        experiment = self.experiment(wildcards)
        name = experiment.entry["figures"]["examples"]["estimator"]
        scored = experiment.estimators.get(name, {}).get("items", [])
        return experiment.image_files(SELECTED if SELECTED in scored else "samples")

    def walked_generations(self, wildcards: Wildcards) -> list[str]:
        """Generations of the prompt set that `manifold_walk` shows."""
        experiment = self.experiment(wildcards)
        name = experiment.entry["figures"]["manifold_walk"]["prompt_set"]
        return [file for file in experiment.generation_files if Path(file).parent.name == name]
