"""AUC of each score for the copies of each single image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from mmh.figures.base import About, Figure, Files
from mmh.options import base as options
from mmh.options.base import EstimatorName, Field, Unique
from mmh.options.computed import not_on_samples

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mmh.options.entries import Entry
    from mmh.plan.experiment import Experiment


class AucByImage(Figure):
    """AUC of each score for the copies of each single image, or of one template family."""

    name = "auc_by_image"
    paper = ""
    shows = "AUC of LID for the copies of each image"
    caption = (
        "AUC of each score for the samples that copy one image, or are of one family, against all that are "
        "not memorized. Intervals are given the image: its samples are the draws. Line: all copies together. "
        "Arrow: the interval begins left of it, since one sample carries nearly all errors. "
        "How far single images lie apart is what an interval over matched groups rests on."
    )
    needs = ("retrieval", "labels", "estimators")

    class Options(options.Options):
        """Options of the figure."""

        estimators: Annotated[list[EstimatorName], Field(min_length=1, max_length=4), Unique()]
        """names of estimators, a panel each; the first gives the order"""
        most: int = Field(default=40, ge=1)
        """images drawn at most, those with most samples; the CSV has all"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """All of it is of samples."""
        yield from not_on_samples(experiment, options.estimators, f"{where}.estimators")

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        tables = {name: f"{experiment.folder}/{name}.parquet" for name in ("scores", "labels", "matches")}
        return {
            **tables,
            "train": f"{experiment.folder}/data/train.parquet",
            "images": f"{experiment.folder}/data/train.npz",
        }

    @classmethod
    def reads(cls, experiment: Experiment) -> dict[str, Any]:
        """Scores whose large values speak for memorization."""
        return {"large": experiment.large(experiment.entry["figures"][cls.name]["estimators"])}

    @staticmethod
    def draw(  # type: ignore[override]
        *,
        scores: Path,
        labels: Path,
        matches: Path,
        train: Path,
        images: Path,
        pdf: Path,
        png: Path,
        csv: Path,
        options: AucByImage.Options,
        about: About,
    ) -> None:
        """Draw the figure, a row for each image."""
        from mmh.evaluation.by_image import auc_by_image
        from mmh.evaluation.samples import labelled_scores, oriented
        from mmh.io.table_files import read_table
        from mmh.io.tables import ALL_SCORES, LABELS, MATCHES, TRAIN
        from mmh.plotting import by_image, style
        from mmh.plotting.images.choice import images_of

        names = options.estimators
        table = labelled_scores(
            oriented(read_table(scores, ALL_SCORES), about.more["large"]),
            read_table(labels, LABELS),
            read_table(matches, MATCHES),
            read_table(train, TRAIN),
            estimators=names,
            exclude=range(about.calibration),
        )
        numbers = auc_by_image(table, names)
        drawn = by_image.drawn(numbers, options.most)
        pictures, _ = images_of(drawn["train"], drawn["train"], images, images)
        title = style.heading(None, "AUC for the copies of each image", about.experiment)
        fig = by_image.image_figure(numbers, drawn, pictures, names, about.names, title)
        style.save(fig, pdf, png)
        style.write_numbers(numbers, csv)
