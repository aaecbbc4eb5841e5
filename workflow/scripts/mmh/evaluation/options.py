"""Options of what scores are compared with: labels, another model, and limits for a verdict."""

from collections.abc import Iterator
from typing import Annotated

from mmh.options.base import EstimatorName, ExperimentName, Field, Options, Unique
from mmh.options.computed import not_on_samples, not_on_training_images
from mmh.options.entries import Entry
from mmh.options.messages import did_you_mean

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
        for key, name in (("estimator", self.estimator), ("data_estimator", self.data_estimator)):
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

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """LID_theta is of samples, LID_* of training images."""
        if self.model_estimator:
            yield from not_on_samples(experiment, [self.model_estimator], f"{where}.model_estimator")
        if self.data_estimator:
            yield from not_on_training_images(experiment, [self.data_estimator], f"{where}.data_estimator")
