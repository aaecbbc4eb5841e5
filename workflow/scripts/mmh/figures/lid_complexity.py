"""Densities of LID_θ divided by image complexity, by label (paper Figs. 8a, 8b)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from mmh.figures.base import About, Figure, Files
from mmh.options import base as options
from mmh.options.base import EstimatorName, Field, Unique

if TYPE_CHECKING:
    from pathlib import Path

    from mmh.plan.experiment import Experiment


class LidComplexity(Figure):
    """Densities of LID_θ divided by image complexity, by label (paper Figs. 8a, 8b)."""

    name = "lid_complexity"
    paper = "Figs. 8a, 8b"
    shows = "LID_θ / PNG size by label"
    caption = (
        "Figs. 8a, 8b. LID_θ divided by PNG size, by label: image complexity taken out as a confounder. "
        "While nobody has labelled the candidates, groups are their ranks, and the figure says so."
    )
    needs = ("retrieval", "labels", "estimators")

    class Options(options.Options):
        """Options of the figure."""

        estimators: Annotated[list[EstimatorName], Field(min_length=1), Unique()]
        """names of estimators"""

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        folder = experiment.folder
        return {
            "scores": f"{folder}/scores.parquet",
            "labels": f"{folder}/labels.parquet",
            "matches": f"{folder}/matches.parquet",
            "candidates": experiment.candidate_file,
            "train": f"{folder}/data/train.parquet",
        }

    @classmethod
    def paper_of(cls, experiment: Experiment) -> str:
        """The paper has one for diffusion models and one for the GAN."""
        return "Fig. 8b" if experiment.has_generator else "Fig. 8a"

    @classmethod
    def reads(cls, experiment: Experiment) -> dict[str, Any]:
        """The number in the title."""
        return {"number": cls.paper_of(experiment).removeprefix("Fig. ")}

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
        options: LidComplexity.Options,
        about: About,
    ) -> None:
        """Draw the densities, one panel per estimator."""
        from mmh.evaluation import selection
        from mmh.plotting import groups, panels, style, tables

        compared = groups.read_groups(labels, matches, candidates)
        names = options.estimators
        frame = selection.grouped_samples(scores, compared.rows, names, calibration=about.calibration)
        frame = groups.clustered(frame, train)
        # Per thousand bits: an image has hundreds to thousands of bits, and small decimals are hard to read.
        frame["value"] *= 1000
        fig = panels.density_figure(
            frame,
            selection.medians(frame, ["estimator", "label"], clusters=groups.CLUSTER),
            tables.panel_names(frame, names, about.names),
            compared.looks,
            xlabel=r"$\widehat{\mathrm{LID}}_\theta$ / PNG size (dimensions per 1000 bits)",
            counted="samples",
            title=style.heading(
                about.more["number"],
                rf"$\widehat{{\mathrm{{LID}}}}_\theta$ / complexity by {compared.by}",
                about.experiment,
            ),
            note=panels.NOTE,
            warning=compared.note,
        )
        style.save(fig, pdf, png)
        style.write_numbers(compared.numbers(frame), csv)
