"""Options of the two answers: about someone's images, and about someone's prompts."""

from collections.abc import Iterator

from mmh.options.base import EstimatorName, Field, Options
from mmh.options.computed import not_on_training_images
from mmh.options.entries import Entry
from mmh.options.names import OWN_ITEMS


class ImageAnswer(Options):
    """Which training images does the model memorize."""

    needs = ("sampling",)

    holdout: str | None = None
    """Image set of the same kind that the model has not seen: the null; without it, the training images among
    themselves."""
    model_estimator: EstimatorName | None = None
    """LID_theta of training images, and of the hold-out images; without it, samples alone decide."""
    data_estimator: EstimatorName | None = None
    """LID_* of training images; with LID_theta it tells OD-Mem from DD-Mem."""
    neighbours: int = Field(default=50, ge=1)
    """Distinct training images around an image that say what is near there; fewer where there are fewer."""
    level: float = Field(default=0.05, gt=0, lt=1)
    """False discovery rate at which an image is called memorized."""
    shown: int = Field(default=48, ge=1)
    """Pairs on the contact sheet, and pictures in the table."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """Sets and scores that are not there."""
        sets = experiment.section("image_sets")
        if self.holdout is not None and (self.holdout in OWN_ITEMS or self.holdout not in sets):
            yield f"{where}.holdout: there is no image set {self.holdout!r}; name one under image_sets"
        for key in ("model_estimator", "data_estimator"):
            name = getattr(self, key)
            if name is None:
                continue
            yield from not_on_training_images(experiment, [name], f"{where}.{key}")
            items = experiment.section("estimators").get(name, {}).get("items", ())
            if key == "model_estimator" and self.holdout in sets and self.holdout not in items:
                yield f"{where}.model_estimator: {name!r} is not computed on {self.holdout}"
        if self.data_estimator and not self.model_estimator:
            yield f"{where}.model_estimator: missing; LID_* says something beside LID_theta alone"


class PromptAnswer(Options):
    """Which prompts does the model memorize."""

    needs = ("prompts",)

    asked: str
    """Prompt set that is asked about."""
    control: str | None = None
    """Prompt set that the model cannot have memorized: the null."""
    edited: bool = False
    """The control prompts were made by editing those asked about; the page then says how."""
    metric: str = "cfg_norm"
    """Metric under `prompts` that ranks, averaged over all steps and generations."""
    level: float = Field(default=0.05, gt=0, lt=1)
    """False discovery rate at which a prompt is called memorized."""
    shown: int = Field(default=12, ge=1)
    """Prompts whose generations are shown."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """Sets and metrics that are not there."""
        prompts = experiment.section("prompts")
        for key in ("asked", "control"):
            name = getattr(self, key)
            if name is not None and name not in prompts.get("sets", {}):
                yield f"{where}.{key}: there is no prompt set {name!r}; name one under prompts.sets"
        if self.metric not in prompts.get("metrics", (self.metric,)):
            yield f"{where}.metric: {self.metric!r} is not among prompts.metrics; add it there"
