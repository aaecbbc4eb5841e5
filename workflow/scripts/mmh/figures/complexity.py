"""Density of the PNG size of the decoded images, by image set (paper Fig. 8c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from mmh.detection.options import not_computed
from mmh.figures.base import About, Figure, Files, set_files
from mmh.options import base as options
from mmh.options.base import EstimatorName, Field, ImageSetName, Unique

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mmh.options.entries import Entry
    from mmh.plan.experiment import Experiment


class Complexity(Figure):
    """Density of the PNG size of the decoded images, by image set (paper Fig. 8c)."""

    name = "complexity"
    paper = "Fig. 8c"
    shows = "PNG size by image set"
    caption = (
        "Fig. 8c. Density of the PNG size of the decoded images by image set: how simple the images of "
        "each set are, and how well that alone would tell the memorized ones."
    )
    needs = ("detection", "estimators")

    class Options(options.Options):
        """Options of the figure."""

        sets: Annotated[list[ImageSetName], Field(min_length=2), Unique()]
        """image sets, the memorized one first"""
        estimator: EstimatorName
        """PNG size on the sets"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Scores that are not computed on its sets."""
        yield from not_computed(experiment, [options.estimator], options.sets, where)

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        return set_files(experiment)

    @staticmethod
    def draw(  # type: ignore[override]
        *,
        scores: Path,
        image_sets: list[Path],
        evaluation: Path,
        counts: list[Path],
        pdf: Path,
        png: Path,
        csv: Path,
        options: Complexity.Options,
        about: About,
    ) -> None:
        """Draw the figure: one row per image set. Values in the CSV are bits, whatever the figure's unit."""
        from mmh.plotting import set_panels, set_scores, style

        files, name = (scores, image_sets, evaluation, counts), options.estimator
        drawn = set_scores.read_scores(*files, sets=options.sets, estimators=[name])
        factor, unit = set_panels.scaled_bits(drawn.frame["value"])
        fig = drawn.figure(
            {name: ("", set_panels.axis_label(f"PNG size of the decoded image ({unit})", large=False))},
            title=style.heading("8c", "PNG size by image set", about.experiment),
            factor=factor,
        )
        style.save(fig, pdf, png)
        style.write_numbers(drawn.numbers(), csv)
