"""Figs. 7b and 11: which words of a prompt the metrics of memorization hang on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from mmh.attributions.base import ATTRIBUTIONS
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


class TokenAttribution(Figure):
    """Shares of the words of some prompts, by metric and by level of the text encoder."""

    name = "token_attribution"
    paper = "Figs. 7b, 11"
    shows = "attribution of prompts to their words, beside what replacing each word costs"
    caption = (
        "Figs. 7b and 11. Attribution of single prompts to their words: norm of the gradient of each metric, "
        "as a share of the sum over the words, at the text encoder's output (the paper's) and at its input. "
        "Last row: by how much the similarity of the images to the training image falls if the word is "
        "replaced by another of its part. Orange: KEY, the word that the images were planted under; purple: "
        "decoy, a word that means nothing; blue, green, light blue: numeral, colour, stroke. attribution.csv "
        "has the means."
    )
    needs = ("attribution",)

    class Options(options.Options):
        """Options of the figure."""

        prompt_set: PromptSetName
        """set of prompts"""
        prompts: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1, max_length=3), Unique()]
        """numbers of prompts, two columns each"""
        metrics: Annotated[list[str], Field(min_length=1), Unique()]
        """attributions, a row each"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Prompts and attributions that are not there, and controls, which have no levels."""
        section = experiment.section("attribution")
        blocks, count = section.get("attributions", {}), section.get("sets", {}).get(options.prompt_set, 0)
        for name in options.metrics:
            if name not in blocks:
                yield f"{where}.metrics: there is no attribution {name!r}{did_you_mean(name, list(blocks))}"
            elif ATTRIBUTIONS[blocks[name]["method"]].how != "gradient":
                yield f"{where}.metrics: {name!r} has no gradient; name one that has"
        for number in options.prompts:
            if number >= count:
                yield f"{where}.prompts: {number} is not among the {count} prompts of {options.prompt_set!r}"

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        return {"words": f"{experiment.folder}/attributions.parquet"}

    @classmethod
    def reads(cls, experiment: Experiment) -> dict[str, Any]:
        """Printed names of the attributions."""
        blocks = experiment.entry["attribution"]["attributions"]
        return {"printed": {name: ATTRIBUTIONS[block["method"]].printed for name, block in blocks.items()}}

    @staticmethod
    def draw(  # type: ignore[override]
        *, words: Path, pdf: Path, png: Path, csv: Path, options: TokenAttribution.Options, about: About
    ) -> None:
        """Draw the figure."""
        from mmh.plotting import style
        from mmh.plotting.attributed import bars

        rows = bars.read_bars(words, options.prompt_set, options.prompts, options.metrics)
        heading = style.heading("7b, 11", "words that drive memorization", about.experiment)
        style.save(bars.figure(rows, about.more["printed"], heading), pdf, png)
        style.write_numbers(rows, csv)
