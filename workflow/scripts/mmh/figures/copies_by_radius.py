"""A model's mass in balls about three training points, beside the law's (Definition A.1, Theorem A.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.figures.base import About, Figure, Files
from mmh.options import base as options
from mmh.options.base import Field

if TYPE_CHECKING:
    from pathlib import Path

    from mmh.plan.experiment import Experiment


class CopiesByRadius(Figure):
    """A model's mass in balls about three training points, beside the law's."""

    name = "copies_by_radius"
    paper = "Theorem A.3"
    shows = "the model's mass beside the law's in balls about x0, the centre and the arc"
    caption = (
        "Theorem A.3. Above: probability of balls of radius r about three training points, under the law "
        "(known) and under the model (samples counted, exact 95 % intervals, given this one model). Below: "
        "their ratio. At x0 it grows as r falls, with the slope LID_θ less LID_*, 0 less 1, until the "
        "model's own width ends it: samples there are copies by Definition A.1. At the centre, where LID_θ "
        "and LID_* are 0, it stays at 1: memorized, yet no copy in that sense (Proposition A.2)."
    )
    needs = ("copies",)

    class Options(options.Options):
        """Options of the figure."""

        excess: float = Field(default=2.0, gt=1)
        """lambda of Definition A.1, drawn as a line"""

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        return {"balls": f"{experiment.folder}/balls.csv"}

    @staticmethod
    def draw(  # type: ignore[override]
        *, balls: Path, pdf: Path, png: Path, csv: Path, options: CopiesByRadius.Options, about: About
    ) -> None:
        """Draw the figure; its CSV holds counts, masses, ratios and intervals."""
        import pandas as pd

        from mmh.copying.balls import ratios
        from mmh.plotting import style
        from mmh.plotting.copying import balls as panels

        table = ratios(pd.read_csv(balls))
        samples = int(table["samples"].iloc[0])
        counted = f"{samples:,}".replace(",", "\N{THIN SPACE}")
        title = style.heading(
            None,
            f"mass of balls about three training points, {counted} samples of one model",
            about.experiment,
        )
        style.save(panels.balls_figure(table, options.excess, title), pdf, png)
        style.write_numbers(table, csv)
