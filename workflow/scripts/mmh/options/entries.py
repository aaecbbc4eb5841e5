"""An experiment as it was written, which checks of its parts look around in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Entry:
    """One entry of `experiments`, with its name and the configuration that it stands in.

    Attributes
    ----------
    config : mapping
        The whole configuration.
    name : str
    """

    config: Config
    name: str

    @property
    def entry(self) -> Config:
        """The experiment as written."""
        found: Config = self.config["experiments"][self.name]
        return found

    @property
    def where(self) -> str:
        """Its path, for messages."""
        return f"experiments.{self.name}"

    @property
    def world(self) -> str:
        """Name of its world, empty if it has no data."""
        return str(self.entry.get("data", {}).get("world", ""))

    @property
    def kind(self) -> str:
        """Kind of its model, empty if it has none."""
        return str(self.entry.get("model", {}).get("kind", ""))

    def section(self, key: str) -> Config:
        """A section as written, empty if it is not there."""
        found: Config = self.entry.get(key, {})
        return found

    def at(self, where: str) -> Any:
        """Part of the experiment under a path such as ``experiments.digits.estimators.flipd``."""
        part: Any = self.entry
        rest = where.removeprefix(self.where)
        while rest:  # a name with a dot is a mistake of its own, and others are looked for beside it
            keys = [str(key) for key in (range(len(part)) if isinstance(part, list) else part)]
            key = max((key for key in keys if f"{rest}.".startswith(f".{key}.")), key=len)
            part = part[int(key) if isinstance(part, list) else key]
            rest = rest[len(key) + 1 :]
        return part
