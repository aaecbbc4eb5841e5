"""Estimates of LID against the truth, and their mean absolute error, over the noise level."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from mmh.figures.base import About, Figure, Files
from mmh.options import base as options
from mmh.options.base import EstimatorName, Field, Unique

if TYPE_CHECKING:
    from pathlib import Path

    from mmh.plan.experiment import Experiment


class EstimatorAccuracy(Figure):
    """Estimates of LID against the truth, and their mean absolute error, over the noise level."""

    name = "estimator_accuracy"
    paper = ""
    shows = "every estimator against laws of known LID, over t0; errors of exact and learned scores"
    caption = (
        "Estimates against the truth on laws whose score is known exactly, so that no network is in the "
        "way: left, the mean estimate for each true dimension (light blue); right, mean absolute errors, "
        "of FLIPD by its probes and of the normal bundle by its threshold, with local PCA, which sees "
        "samples only. A colour is a method, a marker a variant of it; dotted with filled markers, the same "
        "estimators on a score learned from samples of the law. "
        "Intervals: 95 %, bootstrap over the points. The error axis is linear below 0.1."
    )
    needs = ("accuracy",)

    class Options(options.Options):
        """Options of the figure."""

        estimates: Annotated[list[EstimatorName], Field(min_length=1), Unique()]
        """estimators drawn against the truth"""
        errors: Annotated[
            list[Annotated[list[EstimatorName], Field(min_length=1), Unique()]],
            Field(min_length=1, max_length=2),
        ]
        """estimators whose errors are compared, one list per column"""

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        return {"accuracy": f"{experiment.folder}/accuracy.csv"}

    @staticmethod
    def draw(  # type: ignore[override]
        *,
        accuracy: Path,
        pdf: Path,
        png: Path,
        csv: Path,
        options: EstimatorAccuracy.Options,
        about: About,
    ) -> None:
        """Draw the figure: means against the truth, and errors in one column per list."""
        import pandas as pd

        from mmh.plotting import style
        from mmh.plotting.laws import accuracy as panels

        numbers = panels.accuracy_numbers(pd.read_csv(accuracy), options.estimates, options.errors)
        title = style.heading(
            None, "estimate against truth, from exact scores unless learned", about.experiment
        )
        fig = panels.accuracy_figure(numbers, options.errors, title=title)
        style.save(fig, pdf, png)
        style.write_numbers(numbers, csv)
