"""Sets of real images that are listed, fetched and imported."""

from types import SimpleNamespace
from typing import Any

from mmh.plan.experiment import DOWNLOADS, Config
from mmh.plan.inputs.base import Inputs, Wildcards, chosen


class ImageSets(Inputs):
    """What stands under ``image_sets``."""

    def lists(self, wildcards: Wildcards) -> list[str]:
        """Lists of a set's images."""
        return [f"{DOWNLOADS}/{name}" for name in self._options(wildcards).get("files", [])]

    def captions(self, wildcards: Wildcards) -> list[str]:
        """Files with captions that choose among the rows of the lists."""
        return [f"{DOWNLOADS}/{name}" for name in self._options(wildcards).get("captions", [])]

    def digests(self, wildcards: Wildcards) -> SimpleNamespace:
        """Declared digests of the lists, not compared between runs."""
        options, sources = self._options(wildcards), self.config["sources"]
        names = [*options["files"], *options.get("captions", [])]
        return SimpleNamespace(digests={name: sources[name]["sha256"] for name in names})

    def listing(self, wildcards: Wildcards) -> dict[str, Any]:
        """What decides which rows of the lists a set has."""
        return chosen(self._options(wildcards), "columns", "header", "where", "draw")

    def placeholders(self, wildcards: Wildcards) -> dict[str, Any]:
        """What decides which fetched images are placeholders of removed ones."""
        return chosen(self._options(wildcards), "columns", "placeholder_count", "placeholders")

    def importing(self, wildcards: Wildcards) -> dict[str, Any]:
        """What decides which images are taken, and how they are cut."""
        options = self._options(wildcards)
        return {key: options[key] for key in ("size", "aspect", "n")}

    def fetching(self, wildcards: Wildcards) -> SimpleNamespace:
        """How images are fetched: nothing that a finished set depends on."""
        options = self.config["fetching"]
        return SimpleNamespace(
            fetching=options, offline=self.config["offline"], max_pixels=options["max_pixels"]
        )

    def store(self, wildcards: Wildcards) -> str:
        """Folder of the fetched images."""
        return f"resources/images/{wildcards.item_set}"

    def _options(self, wildcards: Wildcards) -> Config:
        """All options of a set."""
        options: Config = self.experiment(wildcards).entry["image_sets"][wildcards.item_set]
        return options
