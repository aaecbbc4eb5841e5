"""What the rule of figures is told of each of them."""

from types import SimpleNamespace
from typing import Any

from mmh.digest.reach import Root
from mmh.figures.base import FIGURES, Figure, Files
from mmh.plan.inputs.base import Inputs, Wildcards
from mmh.rows import root_of
from mmh.scores.base import printed_names


class Figures(Inputs):
    """What stands under ``figures``."""

    def inputs(self, wildcards: Wildcards) -> Files:
        """The files that a figure is drawn from."""
        return self._row(wildcards).inputs(self.experiment(wildcards))

    def options(self, wildcards: Wildcards) -> dict[str, Any]:
        """A figure's options, defaults filled in."""
        row, entry = self._row(wildcards), self.experiment(wildcards).entry
        options: dict[str, Any] = row.Options.model_validate(entry["figures"][row.name]).model_dump(
            mode="json"
        )
        return options

    def about(self, wildcards: Wildcards) -> dict[str, Any]:
        """What a figure is told of its experiment: `mmh.figures.base.About`."""
        experiment = self.experiment(wildcards)
        return {
            "experiment": experiment.name,
            "calibration": experiment.entry.get("sampling", {}).get("calibration", 0),
            "names": printed_names(experiment.estimators),
            "more": self._row(wildcards).reads(experiment),
        }

    def untracked(self, wildcards: Wildcards) -> SimpleNamespace:
        """The caption, and where plug-ins lie: no change of these draws a figure again."""
        caption = self._row(wildcards).caption
        return SimpleNamespace(caption=caption, plugins=self.config.get("plugins", []))

    def labels(self, wildcards: Wildcards) -> dict[str, str]:
        """Its label in the report: one, as of a second one with two values Snakemake makes a switch."""
        row = self._row(wildcards)
        paper = row.paper_of(self.experiment(wildcards))
        return {"figure": f"{row.name}{f' ({paper})' if paper else ''}, {wildcards.experiment}"}

    def drawn_by(self, wildcards: Wildcards) -> list[Root]:
        """Code of a figure, and of the rows that it asks for."""
        row = self._row(wildcards)
        return [root_of(one) for one in (row, *row.asks(self.experiment(wildcards)))]

    def _row(self, wildcards: Wildcards) -> type[Figure]:
        return FIGURES[wildcards.figure]
