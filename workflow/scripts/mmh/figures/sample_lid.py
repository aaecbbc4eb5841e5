"""What figures of the LID_θ of samples by label have in common: one panel per estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from mmh.figures.base import About, Figure, Files, group_files
from mmh.options import base as options
from mmh.options.base import EstimatorName, Field, Unique

if TYPE_CHECKING:
    from pathlib import Path

    from mmh.plan.experiment import Experiment


class SampleLid(Figure):
    """Densities of LID_θ, or of what follows from it, by label.

    Attributes
    ----------
    papers : (str, str)
        Where it stands in the paper for a diffusion model, and for a GAN.
    quantity : str
        What is drawn, in the title.
    axis : str
        Label of its axis.
    factor : float
        By which it is multiplied.
    """

    papers: ClassVar[tuple[str, str]]
    quantity: ClassVar[str]
    axis: ClassVar[str]
    factor: ClassVar[float] = 1.0
    needs = ("retrieval", "labels", "estimators")

    class Options(options.Options):
        """Options of the figure."""

        estimators: Annotated[list[EstimatorName], Field(min_length=1), Unique()]
        """names of estimators"""

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        return {"scores": f"{experiment.folder}/scores.parquet", **group_files(experiment)}

    @classmethod
    def paper_of(cls, experiment: Experiment) -> str:
        """The paper has one for diffusion models and one for the GAN."""
        return cls.papers[experiment.has_generator]

    @classmethod
    def reads(cls, experiment: Experiment) -> dict[str, Any]:
        """The number in the title."""
        return {"number": cls.paper_of(experiment).removeprefix("Fig. ")}

    @classmethod
    def draw(  # type: ignore[override]
        cls,
        *,
        scores: Path,
        labels: Path,
        matches: Path,
        candidates: Path | list[Path],
        pdf: Path,
        png: Path,
        csv: Path,
        options: SampleLid.Options,
        about: About,
    ) -> None:
        """Draw the densities, one panel per estimator."""
        from mmh.evaluation import selection
        from mmh.plotting import groups, panels, style, tables

        compared = groups.read_groups(labels, matches, candidates)
        names = options.estimators
        frame = selection.grouped_samples(scores, compared.rows, names, calibration=about.calibration)
        frame["value"] *= cls.factor
        fig = panels.density_figure(
            frame,
            selection.medians(frame, ["estimator", "label"], clusters="train"),
            tables.panel_names(frame, names, about.names),
            compared.looks,
            xlabel=cls.axis,
            counted="samples",
            title=style.heading(about.more["number"], f"{cls.quantity} by {compared.by}", about.experiment),
            note=panels.NOTE,
            warning=compared.note,
        )
        style.save(fig, pdf, png)
        style.write_numbers(compared.numbers(frame), csv)
