"""Fetched files, and the descriptors that are read from them."""

from types import SimpleNamespace

from mmh.plan.experiment import DOWNLOADS, Experiment
from mmh.plan.inputs.base import Inputs, Wildcards


class Sources(Inputs):
    """What stands under ``sources``, and who needs it."""

    @property
    def users(self) -> dict[str, list[str]]:
        """Experiments that need each fetched file, by the names under ``sources``, in their order."""
        users: dict[str, list[str]] = {name: [] for name in self.config.get("sources", {})}
        descriptors = self.config.get("descriptors", {})
        for experiment, entry in self.config["experiments"].items():
            parts = [entry.get(section, {}).get("source") for section in ("data", "model")]
            named = [entry.get(section, {}).get("descriptor") for section in ("retrieval", "prompts")]
            parts += [descriptors.get(name, {}).get("file") for name in named]
            for name in dict.fromkeys([*parts, *Experiment(self.config, experiment).listed_sources]):
                if name in users:
                    users[name].append(experiment)
        return users

    def row(self, wildcards: Wildcards) -> SimpleNamespace:
        """A row of the table of sources, as an object: Snakemake compares plain values only."""
        row = {**self.config["sources"][wildcards.source], "needed_by": self.users[wildcards.source]}
        return SimpleNamespace(row=row, offline=self.offline)

    @property
    def offline(self) -> bool:
        """Whether nothing may be fetched."""
        return bool(self.config["offline"])

    def descriptor(self, wildcards: Wildcards) -> str:
        """The descriptor that samples are compared by."""
        return self._descriptor(wildcards, "retrieval")

    def prompt_descriptor(self, wildcards: Wildcards) -> str:
        """The descriptor that generations are compared by."""
        return self._descriptor(wildcards, "prompts")

    def _descriptor(self, wildcards: Wildcards, section: str) -> str:
        name = self.experiment(wildcards).entry[section]["descriptor"]
        options = self.config["descriptors"][name]
        downloaded = options["source"] == "download"
        return f"{DOWNLOADS}/{options['file']}" if downloaded else f"results/descriptors/{name}.pt"
