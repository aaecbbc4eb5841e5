"""Attribution of memorization to the words of prompts: what is computed, how, and from which files."""

from typing import Any

from mmh.attributions.base import ATTRIBUTIONS
from mmh.digest.reach import Root
from mmh.plan.inputs.base import Inputs, Wildcards, chosen
from mmh.rows import root_of


class Attribution(Inputs):
    """What stands under ``attribution``."""

    def captions(self, wildcards: Wildcards) -> str | list[str]:
        """Captions of the training set, if it has any; the prompts say how often words occur otherwise."""
        experiment = self.experiment(wildcards)
        captioned = experiment.world.made == "captioned"
        return f"{experiment.folder}/data/captions.parquet" if captioned else []

    def options(self, wildcards: Wildcards) -> dict[str, Any]:
        """How prompts are attributed: sampled as by `prompts` but for the section's own keys."""
        own = chosen(self._section(wildcards), "generations", "batch_size", "levels")
        rows = {}
        for name, block in self._section(wildcards)["attributions"].items():
            given = {key: value for key, value in block.items() if key != "method"}
            row = ATTRIBUTIONS[block["method"]]
            rows[name] = {"method": row.name, **row.Options.model_validate(given).model_dump(mode="json")}
        return {**own, **self._sampling(wildcards), "attributions": rows}

    def computed_by(self, wildcards: Wildcards) -> list[Root]:
        """Code of the attributions."""
        methods = {block["method"] for block in self._section(wildcards)["attributions"].values()}
        return [root_of(ATTRIBUTIONS[name]) for name in sorted(methods)]

    def occluding(self, wildcards: Wildcards) -> dict[str, Any]:
        """How words are replaced, sampled and compared."""
        experiment, section = self.experiment(wildcards), self._section(wildcards)
        compared = chosen(experiment.entry["prompts"], "preprocess", "batch_size")
        decoded = {"decode_batch_size": experiment.entry["latents"]["batch_size"], "embedding": compared}
        own = chosen(section, "batch_size") | chosen(section["occlusion"], "by", "generations")
        return {**own, **self._sampling(wildcards), **decoded}

    def attributions(self, wildcards: Wildcards) -> list[str]:
        """Attributions of all spans."""
        return self.experiment(wildcards).attribution_files

    def occlusion(self, wildcards: Wildcards) -> list[str]:
        """What replaced words cost, if that is measured."""
        if "occlusion" not in self._section(wildcards):
            return []
        return [file.replace("/attributions/", "/occlusion/") for file in self.attributions(wildcards)]

    def tune(self, wildcards: Wildcards) -> int:
        """First prompts of each set that options were chosen on."""
        return int(self._section(wildcards).get("tune", 0))

    def known(self, wildcards: Wildcards) -> bool:
        """Whether the world says which part a word plays."""
        return bool(self.experiment(wildcards).world.grammar)

    def held_out(self, wildcards: Wildcards) -> int:
        """Images that the CLIP model was not trained on."""
        return int(self.experiment(wildcards).entry["clip"].get("held_out", 0))

    def _sampling(self, wildcards: Wildcards) -> dict[str, Any]:
        experiment = self.experiment(wildcards)
        return {**chosen(experiment.entry["prompts"], "steps", "guidance"), **experiment.loading}

    def _section(self, wildcards: Wildcards) -> dict[str, Any]:
        section: dict[str, Any] = self.experiment(wildcards).entry["attribution"]
        return section
