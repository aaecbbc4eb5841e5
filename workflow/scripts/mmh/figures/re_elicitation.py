"""What attacks of growing budget bring back past mitigations, on memorized and on control prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from mmh.figures.base import About, Figure, Files
from mmh.mitigations.base import MITIGATIONS
from mmh.options import base as options
from mmh.options.base import Field, Unique
from mmh.options.messages import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from mmh.options.entries import Entry
    from mmh.plan.experiment import Experiment

MOST = 9
"""Panels that a page has room for."""


class ReElicitation(Figure):
    """Share of prompts whose training image comes back, against the steps of the attack."""

    name = "re_elicitation"
    paper = ""
    shows = "attacks on mitigations: what comes back after so many steps, beside chance"
    caption = (
        "Share of prompts whose training image comes back past a mitigation, after so many steps of an "
        "attack, or fewer, that optimises the embedded caption towards it; the mitigation stays in place. "
        "Back: one of a prompt's generations, from noises that the attack has not seen, is more similar to "
        "the image than all but few plain generations of control prompts are to theirs. Grey: the same "
        "attack on control prompts, towards their own images, which the model has not memorized: what "
        "chance and the attack alone reach. With 95 % intervals over families of prompts, given this one "
        "model; marks are moved apart. Beneath each name the verdict at the largest budget that tells "
        "anything: removed only where the excess over the control stays small at this budget and each "
        "smaller one. re_elicitation.csv has the numbers."
    )
    needs = ("re_elicitation",)

    class Options(options.Options):
        """Options of the figure."""

        mitigations: Annotated[list[str], Field(max_length=MOST), Unique()] = []
        """mitigations, a panel each; all that are attacked if empty"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Mitigations that are not attacked, or too many."""
        there = experiment.section("re_elicitation").get("mitigations", [])
        for name in options.mitigations:
            if name not in there:
                yield f"{where}.mitigations: {name!r} is not under re_elicitation{did_you_mean(name, there)}"
        if not options.mitigations and len(there) > MOST:
            yield f"{where}.mitigations: {len(there)} have no room; name at most {MOST}"

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        return {"table": f"{experiment.folder}/re_elicitation.csv"}

    @classmethod
    def reads(cls, experiment: Experiment) -> dict[str, Any]:
        """Sets of prompts, the control last, and printed names of the mitigations."""
        section, blocks = experiment.entry["re_elicitation"], experiment.entry["mitigation"]["mitigations"]
        control = section.get("control", "control")
        printed = {name: MITIGATIONS[block["method"]].printed or name for name, block in blocks.items()}
        return {"sets": [*(name for name in section["sets"] if name != control), control], "printed": printed}

    @staticmethod
    def draw(  # type: ignore[override]
        *, table: Path, pdf: Path, png: Path, csv: Path, options: ReElicitation.Options, about: About
    ) -> None:
        """Draw the figure: a panel for each mitigation."""
        from mmh.plotting import style
        from mmh.plotting.mitigated import budgets

        sets = about.more["sets"]
        rows = budgets.read_rows(table, sets, options.mitigations)
        heading = style.heading(None, "what comes back past mitigations", about.experiment)
        style.save(budgets.figure(rows, sets, about.more["printed"], heading), pdf, png)
        style.write_numbers(rows, csv)
