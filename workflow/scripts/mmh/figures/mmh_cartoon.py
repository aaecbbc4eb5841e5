"""The six situations of the manifold memorization hypothesis with measured LID (paper Fig. 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.figures.base import About, Figure, Files
from mmh.options import base as options

if TYPE_CHECKING:
    from pathlib import Path

    from mmh.plan.experiment import Experiment


class MmhCartoon(Figure):
    """The six situations of the manifold memorization hypothesis with measured LID (paper Fig. 1)."""

    name = "mmh_cartoon"
    paper = "Fig. 1"
    shows = "overfitting- and data-driven memorization, six laws with measured LID"
    caption = (
        "Fig. 1. Six laws in closed form: ground truth (light blue), training samples (crosses), model "
        "(red). The dimensions written in the panels are measured by exact FLIPD."
    )
    needs = ()

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        return {"cartoon": f"{experiment.folder}/cartoon.parquet"}

    @staticmethod
    def draw(  # type: ignore[override]
        *,
        cartoon: Path,
        pdf: Path,
        png: Path,
        csv: Path,
        options: options.Options,
        about: About,
    ) -> None:
        """Draw the figure from the table of `compute_cartoon`."""
        from mmh.io.table_files import read_table
        from mmh.oracles.cartoon import CARTOON
        from mmh.plotting import style
        from mmh.plotting.laws import sketch

        table = read_table(cartoon, CARTOON)
        sigma = table["sigma"].dropna().iloc[0]
        n = int(((table["panel"] == "a") & (table["kind"] == "train")).sum())
        title = style.heading(
            "1",
            f"closed-form laws in the plane, $n$ = {n} training points each; "
            rf"LID (dimensions) by exact FLIPD at $\sigma$ = {sigma:.3g}",
        )
        fig = sketch.sketch_figure(table, title)
        style.save(fig, pdf, png)
        style.write_numbers(table, csv)
