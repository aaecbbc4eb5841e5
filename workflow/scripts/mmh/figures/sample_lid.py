"""What figures of the LID_θ of samples by label have in common: one panel per estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from mmh.figures.base import About, Figure, Files, clustered_files
from mmh.options import base as options
from mmh.options.base import EstimatorName, Field, Unique
from mmh.options.computed import not_on_samples

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mmh.options.entries import Entry
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
        By which it is multiplied; scores with an axis of their own are not.
    unit : str
        Unit of the scores that it is about; others get an axis of their own. Empty: any.
    """

    papers: ClassVar[tuple[str, str]]
    quantity: ClassVar[str]
    axis: ClassVar[str]
    factor: ClassVar[float] = 1.0
    unit: ClassVar[str] = ""
    needs = ("retrieval", "labels", "estimators")

    class Options(options.Options):
        """Options of the figure."""

        estimators: Annotated[list[EstimatorName], Field(min_length=1), Unique()]
        """names of estimators"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """All of it is of samples."""
        yield from not_on_samples(experiment, options.estimators, f"{where}.estimators")

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        return {"scores": f"{experiment.folder}/scores.parquet", **clustered_files(experiment)}

    @classmethod
    def paper_of(cls, experiment: Experiment) -> str:
        """The paper has one for diffusion models and one for the GAN."""
        return cls.papers[experiment.has_generator]

    @classmethod
    def reads(cls, experiment: Experiment) -> dict[str, Any]:
        """The number in the title, and the axes of scores in other units."""
        asked = experiment.entry["figures"][cls.name]["estimators"]
        known = [name for name in asked if name in experiment.estimators] if cls.unit else []
        others = [name for name in known if experiment.score(name).unit != cls.unit]
        return {
            "number": cls.paper_of(experiment).removeprefix("Fig. "),
            "axes": {name: experiment.axis(name) for name in others},
        }

    @classmethod
    def draw(  # type: ignore[override]
        cls,
        *,
        scores: Path,
        labels: Path,
        matches: Path,
        candidates: Path | list[Path],
        train: Path,
        pdf: Path,
        png: Path,
        csv: Path,
        options: SampleLid.Options,
        about: About,
    ) -> None:
        """Draw the densities, one panel per estimator."""
        import numpy as np

        from mmh.evaluation import selection
        from mmh.plotting import groups, panels, style, tables

        compared = groups.read_groups(labels, matches, candidates)
        names = options.estimators
        frame = selection.grouped_samples(scores, compared.rows, names, calibration=about.calibration)
        frame = groups.clustered(frame, train)
        axes = about.more["axes"]
        mixed = bool(cls.unit and axes)  # not all of it is what the paper's figure shows
        frame["value"] *= np.where(frame["estimator"].isin(axes), 1.0, cls.factor)
        fig = panels.density_figure(
            frame,
            selection.medians(frame, ["estimator", "label"], clusters=groups.CLUSTER),
            tables.panel_names(frame, names, about.names),
            compared.looks,
            xlabel=cls.axis,
            xlabels=axes,
            counted="samples",
            title=style.heading(
                None if mixed else about.more["number"],
                f"{'scores' if mixed else cls.quantity} by {compared.by}",
                about.experiment,
            ),
            note=panels.NOTE,
            warning=compared.note,
        )
        style.save(fig, pdf, png)
        style.write_numbers(compared.numbers(frame), csv)
