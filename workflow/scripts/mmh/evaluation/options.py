"""Options of what scores are compared with: labels, another model, and limits for a verdict."""

from collections.abc import Iterator
from typing import Annotated, Literal

from mmh.errors import InputError
from mmh.evaluation.levels import levels_near
from mmh.options.base import EstimatorName, ExperimentName, Field, Options, Unique
from mmh.options.computed import not_on_samples, not_on_training_images
from mmh.options.entries import Config, Entry
from mmh.options.messages import did_you_mean
from mmh.scores.base import SCORES

Scores = Annotated[list[EstimatorName], Field(min_length=1), Unique()]


class Evaluation(Options):
    """AUC and TPR of scores against labels."""

    needs = ("retrieval", "labels", "estimators")

    estimators: Scores
    """Scores to evaluate."""
    baselines: Scores
    """Simple scores to beat."""
    resamples: int = Field(ge=100)
    """Bootstrap resamples: of the differences between raters."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """Curves where one number is wanted."""
        for key in ("estimators", "baselines"):
            for name in getattr(self, key):
                if isinstance(experiment.section("estimators").get(name, {}).get("t"), list):
                    yield f"{where}.{key}: {name!r} has a list of t; a score needs one"


class Paired(Options):
    """LID_* and LID_theta of two models at the same images."""

    control: ExperimentName
    """The other experiment."""
    items: str
    """Its image set that holds these training images."""
    estimator: str
    """LID_theta: an estimator of this name in both experiments."""
    data_estimator: str
    """LID_*: an estimator of the control."""
    others: Annotated[list[str], Unique()] = Field([])
    """Further estimators of LID_*, as by another radius rule, under which claims are asked, too."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """Names that one of the two experiments does not have."""
        if self.control not in experiment.config["experiments"]:
            return  # reported as an unknown name
        control = Entry(experiment.config, self.control)
        sets, own = control.section("image_sets"), experiment.section("estimators")
        if self.items not in sets:
            hint = did_you_mean(self.items, sets)
            yield f"{where}.items: {self.control} has no image set {self.items!r}{hint}"
        if self.estimator not in own:
            hint = did_you_mean(self.estimator, own)
            yield f"{where}.estimator: there is no estimator {self.estimator!r}{hint}"
        named = [("estimator", self.estimator), ("data_estimator", self.data_estimator)]
        for key, name in [*named, *(("others", other) for other in self.others)]:
            if name not in control.section("estimators"):
                hint = did_you_mean(name, control.section("estimators"))
                yield f"{where}.{key}: {self.control} has no estimator {name!r}{hint}"


class Verdicts(Options):
    """OD-Mem, DD-Mem, not memorized or undecided, item by item."""

    model_estimator: EstimatorName | None = None
    """LID_theta; not for paired images."""
    data_estimator: EstimatorName | None = None
    """LID_* of the match; not for paired images."""
    low: float
    """Dimension below which a manifold counts as small."""
    gap: float = Field(ge=0)
    """How far LID_theta may lie below LID_* without overfitting, dimensions."""
    errors: Literal["required", "optional"] = "required"
    """required: both LIDs have standard errors; optional: one without counts as exact, and tables say so."""
    levels: EstimatorName | None = None
    """LID_theta of calibration samples at several t: the spread within a factor of two of t0 is its standard
    error where its estimator gives none, as FLIPD with an exact trace."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """LID_theta is of samples, LID_* of training images, and both have errors."""
        paired = experiment.section("paired")
        given = self.model_fields_set
        for key in ("model_estimator", "data_estimator", "levels"):
            if paired and key in given:
                yield f"{where}.{key}: not for paired images, whose estimators stand under paired; remove it"
            elif not paired and key != "levels" and key not in given:
                yield f"{where}.{key}: missing; name an estimator"
        if self.model_estimator:
            yield from not_on_samples(experiment, [self.model_estimator], f"{where}.model_estimator")
        if self.data_estimator:
            yield from not_on_training_images(experiment, [self.data_estimator], f"{where}.data_estimator")
        estimators = experiment.section("estimators")
        curve = estimators.get(self.levels or "", {}).get("t")
        t0 = estimators.get(self.model_estimator or "", {}).get("t")
        if self.levels in estimators and not isinstance(curve, list):
            yield f"{where}.levels: {self.levels!r} has no list of t; name an estimator with several"
        elif curve and isinstance(t0, int | float):
            try:
                levels_near(curve, t0)
            except InputError as error:
                yield f"{where}.levels: {self.levels!r} {error}; add some"
        if self.errors == "required":
            yield from self._without_errors(experiment, where)

    def _without_errors(self, experiment: Entry, where: str) -> Iterator[str]:
        """Estimators that give no standard error."""
        paired, own = experiment.section("paired"), experiment.section("estimators")
        if paired:
            known = experiment.config["experiments"]
            control = Entry(experiment.config, paired["control"]) if paired["control"] in known else None
            other = control.section("estimators") if control else {}
            asked = [(own, paired["estimator"]), (other, paired["estimator"])]
            asked += [(other, paired["data_estimator"])]
        else:
            asked = [(own, self.data_estimator), *([] if self.levels else [(own, self.model_estimator)])]
        names = [name for blocks, name in asked if name in blocks and not _has_stderr(blocks[name])]
        for name in dict.fromkeys(names):
            remedy = "set errors: optional, and tables say that verdicts are without"
            remedy += "" if paired else "; of LID_theta, name levels" if name == self.model_estimator else ""
            yield f"{where}.errors: {name!r} gives no standard error; {remedy}"


def _has_stderr(block: Config) -> bool:
    return SCORES[block["method"]].has_stderr(block)
