"""AUC of each score against the distance at which planted labels are cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from mmh.figures.base import About, Figure, Files
from mmh.options import base as options
from mmh.options.base import Field, Unique

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mmh.options.entries import Entry
    from mmh.plan.experiment import Experiment

Distance = Annotated[float, Field(gt=0)]


class AucByCut(Figure):
    """AUC of each score against the distance at which planted labels are cut."""

    name = "auc_by_cut"
    paper = ""
    shows = "AUC of each score against the distance at which planted labels are cut"
    caption = (
        "Planted labels follow from the distance to the planted image. Lines: AUC if samples nearer than a "
        "distance count as copies and all others as not memorized, with 95 % intervals over matched groups. "
        "Bars across: two cuts, with those between them in neither class; the configured ones are filled. "
        "The distance itself has an AUC of 1 at every cut. A score of the match says which image a sample "
        "matches, and nothing of the sample."
    )
    needs = ("retrieval", "labels", "estimators", "evaluation")

    class Options(options.Options):
        """Options of the figure."""

        cuts: Annotated[list[Distance], Field(min_length=2), Unique()]
        """distances, each the one cut of both classes"""
        gaps: list[Annotated[list[Distance], Field(min_length=2, max_length=2)]] = []
        """pairs of distances: nearer than the first is a copy, farther than the second is not memorized"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Labels that follow from no distance, and gaps the wrong way round."""
        if experiment.section("labels").get("source", "planted") != "planted":
            yield (
                f"{where}: labels of {experiment.where} are given by people and follow from no distance; "
                "remove the figure, or set labels.source to planted"
            )
        for low, high in options.gaps:
            if low > high:
                yield f"{where}.gaps: [{low:g}, {high:g}] must ascend"

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        return {"cuts": f"{experiment.folder}/cuts.csv"}

    @staticmethod
    def draw(  # type: ignore[override]
        *, cuts: Path, pdf: Path, png: Path, csv: Path, options: AucByCut.Options, about: About
    ) -> None:
        """Draw the figure, a panel for each score; its CSV is the table."""
        import pandas as pd

        from mmh.plotting import cuts as panels
        from mmh.plotting import style

        table = pd.read_csv(cuts)
        title = style.heading(None, "AUC against the cut of planted labels", about.experiment)
        style.save(panels.cut_figure(table, about.names, title), pdf, png)
        style.write_numbers(table, csv)
