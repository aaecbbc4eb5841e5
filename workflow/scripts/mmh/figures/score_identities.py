"""Both sides of two identities between a score and its Hessian, over the noise level."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from mmh.figures.base import About, Figure, Files
from mmh.options import base as options
from mmh.options.base import Field, NoiseLevel, Unique
from mmh.options.names import known_names

if TYPE_CHECKING:
    from pathlib import Path

    from mmh.options.entries import Entry
    from mmh.plan.experiment import Experiment


class ScoreIdentities(Figure):
    """Both sides of two identities between a score and its Hessian, over the noise level."""

    name = "score_identities"
    paper = "Jeon et al. 2025, Fig. 4"
    shows = "whether a learned score fulfils two identities between score and Hessian"
    caption = (
        "Ratio of the two sides of identities that an exact score fulfils on average, at noised items: (a) "
        "E |s|^2 = -E tr H, which holds of any law; (c) E |H s|^2 = -E tr H^3, which holds of Gaussian laws "
        "alone. The exact score, where the law is known, says how much of a deviation is the law's. "
        "Intervals: 95 %, jackknife over items, given this one model."
    )
    needs = ("data", "model")

    class Options(options.Options):
        """Options of the figure."""

        items: str
        """what is noised: train, samples, or an image set with captions"""
        n: int = Field(ge=2)
        """how many of them at most, evenly over their order"""
        t: Annotated[list[NoiseLevel], Field(min_length=2), Unique()]
        """noise levels in (0, 1]"""
        batch_size: int = Field(ge=1)
        """rows per network call"""
        condition: Literal["caption", "empty"] | None = None
        """of a text-to-image model: the score given the caption, or given the empty one"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Items that are not there, and a condition that is missing or superfluous."""
        sets = known_names("image set", experiment.config, experiment)
        known = [*(("train", "samples") if "sampling" in experiment.entry else ()), *sets]
        if options.items not in known:
            yield f"{where}.items: {options.items!r} is not there; use one of {', '.join(known)}"
        elif (options.condition is None) != (options.items not in sets):
            wanted = (
                "missing; caption or empty" if options.condition is None else "only for captions; remove it"
            )
            yield f"{where}.condition: {wanted}"

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        return {"identities": f"{experiment.folder}/identities.csv"}

    @staticmethod
    def draw(  # type: ignore[override]
        *,
        identities: Path,
        pdf: Path,
        png: Path,
        csv: Path,
        options: ScoreIdentities.Options,
        about: About,
    ) -> None:
        """Draw the figure from the table of `measure_identities`."""
        import pandas as pd

        from mmh.plotting import style
        from mmh.plotting.laws import identities as panels

        table = pd.read_csv(identities)
        items = {"train": "training items"}.get(options.items, options.items)
        heading = f"score against Hessian at {table['n'].max()} noised {items}"
        fig = panels.identities_figure(table, title=style.heading(None, heading, about.experiment))
        style.save(fig, pdf, png)
        style.write_numbers(table, csv)
