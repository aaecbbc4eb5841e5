"""How well a spectral LID tells memorized samples, against the percentile of its pooled threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from mmh.figures.base import About, Figure, Files
from mmh.options import base as options
from mmh.options.base import EstimatorName, Field, Percentile, Unique
from mmh.scores.base import SCORES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mmh.options.entries import Entry
    from mmh.plan.experiment import Experiment


PAPER_PERCENTILE = 10


class PercentileCurve(Figure):
    """How well a spectral LID tells memorized samples, against the percentile of its pooled threshold."""

    name = "percentile_curve"
    paper = ""
    shows = "AUC of a spectral LID against the percentile of its threshold"
    caption = (
        "LID by singular values against the percentile of its pooled threshold: AUC of low LID for each "
        "kind of memorization, with 95 % intervals given this one model, and the medians. The paper's 10th "
        "percentile is the default; a model with a small latent space is told apart better at other "
        "percentiles, so the whole curve is shown, with the log-volume (sum of log singular values), which "
        "needs no threshold."
    )
    needs = ("retrieval", "labels", "estimators")

    class Options(options.Options):
        """Options of the figure."""

        estimator: EstimatorName
        """normal-bundle or jacobian estimator of samples"""
        percentiles: Annotated[list[Percentile], Field(min_length=2), Unique()]
        """percentiles of the pool"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """An estimator without singular values."""
        found = experiment.section("estimators").get(options.estimator)
        if found and "sampling" in experiment.entry:
            spectral = SCORES[found["method"]].shape == "spectra"
            if not spectral or not {"samples", "selected"} & set(found["items"]):
                yield f"{where}.estimator: {options.estimator!r} gives no singular values at samples"

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        return {"percentiles": f"{experiment.folder}/percentiles.csv"}

    @staticmethod
    def draw(  # type: ignore[override]
        *,
        percentiles: Path,
        pdf: Path,
        png: Path,
        csv: Path,
        options: PercentileCurve.Options,
        about: About,
    ) -> None:
        """Draw the figure; the paper's percentile is marked."""
        from mmh.plotting import percentile, style, tables

        table = percentile.read_sweep(percentiles)
        fig = percentile.percentile_figure(
            table,
            PAPER_PERCENTILE,
            estimator=tables.printed(options.estimator, about.names),
            title=style.heading(None, "the threshold of LID", about.experiment),
        )
        style.save(fig, pdf, png)
        style.write_numbers(table, csv)
