"""Generations with mitigations: how each is sampled, and what all of them are compared with."""

from typing import Any

from mmh.digest.reach import Root
from mmh.mitigated.options import reference
from mmh.mitigations.base import MITIGATIONS
from mmh.plan.inputs.base import Inputs, Wildcards, chosen
from mmh.rows import root_of


class Mitigation(Inputs):
    """What stands under ``mitigation``."""

    def method(self, wildcards: Wildcards) -> str:
        """Method of a mitigation."""
        return str(self._section(wildcards)["mitigations"][wildcards.mitigation]["method"])

    def options(self, wildcards: Wildcards) -> dict[str, Any]:
        """Options of its method, defaults filled in."""
        block = dict(self._section(wildcards)["mitigations"][wildcards.mitigation])
        options = MITIGATIONS[block.pop("method")].Options.model_validate(block)
        return options.model_dump(mode="json")

    def sampling(self, wildcards: Wildcards) -> dict[str, Any]:
        """How prompts are sampled: as without mitigations, but for the section's own keys."""
        experiment = self.experiment(wildcards)
        own = chosen(self._section(wildcards), "generations", "batch_size")
        shared = chosen(experiment.entry["prompts"], "steps", "guidance")
        decoded = experiment.entry["latents"]["batch_size"]
        return {**own, **shared, "decode_batch_size": decoded, **experiment.loading}

    def changed_by(self, wildcards: Wildcards) -> list[Root]:
        """Code of a mitigation."""
        return [root_of(MITIGATIONS[self.method(wildcards)])]

    def generations(self, wildcards: Wildcards) -> list[str]:
        """Generations with all mitigations."""
        return self.experiment(wildcards).mitigated_files

    def clip(self, wildcards: Wildcards) -> str | list[str]:
        """The CLIP model that compares images and prompts, where the experiment has one."""
        experiment = self.experiment(wildcards)
        return f"{experiment.folder}/clip" if experiment.entry.get("clip") else []

    def comparing(self, wildcards: Wildcards) -> dict[str, Any]:
        """What counts as a copy, which prompts are for tuning, and what mitigations are compared with."""
        section = self._section(wildcards)
        return {
            **chosen(section, "copy_similarity", "tune"),
            **chosen(self.experiment(wildcards).entry["prompts"], "preprocess", "batch_size"),
            "reference": reference(section),
        }

    def _section(self, wildcards: Wildcards) -> dict[str, Any]:
        section: dict[str, Any] = self.experiment(wildcards).entry["mitigation"]
        return section
