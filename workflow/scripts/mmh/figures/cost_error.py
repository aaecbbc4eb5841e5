"""What an estimate of LID costs, in rows of the network, against how far it errs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from mmh.figures.base import About, Figure, Files
from mmh.options import base as options
from mmh.options.base import EstimatorName, Field, NoiseLevel, Unique

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mmh.options.entries import Entry
    from mmh.plan.experiment import Experiment


class CostError(Figure):
    """What an estimate of LID costs, in rows of the network, against how far it errs."""

    name = "cost_error"
    paper = ""
    shows = "rows of the network against mean absolute error, by law of the probes and network"
    caption = (
        "Cost against error at one noise level: rows of the network for one point, forward and backward "
        "counted alike, and the mean absolute error over the points of a law of known dimension. A line is a "
        "way to take the trace, over its number of products; dotted with filled markers, on a score learned "
        "from samples of the law. Intervals: 95 %, bootstrap over the points. The error axis is linear below "
        "0.1."
    )
    needs = ("accuracy",)

    class Options(options.Options):
        """Options of the figure."""

        estimators: Annotated[list[EstimatorName], Field(min_length=1), Unique()]
        """estimators, of which those that differ in their number of products or draws alone are joined"""
        t: NoiseLevel
        """noise level, one of those of accuracy"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Noise levels that are not measured, and estimators that see no network."""
        section = experiment.section("accuracy")
        if options.t not in section["t"]:
            yield f"{where}.t: {options.t}, but accuracy.t has {', '.join(map(str, section['t']))}"
        for name in options.estimators:
            if section["estimators"].get(name, {}).get("method") == "local-pca":
                yield f"{where}.estimators: {name!r} calls no network; leave it out"

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        return {"accuracy": f"{experiment.folder}/accuracy.csv"}

    @classmethod
    def reads(cls, experiment: Experiment) -> dict[str, Any]:
        """How each estimator is taken, from which its cost follows."""
        section, shown = experiment.entry["accuracy"], experiment.entry["figures"]["cost_error"]
        return {"estimators": {name: dict(section["estimators"][name]) for name in shown["estimators"]}}

    @staticmethod
    def draw(  # type: ignore[override]
        *, accuracy: Path, pdf: Path, png: Path, csv: Path, options: CostError.Options, about: About
    ) -> None:
        """Draw the figure, a panel for each law."""
        import pandas as pd

        from mmh.plotting import style
        from mmh.plotting.laws import cost as panels

        ways: Mapping[str, Any] = about.more["estimators"]
        numbers = panels.cost_numbers(pd.read_csv(accuracy), ways, options.t)
        title = style.heading(None, f"cost and error of LID at $t_0$ = {options.t:g}", about.experiment)
        style.save(panels.cost_figure(numbers, title=title), pdf, png)
        style.write_numbers(numbers, csv)
