"""Densities of LID_θ without image complexity, by label (paper Figs. 8a, 8b)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmh.figures.sample_lid import SampleLid

if TYPE_CHECKING:
    from mmh.plan.experiment import Experiment

RESIDUAL_AXIS = r"residual of $\widehat{\mathrm{LID}}_\theta$ on PNG size (dimensions)"


class LidComplexity(SampleLid):
    """Densities of LID_θ without image complexity, by label (paper Figs. 8a, 8b)."""

    name = "lid_complexity"
    paper = "Figs. 8a, 8b"
    papers = ("Fig. 8a", "Fig. 8b")
    shows = "LID_θ without PNG size (divided by it, or its residual), by label"
    caption = (
        "Figs. 8a, 8b. LID_θ with image complexity taken out as a confounder, by label: counts of dimensions "
        "(NB, Jacobian) are divided by PNG size, as in the paper; of FLIPD, which may be negative, the "
        "residual on PNG size is drawn, in dimensions: what its least-squares line leaves. While nobody has "
        "labelled the candidates, groups are their ranks, and the figure says so."
    )
    quantity = r"$\widehat{\mathrm{LID}}_\theta$ without complexity"
    axis = r"$\widehat{\mathrm{LID}}_\theta$ / PNG size (dimensions per 1000 bits)"
    factor = 1000.0  # an image has hundreds to thousands of bits, and small decimals are hard to read

    @classmethod
    def reads(cls, experiment: Experiment) -> dict[str, Any]:
        """The number in the title, and the axis of residuals, which are in dimensions."""
        asked = experiment.entry["figures"][cls.name]["estimators"]
        known = [name for name in asked if name in experiment.estimators]
        residuals = [name for name in known if experiment.score(name).name == "residual"]
        return {**super().reads(experiment), "axes": dict.fromkeys(residuals, RESIDUAL_AXIS)}
