"""Density of the PNG size of the decoded images, by image set (paper Fig. 8c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from mmh.detection.options import not_computed
from mmh.figures.base import About, Figure, Files
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
        folder = experiment.folder
        return {
            "scores": f"{folder}/scores.parquet",
            "image_sets": experiment.caption_tables,
            "evaluation": f"{folder}/evaluation.csv",
            "counts": experiment.attrition_files,
        }

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
        from mmh.evaluation import image_sets as sets
        from mmh.evaluation import selection
        from mmh.io.table_files import read_table
        from mmh.io.tables import ALL_SCORES
        from mmh.plotting import set_panels, style

        names, estimator = options.sets, options.estimator
        looks, table = set_panels.set_looks(names), sets.read_sets(image_sets)
        rows = read_table(scores, ALL_SCORES)
        frame = sets.long_form(sets.side_by_side(rows, table, names, [estimator]), [estimator])
        summary = selection.medians(frame, ["estimator", "label"], clusters="family")
        areas = set_panels.read_areas(evaluation, names)
        factor, unit = set_panels.scaled_bits(frame["value"])
        ends = ["median", "low", "high", "lower_quartile", "upper_quartile"]
        fig = set_panels.sets_figure(
            frame.assign(value=factor * frame["value"]),
            summary.assign(**{name: factor * summary[name] for name in ends}),
            areas,
            {estimator: ("", set_panels.axis_label(f"PNG size of the decoded image ({unit})", large=False))},
            looks,
            held=table["items"].value_counts().to_dict() | set_panels.read_counts(counts),
            title=style.heading("8c", "PNG size by image set", about.experiment),
        )
        style.save(fig, pdf, png)
        style.write_numbers(set_panels.numbers(frame, summary, areas), csv)
