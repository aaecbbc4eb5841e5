"""The norm of the guided score against that of the CFG vector on real images (paper Fig. 3)."""

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


SEED = 0  # of the draw and of the bootstrap


class ScoreNorms(Figure):
    """The norm of the guided score against that of the CFG vector on real images (paper Fig. 3)."""

    name = "score_norms"
    paper = "Fig. 3"
    shows = "norm of the guided score against that of the CFG vector"
    caption = (
        "Fig. 3. Norm of the guided score against the norm of the CFG vector, at the same noise level, on "
        "as many memorized images as others, drawn by seed. Spearman's correlation with 95 % intervals "
        "over families of images, given this one model, for the drawn images and for all that were scored, "
        "pooled and within each group."
    )
    needs = ("image_sets", "estimators")

    class Options(options.Options):
        """Options of the figure."""

        sets: Annotated[list[ImageSetName], Field(min_length=2, max_length=2), Unique()]
        """image sets, the memorized one first"""
        guided: EstimatorName
        """estimator: norm of the guided score"""
        difference: EstimatorName
        """estimator: norm of the CFG vector"""
        each: int = Field(ge=2)
        """images drawn of each set"""
        guidance: float = Field(ge=0)
        """guidance scale, printed"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Scores that are not computed on its sets."""
        yield from not_computed(experiment, [options.guided, options.difference], options.sets, where)

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        return {"scores": f"{experiment.folder}/scores.parquet", "image_sets": experiment.caption_tables}

    @staticmethod
    def draw(  # type: ignore[override]
        *,
        scores: Path,
        image_sets: list[Path],
        pdf: Path,
        png: Path,
        csv: Path,
        options: ScoreNorms.Options,
        about: About,
    ) -> None:
        """Draw the figure: as many memorized images as others, and the correlation of the two norms."""
        import pandas as pd

        from mmh.evaluation import image_sets as sets
        from mmh.io.table_files import read_table
        from mmh.io.tables import ALL_SCORES
        from mmh.plotting import norms, set_panels, style

        names, x, y = options.sets, options.difference, options.guided
        rows = read_table(scores, ALL_SCORES)
        scored = sets.side_by_side(rows, sets.read_sets(image_sets), names, [x, y]).dropna()
        drawn = norms.draw_images(scored, names, options.each, SEED)
        found = pd.concat(
            [
                norms.correlations(table, names, x, y, which=which)
                for which, table in (("drawn", drawn), ("scored", scored))
            ],
            ignore_index=True,
        )
        level = rows.loc[rows["estimator"] == y, "t"].iloc[0]
        settings = [rf"$\lambda$ = {options.guidance:g}"]
        settings += [] if pd.isna(level) else [f"$t$ = {level:.3g}"]
        fig = norms.norms_figure(
            drawn,
            found,
            set_panels.set_looks(names),
            x=x,
            y=y,
            settings=", ".join(settings),
            title=style.heading("3", "guided score and CFG vector", about.experiment),
        )
        style.save(fig, pdf, png)
        points = drawn.rename(columns={"items": "set", x: "cfg_vector", y: "guided_score"})
        style.write_numbers([points.assign(kind="image"), found.assign(kind="correlation")], csv)
