"""Fig. 9: what becomes of images while the embedded prompt is optimised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from mmh.figures.base import About, Figure, Files
from mmh.mitigations.base import MITIGATIONS
from mmh.options import base as options
from mmh.options.base import Field, PromptSetName, Unique

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from mmh.options.entries import Entry
    from mmh.plan.experiment import Experiment


class EmbeddingOptimisation(Figure):
    """A^FLIPD, likeness, CLIP and PNG size along the iterations, and the images of some prompts."""

    name = "embedding_optimisation"
    paper = "Fig. 9"
    shows = "optimised embeddings: what is raised, copied and kept, and images on the way"
    caption = (
        "Fig. 9. Generations after so many iterations of a descent on the embedded prompt, from the same "
        "noises. Top: mean A^FLIPD along the way that is sampled (dashed: at the latents that the descent of "
        "A^FLIPD holds, whose mean it raises), similarity to the prompt's training image, similarity of CLIP "
        "to the prompt as it was, and size of the image's PNG, with 95 % intervals over families of prompts, "
        "given this one model; marks are moved apart. Below: images of single prompts on the way, by descent."
    )
    needs = ("optimisation",)

    class Options(options.Options):
        """Options of the figure."""

        prompt_set: PromptSetName = "memorized"
        """set of prompts"""
        prompts: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1, max_length=2), Unique()]
        """numbers of prompts whose images are shown, the first generation of each"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """A set and prompts that are not there, and a CLIP that is not trained."""
        sets = experiment.section("optimisation").get("sets", {})
        if options.prompt_set not in sets:
            yield f"{where}.prompt_set: optimisation.sets has no {options.prompt_set!r}"
        for number in options.prompts:
            if number >= sets.get(options.prompt_set, number + 1):
                yield (
                    f"{where}.prompts: {number} is not among the {sets[options.prompt_set]} prompts of "
                    f"{options.prompt_set!r}"
                )
        if not experiment.section("clip"):
            yield f"{where}: needs the section 'clip', which this experiment lacks"

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        name = experiment.entry["figures"][cls.name].get("prompt_set", "memorized")
        shown = [file for file in experiment.iterate_files if f"/{name}/" in file]
        return {"table": f"{experiment.folder}/optimisation.csv", "generations": shown}

    @classmethod
    def reads(cls, experiment: Experiment) -> dict[str, Any]:
        """Printed names of the descents, and which of them raise FLIPD."""
        blocks = experiment.entry["mitigation"]["mitigations"]
        methods = {name: blocks[name]["method"] for name in experiment.entry["optimisation"]["mitigations"]}
        printed = {name: MITIGATIONS[method].printed or name for name, method in methods.items()}
        return {"printed": printed, "watched": [n for n, m in methods.items() if m == "flipd-embedding"]}

    @staticmethod
    def draw(  # type: ignore[override]
        *,
        table: Path,
        generations: list[Path],
        pdf: Path,
        png: Path,
        csv: Path,
        options: EmbeddingOptimisation.Options,
        about: About,
    ) -> None:
        """Draw the figure."""
        from mmh.plotting import style
        from mmh.plotting.mitigated import descent

        rows = descent.read_rows(table, options.prompt_set)
        images = descent.read_images(generations, options.prompts)
        heading = style.heading("9", "optimised embeddings", about.experiment)
        fig = descent.figure(rows, images, about.more["printed"], about.more["watched"], heading)
        style.save(fig, pdf, png)
        style.write_numbers(rows, csv)
