"""Prompts: their lists, how they are sampled, and the training images that generations are compared with."""

from pathlib import Path
from typing import Any

from mmh.digest.reach import Root
from mmh.metrics.base import METRICS, asked_metrics
from mmh.plan.experiment import DOWNLOADS, Config
from mmh.plan.inputs.base import Inputs, Wildcards, chosen
from mmh.rows import root_of


class Prompts(Inputs):
    """What stands under ``prompt_lists`` and ``prompts``."""

    def audited(self, wildcards: Wildcards) -> Config:
        """Lists to audit; an embedded world has a table of prompts instead."""
        lists: Config = self.experiment(wildcards).entry.get("prompt_lists", {})
        return lists

    def audited_table(self, wildcards: Wildcards) -> str | list[str]:
        """The table of prompts to audit, where there are no lists."""
        return [] if self.audited(wildcards) else f"{self.experiment(wildcards).folder}/prompts.parquet"

    def lists(self, wildcards: Wildcards) -> list[str]:
        """Lists of prompts: a dropped file goes before a fetched one."""
        names = [options["file"] for options in self.audited(wildcards).values()]
        dropped = [Path("resources", "prompts", name) for name in names]
        return [
            str(file) if file.is_file() else f"{DOWNLOADS}/{name}"
            for name, file in zip(names, dropped, strict=True)
        ]

    def columns(self, wildcards: Wildcards) -> dict[str, str]:
        """Column of each list that holds the prompts."""
        lists = self.audited(wildcards)
        return {name: options["column"] for name, options in lists.items()}

    def counts(self, wildcards: Wildcards) -> dict[str, int]:
        """How many prompts each set has."""
        counts: dict[str, int] = self.experiment(wildcards).entry.get("prompts", {}).get("sets", {})
        return counts

    def families(self, wildcards: Wildcards) -> Config:
        """How families of prompts are told."""
        families: Config = self.experiment(wildcards).entry.get("prompt_audit", {}).get("families", {})
        return families

    def options(self, wildcards: Wildcards) -> dict[str, Any]:
        """How a prompt is sampled and measured."""
        experiment = self.experiment(wildcards)
        section, decoded = experiment.entry["prompts"], experiment.entry["latents"]["batch_size"]
        own = chosen(section, "generations", "steps", "guidance", "noise", "batch_size")
        metrics = {name: taken.model_dump(mode="json") for name, taken in asked_metrics(section).items()}
        return {**own, "metrics": metrics, "decode_batch_size": decoded, **experiment.loading}

    def measured_by(self, wildcards: Wildcards) -> list[Root]:
        """Code of the metrics that are taken on the way; of none where no prompts are sampled."""
        section = self.experiment(wildcards).entry.get("prompts")
        return [root_of(METRICS[name]) for name in asked_metrics(section)] if section else []

    def generations(self, wildcards: Wildcards) -> list[str]:
        """Generations of all prompt sets."""
        return self.experiment(wildcards).generation_files

    def scores(self, wildcards: Wildcards) -> list[str]:
        """Metrics of all prompt sets."""
        return self.experiment(wildcards).prompt_score_files

    def images(self, wildcards: Wildcards) -> str:
        """Where the training images of prompts are."""
        return self.experiment(wildcards).prompt_images

    def image_captions(self, wildcards: Wildcards) -> str | list[str]:
        """Captions of those images, where they are an image set."""
        experiment = self.experiment(wildcards)
        where = experiment.entry["prompts"]["images"]
        return [] if where == "train" else f"{experiment.folder}/image_sets/{where}.parquet"

    def matching(self, wildcards: Wildcards) -> dict[str, Any]:
        """How generations and training images are embedded."""
        return chosen(self.experiment(wildcards).entry["prompts"], "preprocess", "batch_size")
