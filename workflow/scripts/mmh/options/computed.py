"""Whether the estimators that a section names are of the kind that it reads."""

from collections.abc import Iterable, Iterator

from mmh.options.entries import Entry

OWN = ("samples", "selected")


def not_on_samples(experiment: Entry, names: Iterable[str], where: str) -> Iterator[str]:
    """Find estimators that give samples no score.

    Parameters
    ----------
    experiment : Entry
    names : iterable of str
        Estimators; those that are not declared are passed over.
    where : str
        Path of the key that names them.

    Yields
    ------
    str
        One message per estimator.
    """
    for name in names:
        items = experiment.section("estimators").get(name, {}).get("items", OWN)
        if not set(items) & set(OWN):
            yield f"{where}: {name!r} is not computed on samples, but on {', '.join(items)}; name one that is"


def not_on_training_images(experiment: Entry, names: Iterable[str], where: str) -> Iterator[str]:
    """Find estimators that give training images no score; as `not_on_samples`."""
    for name in names:
        items = experiment.section("estimators").get(name, {}).get("items", ("train",))
        if "train" not in items:
            yield f"{where}: {name!r} is not computed on train, but on {', '.join(items)}; name one that is"


def of_another_method(experiment: Entry, name: str, method: str, where: str) -> Iterator[str]:
    """Find an estimator that is of another method than the one that is read; as `not_on_samples`."""
    found = experiment.section("estimators").get(name, {}).get("method", method)
    if found != method:
        yield f"{where}: {name!r} is of the method {found!r}; name one of the method {method!r}"
