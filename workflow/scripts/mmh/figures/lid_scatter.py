"""The von Mises mixture and a model's samples coloured by FLIPD (paper Fig. 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmh.figures.base import About, Figure, Files
from mmh.options import base as options
from mmh.options.base import EstimatorName, Field

if TYPE_CHECKING:
    from pathlib import Path

    from mmh.plan.experiment import Experiment


class LidScatter(Figure):
    """The von Mises mixture and a model's samples coloured by FLIPD (paper Fig. 4)."""

    name = "lid_scatter"
    paper = "Fig. 4"
    shows = "samples in the plane coloured by FLIPD"
    caption = (
        "Fig. 4. Samples of a diffusion model in the plane, coloured by FLIPD. Near the isolated point "
        "x0, LID_θ below LID_* = 1 is overfitting-driven memorization; at the centre both are 0 "
        "(data-driven). The table counts all samples, with 95 % intervals given this model."
    )
    needs = ("estimators",)
    world = "von-mises"
    cost = (5, 300, 1, 1)

    class Options(options.Options):
        """Options of the figure."""

        estimator: EstimatorName
        """name of an estimator"""
        shown: int = Field(ge=1)
        """samples drawn"""

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        return {
            "scores": f"{experiment.folder}/scores.parquet",
            "samples": experiment.image_files("samples"),
            "train": f"{experiment.folder}/data/train.npz",
        }

    @classmethod
    def reads(cls, experiment: Experiment) -> dict[str, Any]:
        """The law, whose density is drawn."""
        return {key: experiment.entry["data"][key] for key in ("concentration", "centre_weight")}

    @staticmethod
    def draw(  # type: ignore[override]
        *,
        scores: Path,
        samples: list[Path],
        train: Path,
        pdf: Path,
        png: Path,
        csv: Path,
        options: LidScatter.Options,
        about: About,
    ) -> None:
        """Draw the figure; its CSV lists all samples, the drawn ones first."""
        from mmh.evaluation import selection
        from mmh.io.image_shards import read_images
        from mmh.io.table_files import read_table
        from mmh.io.tables import ALL_SCORES
        from mmh.plotting import style, tables
        from mmh.plotting.laws import plane
        from mmh.worlds.sets import von_mises

        name = options.estimator
        rows = selection.single(read_table(scores, ALL_SCORES), name, "samples")
        x = read_images(samples, rows["item"].to_numpy())[0]
        points = read_images(train)[0]
        frame = rows[["item", "value"]].assign(x=x[:, 0], y=x[:, 1], region=von_mises.regions(x, points))
        fig = plane.scatter_figure(
            points,
            frame,
            options.shown,
            concentration=about.more["concentration"],
            centre_weight=about.more["centre_weight"],
            estimator=tables.printed(name, about.names, rows["t"].iloc[0]),
            title=style.heading("4", "a diffusion model on a von Mises mixture", about.experiment),
        )
        style.save(fig, pdf, png)
        style.write_numbers(frame[["item", "x", "y", "region", "value"]], csv)
