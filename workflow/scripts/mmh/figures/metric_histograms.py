"""Densities of FLIPD, with and without caption, and of the CFG-vector norm by set (paper Fig. 6)."""

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


class MetricHistograms(Figure):
    """Densities of FLIPD, with and without caption, and of the CFG-vector norm by set (paper Fig. 6)."""

    name = "metric_histograms"
    paper = "Fig. 6"
    shows = "LID given the caption, LID without, CFG-vector norm, by image set"
    caption = (
        "Fig. 6. Density of conditional FLIPD, unconditional FLIPD and the CFG-vector norm by image set. "
        "Medians with 95 % intervals over families of images, given this one model, the number of images "
        "scored, and the AUC of the memorized images against each other set."
    )
    needs = ("detection", "estimators")

    class Options(options.Options):
        """Options of the figure."""

        sets: Annotated[list[ImageSetName], Field(min_length=2), Unique()]
        """image sets, the memorized one first"""
        estimators: Annotated[list[EstimatorName], Field(min_length=1), Unique()]
        """scores, one panel each"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Scores that are not computed on its sets."""
        yield from not_computed(experiment, options.estimators, options.sets, where)

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        return set_files(experiment)

    @classmethod
    def reads(cls, experiment: Experiment) -> dict[str, Any]:
        """What is on each panel's axis, and of which scores large values speak for memorization."""
        names = experiment.entry["figures"][cls.name]["estimators"]
        return {
            "axes": {name: experiment.axis(name) for name in names},
            "large": experiment.large(names),
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
        options: MetricHistograms.Options,
        about: About,
    ) -> None:
        """Draw the figure: one panel per score, one row per image set."""
        from mmh.plotting import set_panels, set_scores, style

        files, names = (scores, image_sets, evaluation, counts), options.estimators
        drawn = set_scores.read_scores(*files, sets=options.sets, estimators=names)
        axes, large = about.more["axes"], about.more["large"]
        panels = {
            name: (title, set_panels.axis_label(axes[name], large=name in large))
            for name, title in set_panels.score_names(drawn.rows, names, about.names).items()
        }
        title = "scores of real images with their captions, by image set"
        fig = drawn.figure(panels, title=style.heading("6", title, about.experiment))
        style.save(fig, pdf, png)
        style.write_numbers(drawn.numbers(), csv)
