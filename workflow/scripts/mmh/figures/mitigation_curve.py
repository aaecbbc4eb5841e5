"""Fig. 7a: similarity to the training image and CLIP, for prompts with k words replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from mmh.attributions.base import ATTRIBUTIONS
from mmh.choices.base import CHOICES
from mmh.figures.base import About, Figure, Files
from mmh.options import base as options
from mmh.options.base import Field, PromptSetName, Unique
from mmh.options.messages import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Any

    from mmh.options.entries import Entry
    from mmh.plan.experiment import Experiment

MOST = 9
"""Choices whose colours and marks can be told apart."""


class MitigationCurve(Figure):
    """What replacing words costs and gains, by how the words are chosen."""

    name = "mitigation_curve"
    paper = "Fig. 7a"
    shows = "rewritten prompts: similarity to the training image along k, and CLIP at it"
    caption = (
        "Fig. 7a. Prompts with k words replaced, or put in, by how these are chosen. Left: mean similarity "
        "of the images to the prompt's training image against k. Right: mean similarity of CLIP to the "
        "original prompt against that similarity, which falls to the right; each line begins at prompts as "
        "they are (k = 0) and goes on along k. With 95 % intervals over families of prompts, given this one "
        "model; on the left marks are moved apart. Rewritings with a problem are left out, and so are "
        "prompts that options were chosen on. rewriting.csv has CLIP at fixed similarities, paired with "
        "random words."
    )
    needs = ("rewriting",)

    class Options(options.Options):
        """Options of the figure."""

        sets: Annotated[list[PromptSetName], Field(min_length=1, max_length=2), Unique()] = ["memorized"]
        """sets of prompts, a row of panels each"""
        choices: Annotated[list[str], Field(max_length=MOST), Unique()] = []
        """choices that are drawn; all if empty"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Sets and choices that are not there or too many, and a CLIP that is not trained."""
        section = experiment.section("rewriting")
        there = list(section.get("choices", {}))
        for name in options.choices:
            if name not in there:
                yield f"{where}.choices: there is no choice {name!r}{did_you_mean(name, there)}"
        if not options.choices and len(there) > MOST:
            yield f"{where}.choices: {len(there)} cannot be told apart; name at most {MOST}"
        for name in options.sets:
            if name not in section.get("sets", {}):
                yield f"{where}.sets: rewriting.sets has no {name!r}"
        if not experiment.section("clip"):
            yield f"{where}: needs the section 'clip', which this experiment lacks"

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        return {"table": f"{experiment.folder}/rewriting.csv"}

    @classmethod
    def reads(cls, experiment: Experiment) -> dict[str, Any]:
        """Printed names of the choices."""
        return {"printed": printed_choices(experiment)}

    @staticmethod
    def draw(  # type: ignore[override]
        *, table: Path, pdf: Path, png: Path, csv: Path, options: MitigationCurve.Options, about: About
    ) -> None:
        """Draw the figure."""
        from mmh.plotting import style
        from mmh.plotting.mitigated import curve

        rows = curve.read_rows(table, options.sets, options.choices)
        heading = style.heading("7a", "prompts with words replaced", about.experiment)
        style.save(curve.figure(rows, about.more["printed"], heading), pdf, png)
        style.write_numbers(rows, csv)


def printed_choices(experiment: Experiment) -> dict[str, str]:
    """Printed name of each choice of words."""
    attributions = experiment.entry.get("attribution", {}).get("attributions", {})
    named = experiment.entry["rewriting"]["choices"].items()
    return {name: _printed(block, attributions) for name, block in named}


def _printed(block: Mapping[str, Any], attributions: Mapping[str, Any]) -> str:
    row = CHOICES[block["method"]]
    if "attribution" not in block:
        return row.printed or row.name
    asked = attributions[block["attribution"]]
    name = ATTRIBUTIONS[asked["method"]].printed or block["attribution"]
    softmax = ", softmax" if block.get("law") == "softmax" else ""
    return f"{name}, {block.get('level', 'output')}{softmax}"
