"""Options of the evaluation of detectors, on images and on prompts."""

from collections.abc import Iterator
from typing import Annotated, Literal

from mmh.evaluation.names import Detector
from mmh.metrics.base import DEFAULT, asked_metrics
from mmh.options.base import EstimatorName, Field, Named, Options, Unique
from mmh.options.entries import Entry

ImagePair = Annotated[list[Annotated[str, Named("image set", "set")]], Field(min_length=2, max_length=2)]
PromptPair = Annotated[list[Annotated[str, Named("prompt set", "set")]], Field(min_length=2, max_length=2)]
Count = Annotated[int, Field(ge=1)]


class ImageDetection(Options):
    """Detectors on image sets."""

    pairs: Annotated[list[ImagePair], Field(min_length=1)]
    """Contrasts: a set of memorized images and a set of others."""
    estimators: Annotated[list[EstimatorName], Field(min_length=1), Unique()]
    """Scores."""
    baselines: Annotated[list[EstimatorName], Unique()]
    """Scores that need no model."""
    large: Annotated[list[EstimatorName], Unique()] | None = None
    """Scores whose large values speak for memorization; by default those whose method says so."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """Scores that are asked for at images where they are not computed: else hours later an error."""
        scores = [*self.estimators, *self.baselines]
        for name in self.large or ():
            if name not in scores:
                yield f"{where}.large: {name!r} is not among its estimators"
        yield from not_computed(experiment, scores, [name for pair in self.pairs for name in pair], where)


class PromptDetection(Options):
    """Detectors on prompts."""

    pairs: Annotated[list[PromptPair], Field(min_length=1)]
    """Contrasts: a set of memorized prompts and a set of others."""
    steps: Annotated[list[Count], Field(min_length=1), Unique()]
    """Numbers of first steps to average, besides all."""
    generations: Annotated[list[Count], Field(min_length=1), Unique()]
    """Numbers of generations to average."""
    match: bool
    """Add each contrast among prompts that agree in length and capitals."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """Averages over more than there is."""
        for key in ("generations", "steps"):
            most = experiment.section("prompts").get(key)
            for n in getattr(self, key):
                if most is not None and n > most:
                    yield f"{where}.{key}: {n}, but prompts.{key} is {most}"


class Detection(Options):
    """AUC and TPR of detectors of memorized images and prompts."""

    images: ImageDetection | None = None
    """On image sets."""
    prompts: PromptDetection | None = None
    """On prompts."""
    resamples: int = Field(ge=1)
    """Bootstrap resamples of the bands of the ROC curves."""


class FitOptions(Options):
    """Detectors that are fitted together, out of fold."""

    by: Literal["logistic", "region"] = "logistic"
    """logistic: regression; region: distance from the region of ordinary prompts."""
    of: Annotated[list[str], Field(min_length=1), Unique()]
    """Detectors."""


class Combination(Options):
    """Which detectors of prompts add to others: docs/detectors.md."""

    pairs: Annotated[list[PromptPair], Field(min_length=1)]
    """Contrasts: a set of memorized prompts and a set of others."""
    base: str
    """The detector that others are to add to, such as cfg_norm.first.n1."""
    detectors: Annotated[list[str], Field(min_length=1), Unique()]
    """The others: each alone, and fitted together with it."""
    fits: dict[str, FitOptions] = {}
    """Further fits, by name."""
    shuffles: int = Field(default=100, ge=2)
    """Shuffled labels that say what chance gives."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """Detectors that are not evaluated."""
        named = [("base", self.base), *(("detectors", name) for name in self.detectors)]
        named += [(f"fits.{fit}.of", name) for fit, options in self.fits.items() for name in options.of]
        asked = experiment.section("detection").get("prompts", {})
        if not asked:
            yield f"{where}: needs detection.prompts, whose steps and generations it takes"
            return
        for key, name in dict.fromkeys(named):
            found = Detector.parse(name)
            if found is None:
                yield f"{where}.{key}: {name!r} is no detector; write <metric>.<steps>.n<generations>"
            elif found.metric not in experiment.section("prompts").get("metrics", DEFAULT):
                yield f"{where}.{key}: {name!r}, but prompts.metrics has no {found.metric!r}"
            elif found.step == 1 and 1 in asked["steps"]:
                yield f"{where}.{key}: {name!r} is called {found.metric}.first.n{found.generations}"
            elif found.step is not None and found.step not in _steps_of(experiment, found.metric):
                yield f"{where}.{key}: {name!r}, but prompts.metrics.{found.metric}.steps has no {found.step}"
            elif found.generations not in asked["generations"]:
                yield f"{where}.{key}: {name!r}, but detection.prompts.generations has no {found.generations}"


def _steps_of(experiment: Entry, metric: str) -> list[int]:
    """Numbers of the steps that a metric is asked for at."""
    asked = asked_metrics(experiment.section("prompts")).get(metric)
    return list(getattr(asked, "steps", None) or [])


class FieldTable(Options):
    """All detectors of prompts beside what was published: docs/detectors.md."""

    model: Literal["SD 1.4", "SD 2.0"] = "SD 1.4"
    """Whose published values stand beside."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """Nothing to list."""
        if not experiment.section("detection").get("prompts"):
            yield f"{where}: needs detection.prompts: it lists what is evaluated there"


def not_computed(experiment: Entry, names: list[str], sets: list[str], where: str) -> Iterator[str]:
    """Scores that are wanted on image sets on which they are not computed.

    Parameters
    ----------
    experiment : Entry
    names : list of str
        Estimators.
    sets : list of str
        Image sets on which they are wanted.
    where : str
        What wants them.

    Yields
    ------
    str
        One message per pair.
    """
    for name in dict.fromkeys(names):
        computed = experiment.section("estimators").get(name, {}).get("items", sets)
        for items in dict.fromkeys(sets):
            if items not in computed:
                yield f"{where}: {name!r} is not computed on {items!r}; add it to its items"
