"""LID_* and LID_θ of an overfit model and of its control on the same images, paired."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmh.figures.base import About, Figure, Files
from mmh.options import base as options
from mmh.options.base import Field
from mmh.scores.base import printed_names

if TYPE_CHECKING:
    from pathlib import Path

    from mmh.plan.experiment import Experiment


class LidPaired(Figure):
    """LID_* and LID_θ of an overfit model and of its control on the same images, paired."""

    name = "lid_paired"
    paper = ""
    shows = "one image, one LID_*, two models"
    caption = (
        "One image, one LID_*, two models: LID_θ of a model trained on few images and of its control "
        "trained on many, at the same images. Intervals are given these two models."
    )
    needs = ("paired",)

    class Options(options.Options):
        """Options of the figure."""

        margin: float = Field(default=0.0, ge=0)
        """OD-Mem: LID_theta this far below LID_*, dimensions"""

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        return {"paired": f"{experiment.folder}/paired.csv"}

    @classmethod
    def reads(cls, experiment: Experiment) -> dict[str, Any]:
        """Printed names of the two estimators; LID_* is estimated in the control's experiment."""
        paired = experiment.entry["paired"]
        control = type(experiment)(experiment.config, paired["control"])
        return {
            "estimator": printed_names(experiment.estimators)[paired["estimator"]],
            "data_estimator": printed_names(control.estimators)[paired["data_estimator"]],
        }

    @staticmethod
    def draw(  # type: ignore[override]
        *,
        paired: Path,
        pdf: Path,
        png: Path,
        csv: Path,
        options: LidPaired.Options,
        about: About,
    ) -> None:
        """Draw the figure, with the share of images that lie so far below LID_* for each model."""
        from mmh.plotting import paired as panels
        from mmh.plotting import style

        values = panels.read_values(paired)
        title = style.heading(None, "overfit model and control on the same images", about.experiment)
        fig = panels.paired_figure(values, options.margin, **about.more, title=title)
        style.save(fig, pdf, png)
        style.write_numbers(values, csv)
