"""How often training sets hold a duplicate, of a law with an atom and without (Proposition 3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.figures.base import About, Figure, Files
from mmh.options import base as options

if TYPE_CHECKING:
    from pathlib import Path

    from mmh.plan.experiment import Experiment


class DuplicatesBySize(Figure):
    """How often a training set holds a duplicate, for a law with an atom and without."""

    name = "duplicates_by_size"
    paper = "Proposition 3.1"
    shows = "how often a training set holds a duplicate, for a law with a point of dimension 0 and without"
    caption = (
        "Proposition 3.1. Share of training sets that hold a point twice, by the number of their points: "
        "drawn from the law, whose centre has LID_* = 0, and from the same law without its centre. Lines: "
        "the exact probability; marks: sets drawn anew, with exact 95 % intervals."
    )
    needs = ("copies",)

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        return {"duplicates": f"{experiment.folder}/duplicates.csv"}

    @staticmethod
    def draw(  # type: ignore[override]
        *, duplicates: Path, pdf: Path, png: Path, csv: Path, options: options.Options, about: About
    ) -> None:
        """Draw the figure; its CSV holds counts, shares and exact probabilities."""
        import pandas as pd

        from mmh.copying.duplicates import shares
        from mmh.plotting import style
        from mmh.plotting.copying import balls as panels

        table = shares(pd.read_csv(duplicates))
        sets = int(table["sets"].iloc[0])
        title = style.heading(None, f"training sets with a duplicate, {sets} of each size", about.experiment)
        style.save(panels.duplicates_figure(table, title), pdf, png)
        style.write_numbers(table, csv)
