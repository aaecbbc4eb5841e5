"""Answers: whether a model memorizes someone's images, or prompts."""

from typing import Any

from mmh.audit.options import ImageAnswer, PromptAnswer
from mmh.io.spans import spans
from mmh.plan.inputs.base import Inputs, Wildcards


class Answers(Inputs):
    """What stands under ``image_answer`` and ``prompt_answer``."""

    def image_options(self, wildcards: Wildcards) -> dict[str, Any]:
        """How images are tested, defaults filled in."""
        section = self.experiment(wildcards).entry["image_answer"]
        return ImageAnswer.model_validate(section).model_dump(mode="json")

    def prompt_options(self, wildcards: Wildcards) -> dict[str, Any]:
        """How prompts are tested, defaults filled in."""
        section = self.experiment(wildcards).entry["prompt_answer"]
        return PromptAnswer.model_validate(section).model_dump(mode="json")

    def holdout(self, wildcards: Wildcards) -> list[str]:
        """Files of the hold-out images; none where there are none."""
        experiment = self.experiment(wildcards)
        items = experiment.entry["image_answer"].get("holdout")
        return experiment.image_files(items) if items else []

    def embeddings(self, wildcards: Wildcards) -> dict[str, list[str]]:
        """Embeddings of images, samples and hold-out images, if a copy descriptor is asked for."""
        experiment = self.experiment(wildcards)
        size = experiment.entry.get("retrieval", {}).get("shard_size")
        holdout = experiment.entry["image_answer"].get("holdout")
        sets = ["train", "samples", *([holdout] if holdout else [])] if size else []
        return {
            f"{key}_embeddings": [
                f"{experiment.folder}/embeddings/{name}/{span}.npz"
                for span in spans(experiment.n_items(name), int(size))
            ]
            for key, name in zip(("train", "samples", "holdout"), sets, strict=False)
        }

    def scores(self, wildcards: Wildcards) -> str | list[str]:
        """The table of all scores, if LID is asked for."""
        experiment = self.experiment(wildcards)
        asked = experiment.entry["image_answer"].get("model_estimator")
        return f"{experiment.folder}/scores.parquet" if asked else []

    def folder(self, wildcards: Wildcards) -> str | None:
        """The person's own folder of images, whose files the table names."""
        path = self.experiment(wildcards).entry["data"].get("path")
        return None if path is None else str(path)

    def prompt_scores(self, wildcards: Wildcards) -> list[str]:
        """Metrics of the prompts that are asked about, and of the control prompts."""
        section = self.experiment(wildcards).entry["prompt_answer"]
        names = [section[key] for key in ("asked", "control") if section.get(key)]
        return [
            file for name in names for file in self._prompt_files(wildcards, "prompt_scores", name, "parquet")
        ]

    def generations(self, wildcards: Wildcards) -> list[str]:
        """Generations of the prompts that are asked about."""
        asked = self.experiment(wildcards).entry["prompt_answer"]["asked"]
        return self._prompt_files(wildcards, "generations", asked, "npz")

    def _prompt_files(self, wildcards: Wildcards, folder: str, name: str, suffix: str) -> list[str]:
        experiment = self.experiment(wildcards)
        section = experiment.entry["prompts"]
        return [
            f"{experiment.folder}/{folder}/{name}/{span}.{suffix}"
            for span in spans(int(section["sets"][name]), int(section["shard_size"]))
        ]
