"""Names that the configuration uses in one place and declares in another."""

from collections.abc import Iterable, Iterator, Mapping

from mmh.options.base import Named
from mmh.options.entries import Config, Entry
from mmh.options.forms import Node
from mmh.options.messages import did_you_mean

OWN_ITEMS = ("samples", "selected", "train")
# Scores that the retrieval of training images gives beside `estimators`.
DISTANCES = ("sscd", "calibrated_l2")


def unknown_names(found: Iterable[Node], config: Config, experiment: Entry | None) -> Iterator[str]:
    """Refuse names that nothing declares.

    Parameters
    ----------
    found : iterable of Node
        Parts of the configuration; those without a mark are passed over.
    config : mapping
    experiment : Entry or None
        Whose names are meant; None outside of the experiments.

    Yields
    ------
    str
        One message per name.
    """
    for node in found:
        named = node.kind.named
        if named and isinstance(node.value, str):
            known = named.names() if named.names else known_names(named.what, config, experiment)
            if node.value not in known:
                listed_ = isinstance(node.path[-1], int)
                path = (
                    node.path if named.what == "experiment" else [p for p in node.path if isinstance(p, str)]
                )
                yield f"{'.'.join(map(str, path))}: {_unknown(named, node.value, known, listed_)}"


def known_names(what: str, config: Config, experiment: Entry | None) -> list[str]:
    """Names of one sort that are declared.

    Parameters
    ----------
    what : str
        As in `Named`.
    config : mapping
    experiment : Entry or None

    Returns
    -------
    list of str
    """
    top = {"source": "sources", "descriptor": "descriptors", "experiment": "experiments"}
    if what in top:
        return list(config.get(top[what], {}))
    if experiment is None:
        return []
    estimators = [*experiment.section("estimators"), *experiment.section("accuracy").get("estimators", {})]
    sets = experiment.section("image_sets")
    match what:
        case "estimator":
            return [*estimators, *(DISTANCES if experiment.section("retrieval") else ())]
        case "computed estimator":
            return estimators
        case "item set":
            return [*OWN_ITEMS, *sets]
        case "image set":
            return [name for name, options in sets.items() if "experiment" not in options]
        case "prompt set":
            return list(experiment.section("prompts").get("sets", {}))
    raise ValueError(f"no names are declared as {what!r}")


def listed(names: Iterable[str]) -> str:
    """Names in alphabetical order, for a message."""
    return ", ".join(sorted(names)) or "none"


def prompt_set_mistakes(sets: Mapping[str, int], tune: int, experiment: Entry, where: str) -> Iterator[str]:
    """Sets of prompts that are not sampled, larger than they are, or all for tuning.

    Parameters
    ----------
    sets : mapping of str to int
        How many prompts of each a section asks for.
    tune : int
        First prompts of each that are not evaluated.
    experiment : Entry
    where : str
        Path of the section.

    Yields
    ------
    str
        One message per mistake.
    """
    known = experiment.section("prompts").get("sets", {})
    for name, n in sets.items():
        if name not in known:
            yield f"{where}.sets.{name}: prompts.sets has no such set; it has {listed(known)}"
            continue
        if n > known[name]:
            yield f"{where}.sets.{name}: {n} prompts where prompts.sets has {known[name]}"
        if n <= tune:
            yield f"{where}.tune: {tune} leaves none of the {n} prompts of {name!r} to evaluate"


def _unknown(named: Named, name: str, known: list[str], in_list: bool) -> str:
    hint = did_you_mean(name, known)
    match named.what:
        case "item set":
            return f"{name!r} is neither samples, selected, train nor one of image_sets{hint}"
        case "source" if in_list:
            return f"a list names the file {name!r}, which is not under sources{hint}"
        case "source":
            return f"there is no file {name!r} under sources{hint}"
        case "image set" | "prompt set" if named.said:
            return f"there is no {named.said} {name!r}; there are {listed(known)}{hint}"
        case "image set":
            return f"there is no image set {name!r}; there are {listed(known)}{hint}"
        case "metric":
            return f"there is no metric of prompts {name!r}; there are {', '.join(known)}{hint}"
        case "prompt set":
            return f"no prompts {name!r}; there are {listed(known)}{hint}"
        case "experiment" if in_list:
            return f"there is no experiment {name!r}{hint}; known: {', '.join(known)}"
    return f"there is no {named.what.split()[-1]} {name!r}{hint}"
