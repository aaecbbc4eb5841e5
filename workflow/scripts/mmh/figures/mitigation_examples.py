"""Figs. 7b and 10: rewritten prompts, what was changed in them, and what comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from mmh.figures.base import About, Figure, Files
from mmh.figures.mitigation_curve import printed_choices
from mmh.options import base as options
from mmh.options.base import Field, PromptSetName, Unique
from mmh.options.messages import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from mmh.options.entries import Entry
    from mmh.plan.experiment import Experiment


class MitigationExamples(Figure):
    """Training image, and images of one prompt as it is and rewritten, each above its words."""

    name = "mitigation_examples"
    paper = "Figs. 7b, 10"
    shows = "prompts with words replaced by each choice, and their images beside the training image"
    caption = (
        "Figs. 7b and 10. Single prompts with k words replaced, or put in, by how these are chosen: the "
        "training image (framed), an image of the prompt as it is, and images of its rewritings, all from "
        "one noise. Beneath each its similarity to the training image and the words that it was made from; "
        "orange: words that were replaced or put in. A rewriting with a problem has no image, and the "
        "problem is named. Prompts and repeat are those that the configuration names; token_attribution "
        "shows the attributions."
    )
    needs = ("rewriting",)
    cost = (10, 800, 0, 1)

    class Options(options.Options):
        """Options of the figure."""

        prompt_set: PromptSetName = "memorized"
        """set of prompts"""
        prompts: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1, max_length=4), Unique()]
        """numbers of prompts, a row each"""
        choices: Annotated[list[str], Field(min_length=1, max_length=6), Unique()]
        """choices of words, a column each"""
        k: int = Field(ge=1)
        """words that are replaced, or put in"""
        repeat: int = Field(default=0, ge=0)
        """which of the rewritings, from 0"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Prompts, choices and k that there are no rewritings of."""
        section = experiment.section("rewriting")
        there, count = list(section.get("choices", {})), section.get("sets", {}).get(options.prompt_set, 0)
        for name in options.choices:
            if name not in there:
                yield f"{where}.choices: there is no choice {name!r}{did_you_mean(name, there)}"
        for number in options.prompts:
            if number >= count:
                yield f"{where}.prompts: {number} is not among the {count} of {options.prompt_set!r}"
        if options.k not in section.get("k", []):
            yield f"{where}.k: {options.k} is not under rewriting.k"
        if options.repeat >= section.get("repeats", 1):
            most = section.get("repeats", 1)
            yield f"{where}.repeat: {options.repeat} is not among the {most} of rewriting, from 0"

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        folder, where = experiment.folder, experiment.entry["prompts"]["images"]
        name = experiment.entry["figures"][cls.name].get("prompt_set", "memorized")
        return {
            "rewrites": f"{folder}/rewrites.parquet",
            "measured": f"{folder}/rewriting.parquet",
            "prompts": f"{folder}/prompts.parquet",
            "images": experiment.prompt_images,
            "captions": [] if where == "train" else [f"{folder}/image_sets/{where}.parquet"],
            "generations": [file for file in experiment.rewritten_files if f"/{name}/" in file],
        }

    @classmethod
    def reads(cls, experiment: Experiment) -> dict[str, Any]:
        """Printed names of the choices."""
        return {"printed": printed_choices(experiment)}

    @staticmethod
    def draw(  # type: ignore[override]
        *,
        rewrites: Path,
        measured: Path,
        prompts: Path,
        images: Path,
        captions: list[Path],
        generations: list[Path],
        pdf: Path,
        png: Path,
        csv: Path,
        options: MitigationExamples.Options,
        about: About,
    ) -> None:
        """Draw the figure."""
        from mmh.errors import InputError
        from mmh.io.table_files import read_table
        from mmh.io.tables import IMAGE_SET, PROMPTS, REWRITES, REWRITTEN
        from mmh.plotting import style
        from mmh.plotting.images.walk import training_image
        from mmh.plotting.mitigated import rewritten
        from mmh.retrieval.generation_matches import training_images

        shown = read_table(captions[0], IMAGE_SET) if captions else None
        known = training_images(read_table(prompts, PROMPTS), shown)
        lost = [n for n in options.prompts if (options.prompt_set, n) not in known.index]
        if lost:
            raise InputError(
                f"{prompts}: prompt {lost[0]} of {options.prompt_set} has no training image to show; name "
                "another under figures.mitigation_examples.prompts"
            )
        train = {n: training_image(images, int(known[options.prompt_set, n])) for n in options.prompts}
        cells = rewritten.read_cells(
            read_table(rewrites, REWRITES),
            read_table(measured, REWRITTEN),
            generations,
            train,
            prompt_set=options.prompt_set,
            choices=options.choices,
            k=options.k,
            repeat=options.repeat,
        )
        words = "one word" if options.k == 1 else f"{options.k} words"
        heading = style.heading("7b, 10", f"{words} replaced or put in", about.experiment)
        style.save(rewritten.figure(cells, about.more["printed"], heading), pdf, png)
        style.write_numbers(rewritten.numbers(cells), csv)
