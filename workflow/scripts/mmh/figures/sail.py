"""SAIL beside other mitigations: what is copied, what is kept, and what becomes of the noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from mmh.figures.base import About, Figure, Files
from mmh.options import base as options
from mmh.options.base import Field, PromptSetName, Unique
from mmh.options.messages import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from mmh.options.entries import Entry
    from mmh.plan.experiment import Experiment


class Sail(Figure):
    """Similarity to the training image against what the prompt asks for, by mitigation."""

    name = "sail"
    paper = ""
    shows = "mitigations: copies, what is kept of the prompt, and the law of the noise"
    caption = (
        "Generations with each mitigation. Left: mean similarity to the prompt's training image against what "
        "is kept of the prompt, on memorized and on control prompts, with 95 % intervals both ways over "
        "families of prompts, given this one model; marks are moved apart vertically by 2.4 points each. "
        "Right: share of first noises whose norm has a p below .05 under its law for a normal noise (dashed: "
        "what normal noises have), and in brackets the network rows of a generation. Prompts that options "
        "were chosen on are left out."
    )
    needs = ("mitigation",)

    class Options(options.Options):
        """Options of the figure."""

        sets: Annotated[list[PromptSetName], Field(min_length=1, max_length=2), Unique()] = [
            "memorized",
            "control",
        ]
        """sets of prompts, a panel each"""
        kept: Literal["clip", "correct"] = "correct"
        """clip: similarity of CLIP to the prompt; correct: share of the right class"""
        mitigations: Annotated[list[str], Unique()] = []
        """mitigations that are drawn; all if empty"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Sets and mitigations that are not there, and a CLIP that is not trained."""
        section = experiment.section("mitigation")
        there = list(section.get("mitigations", {}))
        for name in options.mitigations:
            if name not in there:
                yield f"{where}.mitigations: there is no mitigation {name!r}{did_you_mean(name, there)}"
        for name in options.sets:
            if name not in section.get("sets", {}):
                yield f"{where}.sets: mitigation.sets has no {name!r}"
        if options.kept == "clip" and not experiment.section("clip"):
            yield f"{where}.kept: clip needs the section 'clip', which this experiment lacks"

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        return {"table": f"{experiment.folder}/mitigation.csv"}

    @staticmethod
    def draw(  # type: ignore[override]
        *, table: Path, pdf: Path, png: Path, csv: Path, options: Sail.Options, about: About
    ) -> None:
        """Draw the figure: a panel for each set, and one of noises."""
        from mmh.plotting import style
        from mmh.plotting.mitigated import plane

        rows = plane.read_rows(table, options.sets, options.kept, options.mitigations)
        heading = style.heading(None, "mitigations, their copies and their noises", about.experiment)
        style.save(plane.figure(rows, options.sets, options.kept, heading), pdf, png)
        style.write_numbers(rows, csv)
