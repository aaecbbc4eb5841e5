"""One memorized training image and generations from its caption, side by side (paper Fig. 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmh.detection.options import not_computed
from mmh.figures.base import About, Figure, Files
from mmh.options import base as options
from mmh.options.base import EstimatorName, Field, ImageSetName, PromptSetName

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mmh.options.entries import Entry
    from mmh.plan.experiment import Experiment


class ManifoldWalk(Figure):
    """One memorized training image and generations from its caption, side by side (paper Fig. 2)."""

    name = "manifold_walk"
    paper = "Fig. 2"
    shows = "one memorized image and seven generations from its caption"
    caption = (
        "Fig. 2. One memorized training image and the first generations from its caption. The prompt is "
        "that whose generations differ most in their similarity to the training image, among the closer half "
        "of its set, unless the configuration names one; the strip shows where it lies among all of them."
    )
    needs = ("prompts", "estimators")
    cost = (10, 800, 0, 0)

    class Options(options.Options):
        """Options of the figure."""

        prompt_set: PromptSetName
        """set of the prompt"""
        items: ImageSetName
        """image set that holds its training image"""
        estimator: EstimatorName
        """LID of the training image"""
        generations: int = Field(ge=1)
        """images shown"""
        prompt: int | None = Field(default=None, ge=0)
        """number of the prompt; by default that whose generations differ most, of the closer half"""
        similarity: str = "SSCD similarity"
        """printed name of the similarity"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Scores that are not computed on its sets."""
        yield from not_computed(experiment, [options.estimator], [options.items], where)

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        folder = experiment.folder
        name = experiment.entry["figures"][cls.name]["prompt_set"]
        return {
            "matches": f"{folder}/generation_matches.parquet",
            "prompts": f"{folder}/prompts.parquet",
            "images": experiment.prompt_images,
            "generations": [file for file in experiment.generation_files if f"/{name}/" in file],
            "scores": f"{folder}/scores.parquet",
            "image_sets": experiment.caption_tables,
        }

    @staticmethod
    def draw(  # type: ignore[override]
        *,
        matches: Path,
        prompts: Path,
        images: Path,
        generations: list[Path],
        scores: Path,
        image_sets: list[Path],
        pdf: Path,
        png: Path,
        csv: Path,
        options: ManifoldWalk.Options,
        about: About,
    ) -> None:
        """Draw the figure; the prompt is that whose generations differ most, unless one is named."""
        import numpy as np

        from mmh.evaluation import image_sets as sets
        from mmh.io.table_files import read_table
        from mmh.io.tables import ALL_SCORES
        from mmh.plotting import set_panels, style
        from mmh.plotting.images import walk
        from mmh.prompts.lists import read_columns, read_prompts

        name, estimator = options.prompt_set, options.estimator
        chosen = walk.choose(
            read_columns(matches, walk.MATCHES),
            read_prompts(prompts),
            name,
            count=options.generations,
            prompt=options.prompt,
        )
        rows = read_table(scores, ALL_SCORES)
        lid, error = walk.lid_of_caption(
            rows, sets.read_sets(image_sets), options.items, chosen.text, estimator
        )
        digits = 1 if abs(lid) < 100 else 0
        spread = f" ± {error:.{digits}f}" if np.isfinite(error) else ""
        fig = walk.walk_figure(
            chosen,
            walk.training_image(images, chosen.train),
            walk.generated_images(generations, chosen.prompt, chosen.shown["generation"].tolist()),
            below=f"LID {lid:.{digits}f}{spread}" if np.isfinite(lid) else "LID not estimated",
            similarity=options.similarity,
            title=style.heading(
                "2",
                f"a memorized image and {len(chosen.shown)} generations from its caption; LID by "
                f"{set_panels.score_names(rows, [estimator], about.names)[estimator]}",
                about.experiment,
            ),
        )
        style.save(fig, pdf, png)
        style.write_numbers(walk.numbers(chosen, name, lid, error), csv)
