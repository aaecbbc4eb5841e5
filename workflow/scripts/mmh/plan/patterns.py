"""Regular expressions of the wildcards, from the names in the configuration."""

import re
from collections.abc import Callable, Iterable

from mmh.io.spans import SELECTED
from mmh.models.base import KINDS
from mmh.plan.experiment import Config
from mmh.worlds.base import WORLDS


class Patterns:
    """What wildcards may stand for; a pattern of nothing matches nothing.

    Parameters
    ----------
    config : mapping
        The checked configuration.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._entries: Config = config["experiments"]

    def all(self) -> dict[str, str]:
        """Pattern of every wildcard."""
        entries = self._entries.values()
        return {
            "experiment": any_of(self._entries),
            "item_set": any_of({"samples", SELECTED, "train"} | _names(entries, "image_sets")),
            "figure": any_of(_names(entries, "figures")),
            "estimator": any_of(_names(entries, "estimators")),
            "descriptor": any_of(self.config.get("descriptors", {})),
            "law": any_of(_names(entries, "accuracy", "laws")),
            "mitigation": any_of(_names(entries, "mitigation", "mitigations")),
            "prompt_set": any_of(_names(entries, "prompts", "sets")),
            "source": any_of(self.config.get("sources", {})),
            "span": r"\d{6}-\d{6}",
        }

    def made(self, how: str) -> str:
        """Experiments whose model is trained, converted or imported."""
        return self._experiments("model", "kind", lambda name: KINDS[name].made == how)

    def world(self, how: str) -> str:
        """Experiments whose data are made, imported, or made with captions."""
        return self._experiments("data", "world", lambda name: WORLDS[name].made == how)

    def having(self, section: str) -> str:
        """Experiments that have a section."""
        return any_of(name for name, entry in self._entries.items() if entry.get(section))

    def worded(self) -> str:
        """Experiments with a CLIP model whose world knows the parts of its captions' words."""
        entries = self._entries.items()
        known = {
            name for name, entry in entries if entry.get("clip") and WORLDS[entry["data"]["world"]].grammar
        }
        return any_of(known)

    def drawing(self, figure: str) -> str:
        """Experiments that have a figure."""
        return any_of(name for name, entry in self._entries.items() if figure in entry.get("figures", {}))

    def listed_sets(self) -> str:
        """Image sets that are fetched from lists."""
        groups = [entry.get("image_sets", {}) for entry in self._entries.values()]
        return any_of({name for sets in groups for name, options in sets.items() if "files" in options})

    def trained_descriptors(self) -> str:
        """Descriptors that are trained here."""
        descriptors = self.config.get("descriptors", {})
        return any_of(name for name, options in descriptors.items() if options["source"] == "train")

    def _experiments(self, section: str, key: str, chosen: Callable[[str], bool]) -> str:
        entries = self._entries.items()
        return any_of(name for name, entry in entries if section in entry and chosen(entry[section][key]))


def any_of(names: Iterable[str]) -> str:
    """Pattern of one of these names."""
    return "|".join(re.escape(name) for name in sorted(names)) or "(?!)"


def _names(entries: Iterable[Config], *path: str) -> set[str]:
    """Names under one section of all experiments."""
    found: set[str] = set()
    for entry in entries:
        for key in path:
            entry = entry.get(key, {})
        found.update(entry)
    return found
