"""Densities of LID_* of the matched training images by label (paper Fig. 5d)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmh.figures.base import About, Figure, Files, clustered_files
from mmh.options import base as options
from mmh.options.base import EstimatorName
from mmh.options.computed import not_on_training_images

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mmh.options.entries import Entry
    from mmh.plan.experiment import Experiment


class LidData(Figure):
    """Densities of LID_* of the matched training images by label (paper Fig. 5d)."""

    name = "lid_data"
    paper = "Fig. 5d"
    shows = "LID_* of the matched training images by label"
    caption = (
        "Fig. 5d. Density of LID_* (local PCA) of the matched training images by label. Where it is low "
        "for exact copies, their memorization is data-driven. While nobody has labelled the candidates, "
        "groups are their ranks, and the figure says so."
    )
    needs = ("retrieval", "labels", "estimators")

    class Options(options.Options):
        """Options of the figure."""

        estimator: EstimatorName
        """name of an estimator"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """It is of training images."""
        yield from not_on_training_images(experiment, [options.estimator], f"{where}.estimator")

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        return {"scores": f"{experiment.folder}/scores.parquet", **clustered_files(experiment)}

    @staticmethod
    def draw(  # type: ignore[override]
        *,
        scores: Path,
        labels: Path,
        matches: Path,
        candidates: Path | list[Path],
        train: Path,
        pdf: Path,
        png: Path,
        csv: Path,
        options: LidData.Options,
        about: About,
    ) -> None:
        """Draw the figure: each training image counts once per label, however many samples match it."""
        from mmh.evaluation import selection
        from mmh.plotting import groups, panels, style, tables

        name = options.estimator
        compared = groups.read_groups(labels, matches, candidates)
        frame = selection.matched_images(scores, compared.rows, name, calibration=about.calibration)
        frame = groups.clustered(frame, train, image="item")
        fig = panels.density_figure(
            frame,
            selection.medians(frame, ["estimator", "label"], clusters=groups.CLUSTER),
            {name: tables.printed(name, about.names)},
            compared.looks,
            xlabel=r"$\widehat{\mathrm{LID}}_*$ of the training image (dimensions)",
            counted="training images",
            title=style.heading(
                "5d",
                rf"$\widehat{{\mathrm{{LID}}}}_*$ of the match by {compared.by}",
                about.experiment,
            ),
            note="Mark and bar: median, 95 % interval over groups of equal images.\n"
            f"Tick: a training image, once per {'label' if compared.labelled else 'group'}.",
            warning=compared.note,
        )
        style.save(fig, pdf, png)
        style.write_numbers(compared.numbers(frame), csv)
