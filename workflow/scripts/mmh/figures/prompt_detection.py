"""How well metrics of prompts tell memorized ones, beside controls that see the text alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from mmh.evaluation.names import Detector
from mmh.figures.base import About, Figure, Files
from mmh.metrics.base import DEFAULT, METRICS, asked_metrics
from mmh.options import base as options
from mmh.options.base import Field, PromptSetName, Unique

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mmh.options.entries import Entry
    from mmh.plan.experiment import Experiment
    from mmh.rows import Row


SEED = 0  # of the draw and of the bootstrap


def steps_of(metrics: Any, name: str) -> list[int]:
    """Numbers of the steps that a metric is asked for at; none if it is asked for at all."""
    block = metrics.get(name) or {} if isinstance(metrics, dict) else {}
    return list(block.get("steps") or [])


class Anchor(options.Options):
    """A published value."""

    estimator: str
    """row it stands at"""
    auc: float = Field(ge=0, le=1)
    """published AUC"""
    source: str
    """whose"""


class PromptDetection(Figure):
    """How well metrics of prompts tell memorized ones, beside controls that see the text alone."""

    name = "prompt_detection"
    paper = ""
    shows = "memorized prompts told while images are drawn, beside the text alone"
    caption = (
        "Detection of memorized prompts while their images are drawn. Left: ROC curves with pointwise 95 "
        "% intervals. Right: AUC by metric, steps averaged and number of generations, beside controls "
        "that see the text alone. Intervals are over families of prompts, given this one model. Upright "
        "marks are published values, measured on other prompts."
    )
    needs = ("prompts", "detection")

    class Options(options.Options):
        """Options of the figure."""

        pair: Annotated[list[PromptSetName], Field(min_length=2, max_length=2)]
        """sets of memorized and of other prompts"""
        curves: Annotated[list[str], Field(min_length=1), Unique()]
        """detectors and at most one control whose ROC is drawn"""
        metrics: Annotated[list[str], Unique()] = Field(default_factory=list)
        """rows of these metrics only"""
        anchors: list[Anchor] = Field(default_factory=list)
        """published values"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Detectors that are not evaluated."""
        asked = experiment.section("detection").get("prompts", {})
        if options.pair not in asked.get("pairs", []):
            yield f"{where}.pair: {options.pair} is not among detection.prompts.pairs"
        anchors = [anchor.estimator for anchor in options.anchors]
        for key, names in (("curves", options.curves), ("anchors", anchors)):
            for name, found in ((name, Detector.parse(name)) for name in names):
                wanted = {"steps": found.steps, "generations": found.generations} if found else {}
                for part, number in wanted.items():
                    if number is not None and number not in asked.get(part, []):
                        yield f"{where}.{key}: {name!r}, but detection.prompts.{part} has no {number}"
                taken = experiment.section("prompts").get("metrics", DEFAULT)
                if found and found.metric not in taken:
                    yield f"{where}.{key}: {name!r}, but prompts.metrics has no {found.metric!r}"
                elif found and found.step and found.step not in steps_of(taken, found.metric):
                    place = f"prompts.metrics.{found.metric}.steps"
                    yield f"{where}.{key}: {name!r}, but {place} has no {found.step}"

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        return {
            "evaluation": f"{experiment.folder}/evaluation.csv",
            "prompts": f"{experiment.folder}/prompts.parquet",
            "prompt_scores": experiment.prompt_score_files,
        }

    @classmethod
    def asks(cls, experiment: Experiment) -> list[type[Row]]:
        """The metrics that are taken, whose signs and names it needs."""
        return [METRICS[name] for name in asked_metrics(experiment.entry["prompts"])]

    @classmethod
    def reads(cls, experiment: Experiment) -> dict[str, Any]:
        """What the evaluation averages over, and its resamples."""
        detection = experiment.entry["detection"]
        averaged = {key: detection["prompts"][key] for key in ("steps", "generations")}
        return {**averaged, "resamples": detection["resamples"]}

    @staticmethod
    def draw(  # type: ignore[override]
        *,
        evaluation: Path,
        prompts: Path,
        prompt_scores: list[Path],
        pdf: Path,
        png: Path,
        csv: Path,
        options: PromptDetection.Options,
        about: About,
    ) -> None:
        """Draw the figure: ROC curves, and the AUC by metric, steps and number of generations."""
        import pandas as pd

        from mmh.detection.curve_scores import curve_scores
        from mmh.detection.prompt_detectors import SCORE_COLUMNS
        from mmh.plotting import detection, style
        from mmh.prompts.lists import read_columns, read_prompts
        from mmh.stats import roc

        pair = options.pair
        rows = detection.read_rows(evaluation, pair, options.metrics)
        anchors = detection.checked_anchors([anchor.model_dump() for anchor in options.anchors], rows)
        scores, positive, families = curve_scores(
            read_prompts(prompts),
            pd.concat([read_columns(path, SCORE_COLUMNS) for path in prompt_scores], ignore_index=True),
            pair,
            options.curves,
            seed=SEED,
            steps=about.more["steps"],
            generations=about.more["generations"],
        )
        resamples = about.more["resamples"]
        curves = roc.roc_table(scores, positive, families, seed=SEED, resamples=resamples)
        fig = detection.detection_figure(
            rows,
            curves,
            anchors,
            pair=pair,
            title=style.heading(
                None, "memorized prompts told from others while images are drawn", about.experiment
            ),
        )
        style.save(fig, pdf, png)
        parts = {"auc": rows, "anchor": anchors, "roc": curves}
        style.write_numbers([part.assign(kind=kind) for kind, part in parts.items() if len(part)], csv)
