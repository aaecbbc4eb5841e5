"""Examples of each label above their matches, with LID_θ (paper Fig. 5a)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.figures.base import About, Figure, Files, group_files
from mmh.io.spans import SELECTED
from mmh.options import base as options
from mmh.options.base import EstimatorName, Field

if TYPE_CHECKING:
    from pathlib import Path

    from mmh.plan.experiment import Experiment


class Examples(Figure):
    """Examples of each label above their matches, with LID_θ (paper Fig. 5a)."""

    name = "examples"
    paper = "Fig. 5a"
    shows = "samples of each label over their matches"
    caption = (
        "Fig. 5a. Generated images over their closest training images: copies spread over the range of "
        "their LID_θ, and the samples of lowest LID_θ that are not memorized. While nobody has labelled "
        "the candidates, groups are their ranks, and the figure says so."
    )
    needs = ("retrieval", "labels", "estimators")
    cost = (10, 300, 2.2, 0.5)

    class Options(options.Options):
        """Options of the figure."""

        estimator: EstimatorName
        """name of an estimator"""
        columns: int = Field(ge=1)
        """images per class"""

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        folder = experiment.folder
        estimator = experiment.entry["figures"][cls.name]["estimator"]
        scored = experiment.estimators.get(estimator, {}).get("items", [])
        return {
            "scores": f"{folder}/scores.parquet",
            **group_files(experiment),
            "samples": experiment.image_files(SELECTED if SELECTED in scored else "samples"),
            "train": f"{folder}/data/train.npz",
        }

    @staticmethod
    def draw(  # type: ignore[override]
        *,
        scores: Path,
        labels: Path,
        matches: Path,
        candidates: Path | list[Path],
        samples: list[Path],
        train: Path,
        pdf: Path,
        png: Path,
        csv: Path,
        options: Examples.Options,
        about: About,
    ) -> None:
        """Draw the figure: exact | reconstructive | not memorized with the lowest LID_θ."""
        from mmh.evaluation import selection
        from mmh.plotting import choice, groups, pairs, style, tables

        name = options.estimator
        compared = groups.read_groups(labels, matches, candidates, lists=True)
        frame = selection.grouped_samples(scores, compared.rows, [name], calibration=about.calibration)
        chosen = choice.choose_examples(frame, options.columns, compared.looks)
        fig = pairs.examples_figure(
            chosen,
            frame["label"].value_counts(),
            *choice.images_of(chosen["item"], chosen["train"], samples, train),
            compared.looks,
            columns=options.columns,
            title=style.heading(
                "5a",
                rf"samples above their match; below, $\widehat{{\mathrm{{LID}}}}_\theta$ by "
                f"{tables.panel_names(frame, [name], about.names)[name]}",
                about.experiment,
            ),
            warning=compared.note,
        )
        style.save(fig, pdf, png)
        style.write_numbers(compared.numbers(chosen), csv)
