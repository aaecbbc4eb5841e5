"""Options of the evaluation of detectors, on images and on prompts."""

from collections.abc import Iterator
from typing import Annotated

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
