"""How well metrics of prompts tell memorized ones at each step of sampling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from mmh.figures.base import About, Figure, Files
from mmh.metrics.base import DEFAULT, METRICS
from mmh.options import base as options
from mmh.options.base import Field, PromptSetName, Unique

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mmh.options.entries import Entry
    from mmh.plan.experiment import Experiment
    from mmh.rows import Row

CONTROL = "text_ngrams"


class StepAnchor(options.Options):
    """A published value at the first step."""

    metric: str
    """metric that it is of"""
    generations: int = Field(ge=1)
    """number of generations"""
    auc: float = Field(ge=0, le=1)
    """published AUC"""
    model: str
    """which model it is of"""
    source: str
    """whose"""
    rerun: bool = False
    """whether others than the authors found it"""


class SharpnessDetection(Figure):
    """AUC by step, metric and branch."""

    name = "sharpness_detection"
    paper = "sharpness paper, Table 1"
    shows = "memorized prompts told at each step of sampling, by metric and branch"
    caption = (
        "AUC of metrics of prompts at each step at which they are taken, memorized prompts against others, "
        "for one generation and for the mean of several, with 95 % intervals over families of prompts, given "
        "this one model. Grey: what the words of the prompts alone tell. Marks at the left are values of "
        "Stable Diffusion v1.4 at its first step, as published and as found in public re-runs, on other "
        "prompts."
    )
    needs = ("prompts", "detection")

    class Options(options.Options):
        """Options of the figure."""

        pair: Annotated[list[PromptSetName], Field(min_length=2, max_length=2)]
        """sets of memorized and of other prompts"""
        metrics: dict[str, list[str]] = Field(min_length=1)
        """metrics by the branch that they are of, as it is printed: a row of panels each"""
        generations: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1), Unique()] = [1, 4]
        """numbers of generations whose values are averaged"""
        anchors: list[StepAnchor] = Field(default_factory=list)
        """published values"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Metrics that are not taken, more generations than there are, anchors without a curve."""
        prompts = experiment.section("prompts")
        taken = prompts.get("metrics", DEFAULT)
        shown = [name for names in options.metrics.values() for name in names]
        for name in dict.fromkeys(shown):
            if name not in taken:
                yield f"{where}.metrics: {name!r}, but prompts.metrics has no {name!r}"
        for number in options.generations:
            if number > prompts.get("generations", number):
                yield f"{where}.generations: {number}, but prompts.generations is {prompts['generations']}"
        if options.pair not in experiment.section("detection").get("prompts", {}).get("pairs", []):
            yield f"{where}.pair: {options.pair} is not among detection.prompts.pairs"
        for anchor in options.anchors:
            if anchor.metric not in shown or anchor.generations not in options.generations:
                yield (
                    f"{where}.anchors: {anchor.metric!r} with {anchor.generations} generations is not drawn; "
                    "add it to metrics and generations"
                )

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
        """The metrics that are drawn, whose signs and names it needs."""
        groups = experiment.entry["figures"][cls.name]["metrics"].values()
        return [METRICS[name] for name in dict.fromkeys(name for names in groups for name in names)]

    @staticmethod
    def draw(  # type: ignore[override]
        *,
        evaluation: Path,
        prompts: Path,
        prompt_scores: list[Path],
        pdf: Path,
        png: Path,
        csv: Path,
        options: SharpnessDetection.Options,
        about: About,
    ) -> None:
        """Draw the figure: AUC by step."""
        import pandas as pd

        from mmh.detection.by_step import areas_by_step
        from mmh.detection.prompt_detectors import SCORE_COLUMNS
        from mmh.evaluation.names import PROMPTS, contrast_name
        from mmh.plotting import style
        from mmh.plotting.sharpness import by_step
        from mmh.prompts.lists import read_columns, read_prompts

        by_step.check_metrics(options.metrics)
        branch = {name: group for group, names in options.metrics.items() for name in names}
        scores = pd.concat([read_columns(path, SCORE_COLUMNS) for path in prompt_scores], ignore_index=True)
        known = read_prompts(prompts)
        areas = areas_by_step(known, scores, options.pair, list(branch), options.generations)
        areas.insert(1, "branch", areas["metric"].map(branch))
        rows = pd.read_csv(evaluation)
        contrast = rows["contrast"] == PROMPTS + contrast_name(*options.pair)
        text = rows[contrast & (rows["estimator"] == CONTROL)]
        anchors = pd.DataFrame(
            [anchor.model_dump() for anchor in options.anchors],
            columns=list(StepAnchor.model_fields),
        )
        fig = by_step.by_step_figure(
            areas,
            options.metrics,
            text.iloc[0] if len(text) else None,
            anchors,
            pair=options.pair,
            title=style.heading(None, "memorized prompts told at each step of sampling", about.experiment),
        )
        style.save(fig, pdf, png)
        kept = ["estimator", "n_positive", "n_negative", "n_clusters", "unit", "auc", "auc_low", "auc_high"]
        parts = {"auc": areas, "text": text[kept], "anchor": anchors.assign(step=1)}
        style.write_numbers([part.assign(kind=kind) for kind, part in parts.items() if len(part)], csv)
