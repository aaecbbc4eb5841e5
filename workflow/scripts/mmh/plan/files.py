"""What follows from the configuration alone: item counts, valid scores, files. Standard library only.

How many spans there are follows from counts and shard sizes in the configuration, so the whole plan is known
before any job runs.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mmh.io.spans import SELECTED, overlapping, spans

Config = Mapping[str, Any]

# Methods computed span by span into a table, span by span into spectra, or for a whole item set at once.
SPAN_METHODS = frozenset({"flipd", "cfg-norm", "score-norm", "decoded-png"})
SPECTRAL_METHODS = frozenset({"normal-bundle", "jacobian"})
RATIO = "ratio"
DOWNLOADS = "resources/downloads"
# A world whose images have captions, and the one of which only lists of images are at hand.
CAPTIONED_WORLD = "digits-text"
NO_TRAINING_SET = "none"


def n_train(experiment: Config) -> int:
    """Number of training images of an experiment.

    Parameters
    ----------
    experiment : mapping
        One entry of ``experiments``.

    Returns
    -------
    int
    """
    data = experiment["data"]
    if "n_train" in data:
        return int(data["n_train"])
    if data["world"] == CAPTIONED_WORLD:
        return int(data["n_memorized"] * data["copies"] + data["n_control"] + data["n_generic"])
    if data["world"] == NO_TRAINING_SET:
        return 0
    return int(data["n_ordinary"] + data["n_duplicated"] * data["copies"] + data["n_template_variants"])


def n_items(config: Config, experiment: str, items: str, subset: str | None = None) -> int:
    """Number of items in a set.

    Parameters
    ----------
    config : mapping
    experiment : str
    items : str
        ``samples``, ``selected``, ``train`` or an image set of the experiment.
    subset : str, optional
        ``calibration``: only the first samples, those used to choose t0.

    Returns
    -------
    int
    """
    entry = config["experiments"][experiment]
    if items == "samples":
        return int(entry["sampling"]["calibration" if subset == "calibration" else "n_samples"])
    if items == SELECTED:
        return int(entry["candidates"]["total"])
    if items == "train":
        return n_train(entry)
    other = entry["image_sets"][items]
    if "experiment" in other:
        return n_items(config, other["experiment"], other["items"])
    if "n" in other:
        return int(other["n"])
    data = entry["data"]
    return int(min(data["items"], data["n_generic"]) if items == "generic" else data[f"n_{items}"])


def image_files(config: Config, experiment: str, items: str, ids: range | None = None) -> list[str]:
    """Files that hold the images of an item set.

    Parameters
    ----------
    config : mapping
    experiment, items : str
    ids : range, optional
        Only the shards that hold one of these ids.

    Returns
    -------
    list of str
    """
    entry = config["experiments"][experiment]
    if items == "samples":
        n, size = int(entry["sampling"]["n_samples"]), int(entry["sampling"]["shard_size"])
        chosen = spans(n, size) if ids is None else overlapping(ids, n, size)
        return [f"results/{experiment}/samples/{span}.npz" for span in chosen]
    if items == SELECTED:
        return [f"results/{experiment}/selected.npz"]
    if items == "train":
        return [f"results/{experiment}/data/train.npz"]
    other = entry["image_sets"][items]
    if "experiment" in other:
        return image_files(config, other["experiment"], other["items"], ids)
    n, size = n_items(config, experiment, items), int(entry["latents"]["shard_size"])
    chosen = spans(n, size) if ids is None else overlapping(ids, n, size)
    return [f"results/{experiment}/latents/{items}/{span}.npz" for span in chosen]


def captioned_sets(experiment: Config) -> list[str]:
    """Name the sets of real images with captions.

    Parameters
    ----------
    experiment : mapping
        One entry of ``experiments``.

    Returns
    -------
    list of str
        In the order of the configuration.
    """
    return [name for name, entry in experiment.get("image_sets", {}).items() if "experiment" not in entry]


def caption_tables(config: Config, experiment: str) -> list[str]:
    """Tables beside the image sets with captions.

    Parameters
    ----------
    config : mapping
    experiment : str

    Returns
    -------
    list of str
    """
    names = captioned_sets(config["experiments"][experiment])
    return [f"results/{experiment}/image_sets/{name}.parquet" for name in names]


def prompt_files(config: Config, experiment: str, kind: str, suffix: str) -> list[str]:
    """Files of the prompts that are sampled, span by span.

    Parameters
    ----------
    config : mapping
    experiment : str
    kind : str
        Their folder: ``generations`` or ``prompt_scores``.
    suffix : str

    Returns
    -------
    list of str
        By set in the order of the configuration; nothing where no prompts are sampled.
    """
    options = config["experiments"][experiment].get("prompts", {"sets": {}})
    return [
        f"results/{experiment}/{kind}/{name}/{span}.{suffix}"
        for name, n in options["sets"].items()
        for span in spans(int(n), int(options["shard_size"]))
    ]


def score_spans(config: Config, experiment: str, items: str, estimator: str) -> list[str]:
    """Spans in which a score is computed.

    Parameters
    ----------
    config : mapping
    experiment, items, estimator : str

    Returns
    -------
    list of str
    """
    options = config["experiments"][experiment]["estimators"][estimator]
    return spans(n_items(config, experiment, items, options.get("subset")), int(options["shard_size"]))


def scores(config: Config, experiment: str) -> Iterator[tuple[str, str]]:
    """All (items, estimator) pairs of an experiment that are computed, ratios excluded.

    Parameters
    ----------
    config : mapping
    experiment : str

    Yields
    ------
    (str, str)
    """
    for name, options in config["experiments"][experiment].get("estimators", {}).items():
        if options["method"] != RATIO:
            for items in options["items"]:
                yield items, name


def score_files(config: Config, experiment: str) -> list[str]:
    """Score tables that ``gather_scores`` puts together.

    Parameters
    ----------
    config : mapping
    experiment : str

    Returns
    -------
    list of str
        Span tables for methods computed by span, one table per item set for the others.
    """
    files = []
    estimators = config["experiments"][experiment].get("estimators", {})
    for items, name in scores(config, experiment):
        folder = f"results/{experiment}/scores/{items}/{name}"
        if estimators[name]["method"] in SPAN_METHODS:
            files += [f"{folder}/{span}.parquet" for span in score_spans(config, experiment, items, name)]
        else:
            files.append(f"{folder}.parquet")
    return files


def numerics_files(config: Config, experiment: str) -> list[str]:
    """Outputs whose run records say how scores were computed.

    Parameters
    ----------
    config : mapping
    experiment : str

    Returns
    -------
    list of str
        Score tables and spectra.
    """
    files = []
    estimators = config["experiments"][experiment].get("estimators", {})
    for items, name in scores(config, experiment):
        method = estimators[name]["method"]
        if method in SPAN_METHODS - {"decoded-png"}:
            folder, suffix = f"results/{experiment}/scores/{items}/{name}", "parquet"
        elif method in SPECTRAL_METHODS:
            folder, suffix = f"results/{experiment}/spectra/{items}/{name}", "npz"
        else:
            if method == "local-pca":
                files.append(f"results/{experiment}/scores/{items}/{name}.parquet")
            continue
        files += [f"{folder}/{span}.{suffix}" for span in score_spans(config, experiment, items, name)]
    return files


def source_users(config: Config) -> dict[str, list[str]]:
    """Which experiments need each fetched file.

    Parameters
    ----------
    config : mapping

    Returns
    -------
    dict of str to list of str
        By the names under ``sources``, in their order.
    """
    users: dict[str, list[str]] = {name: [] for name in config.get("sources", {})}
    for experiment, entry in config["experiments"].items():
        descriptor = config.get("descriptors", {}).get(entry.get("retrieval", {}).get("descriptor"), {})
        other = config.get("descriptors", {}).get(entry.get("prompts", {}).get("descriptor"), {})
        parts = (entry.get("data", {}), entry.get("model", {}))
        parts += tuple({"source": one.get("file")} for one in (descriptor, other))
        for name in dict.fromkeys([*(part.get("source") for part in parts), *listed_sources(entry)]):
            if name in users:
                users[name].append(experiment)
    return users


def listed_sources(experiment: Config) -> list[str]:
    """Names of the fetched files that list images or prompts.

    Parameters
    ----------
    experiment : mapping
        One entry of ``experiments``.

    Returns
    -------
    list of str
        In the order of the configuration, some of them twice.
    """
    names = []
    for options in experiment.get("image_sets", {}).values():
        names += [*options.get("files", []), *options.get("captions", [])]
    return names + [options["file"] for options in experiment.get("prompt_lists", {}).values()]


def targets(config: Config) -> list[str]:
    """Everything that plain ``snakemake`` makes.

    Parameters
    ----------
    config : mapping

    Returns
    -------
    list of str
        Figures and result tables of the experiments in ``run``.
    """
    files = ["results/summary.txt", "results/passports.csv", "results/runtime.csv"] if config["run"] else []
    for name in config["run"]:
        entry = config["experiments"][name]
        files += [f"results/{name}/figures/{figure}.pdf" for figure in entry.get("figures", {})]
        files += result_tables(config, name)
    return files


def result_tables(config: Config, experiment: str) -> list[str]:
    """``evaluation.csv``, ``claims.csv`` and the like of an experiment, where it asks for them.

    Parameters
    ----------
    config : mapping
    experiment : str

    Returns
    -------
    list of str
    """
    entry = config["experiments"][experiment]
    named = {"evaluation": "evaluation", "detection": "evaluation", "claims": "claims"}
    named |= {"accuracy": "accuracy", "verdicts": "verdicts", "prompt_audit": "prompt_audit"}
    keys = [table for key, table in named.items() if entry.get(key)]
    keys += ["evaluation_raters"] if entry.get("evaluation") else []
    return [f"results/{experiment}/{key}.csv" for key in keys]


def all_result_tables(config: Config) -> list[str]:
    """Result tables of every experiment in ``run``.

    Parameters
    ----------
    config : mapping

    Returns
    -------
    list of str
    """
    return [file for name in config["run"] for file in result_tables(config, name)]


def accuracy_files(config: Config, experiment: str) -> list[str]:
    """Tables that ``gather_accuracy`` puts together, one per law, in the order of the configuration.

    Parameters
    ----------
    config : mapping
    experiment : str

    Returns
    -------
    list of str
    """
    laws = config["experiments"][experiment]["accuracy"]["laws"]
    return [f"results/{experiment}/accuracy/{law}.csv" for law in laws]


def wildcard_patterns(config: Config) -> dict[str, str]:
    """Regular expression of every wildcard, from the names in the configuration.

    Parameters
    ----------
    config : mapping

    Returns
    -------
    dict of str to str
    """
    experiments = config["experiments"]
    image_sets = {name for entry in experiments.values() for name in entry.get("image_sets", {})}
    estimators = {name for entry in experiments.values() for name in entry.get("estimators", {})}
    prompts = [entry.get("prompts", {}) for entry in experiments.values()]
    prompt_sets = {name for options in prompts for name in options.get("sets", {})}
    laws = {law for entry in experiments.values() for law in entry.get("accuracy", {}).get("laws", {})}

    def any_of(names: Any) -> str:
        return "|".join(re.escape(name) for name in sorted(names)) or "(?!)"

    return {
        "experiment": any_of(experiments),
        "item_set": any_of({"samples", SELECTED, "train"} | image_sets),
        "estimator": any_of(estimators),
        "descriptor": any_of(config.get("descriptors", {})),
        "law": any_of(laws),
        "prompt_set": any_of(prompt_sets),
        "source": any_of(config.get("sources", {})),
        "span": r"\d{6}-\d{6}",
    }
