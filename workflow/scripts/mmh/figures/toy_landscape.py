"""The plane of a toy mixture: density, score and sharpness under noise, learned beside exact."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from mmh.figures.base import About, Figure, Files
from mmh.options import base as options
from mmh.options.base import Field, Unique

if TYPE_CHECKING:
    from pathlib import Path

    from mmh.options.entries import Entry
    from mmh.plan.experiment import Experiment

Sigma = Annotated[float, Field(gt=0)]


class ToyLandscape(Figure):
    """The plane of a toy mixture: density, score and sharpness under noise, learned beside exact."""

    name = "toy_landscape"
    paper = "Jeon et al. 2025, Fig. 2"
    shows = (
        "where the density of a toy is sharp, and how well that tells its memorized mode, learned and exact"
    )
    caption = (
        "A mixture of a rare narrow and a common wide Gaussian under noise. Left: density (shaded) and score "
        "(arrows), exact and learned; the learned density is that of the noised samples. Right: smallest "
        "eigenvalue of the Hessian, times sigma^2: an exact score has none below -1. Marks: samples on their "
        "way, of those that end in the narrow mode and of some others. Below: AUC of the smallest eigenvalue "
        "along the way, low for the narrow mode, with 95 % intervals over samples, given this one model."
    )
    needs = ("data", "model", "sampling")
    world = "sharpness-toy"
    cost = (10, 400, 0, 0)

    class Options(options.Options):
        """Options of the figure."""

        shown: Annotated[list[Sigma], Field(min_length=1, max_length=4), Unique()]
        """noise levels of the maps"""
        sigmas: Annotated[list[Sigma], Field(min_length=1), Unique()]
        """noise levels of the AUC; the nearest ones of the sampler are taken"""
        reach: float = Field(gt=0)
        """the maps cover [-reach, reach] along both axes"""
        side: int = Field(ge=2, le=400)
        """grid points along each axis"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Noise levels that the network was not trained for."""
        model = experiment.section("model")
        low, high = model.get("sigma_min", 0), model.get("sigma_max", float("inf"))
        for key in ("shown", "sigmas"):
            for sigma in getattr(options, key):
                if not low <= sigma <= high:
                    yield f"{where}.{key}: {sigma:g} is not within the model's noise, {low:g} to {high:g}"

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        folder = experiment.folder
        return {"field": f"{folder}/landscape.parquet", "states": f"{folder}/landscape_states.parquet"}

    @staticmethod
    def draw(  # type: ignore[override]
        *,
        field: Path,
        states: Path,
        pdf: Path,
        png: Path,
        csv: Path,
        options: ToyLandscape.Options,
        about: About,
    ) -> None:
        """Draw the figure from the tables of `measure_landscape`."""
        from mmh.io.table_files import read_table
        from mmh.landscape.plane import FIELD, STATES
        from mmh.plotting import style
        from mmh.plotting.laws import landscape as panels

        way = read_table(states, STATES)
        numbers = panels.landscape_numbers(way)
        found = numbers.iloc[0]
        heading = f"{found['n_memorized']} of {found['n']} samples end in the narrow mode"
        fig = panels.landscape_figure(
            read_table(field, FIELD), way, numbers, title=style.heading(None, heading, about.experiment)
        )
        style.save(fig, pdf, png)
        style.write_numbers(numbers, csv)
