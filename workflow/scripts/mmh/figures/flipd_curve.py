"""FLIPD and its AUC against the noise level t, which is how t0 is chosen (calibration samples)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.figures.base import About, Figure, Files
from mmh.options import base as options
from mmh.options.base import EstimatorName

if TYPE_CHECKING:
    from pathlib import Path

    from mmh.plan.experiment import Experiment


class FlipdCurve(Figure):
    """FLIPD and its AUC against the noise level t, which is how t0 is chosen (calibration samples)."""

    name = "flipd_curve"
    paper = ""
    shows = "FLIPD and its AUC against t0: how t0 is chosen"
    caption = (
        "How t0 is chosen: FLIPD by label, and its AUC, against the noise level, on the calibration "
        "samples, which no evaluation uses. Dashed: the t0 in use. Dotted, the rule: the smallest level from "
        "which on the median of the group that lies lowest moves by at most one dimension up to twice it. "
        "Intervals are given this one model."
    )
    needs = ("retrieval", "labels", "estimators")

    class Options(options.Options):
        """Options of the figure."""

        estimator: EstimatorName
        """name of an estimator"""
        chosen: EstimatorName
        """estimator whose t is marked"""

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        tables = {name: f"{experiment.folder}/{name}.parquet" for name in ("scores", "labels", "matches")}
        return {**tables, "train": f"{experiment.folder}/data/train.parquet"}

    @staticmethod
    def draw(  # type: ignore[override]
        *,
        scores: Path,
        labels: Path,
        matches: Path,
        train: Path,
        pdf: Path,
        png: Path,
        csv: Path,
        options: FlipdCurve.Options,
        about: About,
    ) -> None:
        """Draw the figure from the calibration samples, which no other figure shows."""
        import pandas as pd

        from mmh.evaluation import selection
        from mmh.evaluation.groups import read_classes
        from mmh.io.table_files import read_table
        from mmh.io.tables import ALL_SCORES
        from mmh.plotting import curve, groups, style

        table = read_table(scores, ALL_SCORES)
        frame = selection.select(table, options.estimator, "samples").merge(
            read_classes(labels, matches), left_on="item", right_on="sample"
        )
        frame = groups.clustered(frame[frame["item"] < about.calibration], train)
        numbers = curve.curve_numbers(frame)
        chosen = float(selection.single(table, options.chosen, "samples")["t"].iloc[0])
        heading = f"FLIPD against the noise level, {frame['item'].nunique()} calibration samples"
        fig = curve.curve_figure(numbers, chosen, title=style.heading(None, heading, about.experiment))
        style.save(fig, pdf, png)
        used = pd.DataFrame([{"quantity": curve.CHOSEN, "t": chosen}])
        style.write_numbers(pd.concat([numbers, used], ignore_index=True), csv)
