"""What earlier definitions of copying find among the samples, beside LID (the paper's Appendix A)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.figures.base import About, Figure, Files
from mmh.options import base as options

if TYPE_CHECKING:
    from pathlib import Path

    from mmh.plan.experiment import Experiment


class DefinitionsFigure(Figure):
    """What earlier definitions of copying find among the samples, beside LID."""

    name = "definitions"
    paper = "Appendix A"
    shows = "which samples LID finds, and which earlier definitions of copying find"
    caption = (
        "Appendix A. Share of the samples of each group that a definition of copying finds at its own limit, "
        "with exact 95 % intervals, given this one model. Right: Meehan et al.'s C_T of the whole model; its "
        "bar is as wide as chance. Copies of repeated images are no copies by mass if the law holds "
        "them, too; rules that compare two neighbours find none where repeated images count as two."
    )
    needs = ("definitions",)

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        return {"definitions": f"{experiment.folder}/definitions.csv"}

    @staticmethod
    def draw(  # type: ignore[override]
        *, definitions: Path, pdf: Path, png: Path, csv: Path, options: options.Options, about: About
    ) -> None:
        """Draw the figure; its CSV is the drawn part of the table."""
        import pandas as pd

        from mmh.plotting import style
        from mmh.plotting.copying.found import found_figure, shown

        table = shown(pd.read_csv(definitions))
        title = style.heading(None, "what definitions of copying find", about.experiment)
        style.save(found_figure(table, title), pdf, png)
        style.write_numbers(table, csv)
