"""Checks of ``config.yaml`` before any job starts: all mistakes at once, each with path, value and remedy."""

import difflib
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from mmh.config.config_rules import name_errors, non_finite, section_errors
from mmh.errors import InputError
from mmh.io.spans import SELECTED
from mmh.plan.experiment import Experiment

Config = Mapping[str, Any]


def check_config(config: Config, schema: Mapping[str, Any], name: str = "config.yaml") -> None:
    """Refuse a configuration that has any mistake.

    Parameters
    ----------
    config : mapping
        As read from YAML.
    schema : mapping
        JSON schema, draft 2020-12 (``workflow/schemas/config.schema.json``).
    name : str
        File name for the messages.

    Raises
    ------
    InputError
        One line per mistake: unknown keys with the nearest known one, wrong types and values, and names that
        refer to nothing.
    """
    import jsonschema

    validator = jsonschema.Draft202012Validator(schema)
    found = sorted(validator.iter_errors(config), key=lambda error: list(map(str, error.absolute_path)))
    errors = [message for error in found for message in _schema_message(error)]
    errors += non_finite(config)
    # Cross references are followed in what is well formed, each experiment by itself.
    paths = [list(error.absolute_path) for error in found]
    if not any(
        len(path) < 2 and path[:1] not in ([key] for key in _PLAIN) for path in paths if path
    ) and not any(error.validator in {"type", "required"} for error in found if not error.absolute_path):
        broken = {path[1] for path in paths if path[:1] == ["experiments"] and len(path) > 1}
        errors += _reference_errors(config, broken)
    if errors:
        errors = list(dict.fromkeys(errors))
        lines = "\n".join(f"  {name}: {message}" for message in errors)
        count = f"{len(errors)} mistake{'s' if len(errors) > 1 else ''}"
        raise InputError(f"{count} in the configuration:\n{lines}")


def did_you_mean(word: str, known: Any) -> str:
    """Hint for a misspelt name.

    Parameters
    ----------
    word : str
    known : iterable of str

    Returns
    -------
    str
        ``" (did you mean 'x'?)"`` or the empty string.
    """
    close = difflib.get_close_matches(str(word), [str(k) for k in known], n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _schema_message(error: Any) -> list[str]:
    where = ".".join(str(part) for part in error.absolute_path)
    prefix = f"{where}." if where else ""
    value = error.instance
    match error.validator:
        case "additionalProperties":
            known = list(error.schema.get("properties", {}))
            unknown = [key for key in value if key not in known]
            return [
                f"{prefix}{key}: unknown key{did_you_mean(key, known)}; known here: {', '.join(known)}"
                for key in unknown
            ]
        case "required":
            missing = [key for key in error.validator_value if key not in value]
            return [f"{prefix}{key}: missing; {_meaning(error.schema, key)}" for key in missing]
        case "enum":
            allowed = ", ".join(map(repr, error.validator_value))
            hint = did_you_mean(value, error.validator_value)
            return [f"{where}: {value!r} is not allowed{hint}; one of {allowed}"]
        case "type":
            wanted = error.validator_value
            wanted = wanted if isinstance(wanted, str) else " or ".join(wanted)
            given = f"{where or 'the file'}: {value!r} is a {_type_name(value)}"
            return [f"{given}, expected {wanted}{_description(error)}"]
        case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum":
            allowed = _range(error.schema)
            return [f"{where}: {value!r} is out of range, expected {allowed}{_description(error)}"]
        case "oneOf" | "anyOf":
            return [f"{where}: {value!r} is not allowed{_description(error)}"]
    return [f"{where}: {error.message}{_description(error)}"]


def _meaning(schema: Mapping[str, Any], key: str) -> str:
    return str(schema.get("properties", {}).get(key, {}).get("description", "this key must be given"))


def _description(error: Any) -> str:
    text = error.schema.get("description") if isinstance(error.schema, Mapping) else None
    return f": {text}" if text else ""


def _type_name(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return "null" if value is None else names.get(type(value), type(value).__name__)


def _range(schema: Mapping[str, Any]) -> str:
    words = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    return " and ".join(f"{sign} {schema[key]}" for key, sign in words.items() if key in schema)


# Top-level keys that refer to nothing and that nothing refers to.
_PLAIN = ("seed", "threads", "offline")


def _reference_errors(config: Config, broken: set[str]) -> Iterator[str]:
    experiments = config["experiments"]
    for index, name in enumerate(config["run"]):
        if name not in experiments:
            yield (
                f"run.{index}: there is no experiment {name!r}{did_you_mean(name, experiments)}; "
                f"known: {', '.join(experiments)}"
            )
    if not broken:
        yield from name_errors(config)
    for name, entry in experiments.items():
        others = (
            {other["experiment"] for other in entry.get("image_sets", {}).values() if "experiment" in other}
            if name not in broken
            else set()
        )
        if (
            name not in broken
            and not others & broken
            and entry.get("paired", {}).get("control") not in broken
        ):
            yield from _experiment_errors(config, name, entry, f"experiments.{name}")
            yield from section_errors(config, name, f"experiments.{name}")


def _experiment_errors(config: Config, name: str, entry: Config, where: str) -> Iterator[str]:
    experiments = config["experiments"]
    estimators, image_sets = entry.get("estimators", {}), entry.get("image_sets", {})
    broken = False
    for key, other in image_sets.items():
        if key in {"samples", SELECTED, "train"}:
            yield f"{where}.image_sets.{key}: the name stands for this experiment's own images; use another"
        if "experiment" in other and other["experiment"] not in experiments:
            broken = True
            hint = did_you_mean(other["experiment"], experiments)
            yield f"{where}.image_sets.{key}.experiment: there is no experiment {other['experiment']!r}{hint}"
    for key, options in estimators.items():
        path = f"{where}.estimators.{key}"
        for items in options["items"]:
            if items not in {"samples", SELECTED, "train", *image_sets}:
                hint = did_you_mean(items, ["samples", SELECTED, "train", *image_sets])
                yield (
                    f"{path}.items: {items!r} is neither samples, selected, train nor one of image_sets{hint}"
                )
        if options["method"] == "ratio":
            for part in ("numerator", "denominator"):
                if options[part] not in estimators:
                    hint = did_you_mean(options[part], estimators)
                    yield f"{path}.{part}: there is no estimator {options[part]!r}{hint}"
        if (
            options["method"] == "local-pca"
            and not broken
            and options["k"] >= Experiment(config, name).n_train
        ):
            n = Experiment(config, name).n_train
            yield f"{path}.k: {options['k']} neighbours need more than {n} training images; use k < {n}"
    sampling = entry.get("sampling", {"calibration": 0, "n_samples": 0})
    if sampling["calibration"] > sampling["n_samples"]:
        n = sampling["n_samples"]
        yield f"{where}.sampling.calibration: {sampling['calibration']} exceeds n_samples, {n}"
    yield from _source_errors(Experiment(config, name), where)
    yield from _accuracy_errors(entry, where)
    yield from _retrieval_errors(config, name, entry, where)
    yield from _paired_errors(config, entry, where)
    yield from _estimator_names(entry, where, estimators)


def _source_errors(experiment: Experiment, where: str) -> Iterator[str]:
    config, entry = experiment.config, experiment.entry
    sources = config.get("sources", {})
    for section in ("data", "model"):
        name = entry.get(section, {}).get("source")
        if name is not None and name not in sources:
            hint = did_you_mean(name, sources)
            yield f"{where}.{section}.source: there is no file {name!r} under sources{hint}"
    for name in dict.fromkeys(experiment.listed_sources):
        if name not in sources:
            hint = did_you_mean(name, sources)
            yield f"{where}: a list names the file {name!r}, which is not under sources{hint}"
    for section in ("retrieval", "prompts"):
        yield from _descriptor_errors(config, entry.get(section, {}).get("descriptor"), f"{where}.{section}")


def _descriptor_errors(config: Config, descriptor: str | None, where: str) -> Iterator[str]:
    descriptors, sources = config.get("descriptors", {}), config.get("sources", {})
    if descriptor is not None and descriptor not in descriptors:
        hint = did_you_mean(descriptor, descriptors)
        yield f"{where}.descriptor: there is no descriptor {descriptor!r}{hint}"
    file = config.get("descriptors", {}).get(descriptor, {}).get("file")
    if file is not None and file not in sources:
        hint = did_you_mean(file, sources)
        yield f"descriptors.{descriptor}.file: there is no file {file!r} under sources{hint}"


def _retrieval_errors(config: Config, name: str, entry: Config, where: str) -> Iterator[str]:
    if "retrieval" not in entry:
        return
    neighbours, n = entry["retrieval"]["neighbours"], Experiment(config, name).n_train
    if neighbours >= n:
        yield f"{where}.retrieval.neighbours: {neighbours} neighbours need more training images than {n}"


def _paired_errors(config: Config, entry: Config, where: str) -> Iterator[str]:
    if "paired" not in entry:
        return
    paired, experiments = entry["paired"], config["experiments"]
    if paired["control"] not in experiments:
        hint = did_you_mean(paired["control"], experiments)
        yield f"{where}.paired.control: there is no experiment {paired['control']!r}{hint}"
        return
    control = experiments[paired["control"]]
    if paired["items"] not in control.get("image_sets", {}):
        hint = did_you_mean(paired["items"], control.get("image_sets", {}))
        yield f"{where}.paired.items: {paired['control']} has no image set {paired['items']!r}{hint}"
    if paired["estimator"] not in entry.get("estimators", {}):
        hint = did_you_mean(paired["estimator"], entry.get("estimators", {}))
        yield f"{where}.paired.estimator: there is no estimator {paired['estimator']!r}{hint}"
    for key in ("estimator", "data_estimator"):
        if paired[key] not in control.get("estimators", {}):
            hint = did_you_mean(paired[key], control.get("estimators", {}))
            yield f"{where}.paired.{key}: {paired['control']} has no estimator {paired[key]!r}{hint}"


def _accuracy_errors(entry: Config, where: str) -> Iterator[str]:
    if "accuracy" not in entry:
        if "estimator_accuracy" in entry.get("figures", {}):
            yield f"{where}.figures.estimator_accuracy: needs the section {where}.accuracy"
        return
    for key in entry:
        if key not in {"accuracy", "figures"}:
            yield f"{where}.{key}: an experiment on accuracy has no data, model or samples; remove {key}"
    accuracy = entry["accuracy"]
    laws, estimators = accuracy["laws"], accuracy["estimators"]
    for name in accuracy.get("learned", {}):
        if name not in laws:
            yield f"{where}.accuracy.learned.{name}: there is no law {name!r}{did_you_mean(name, laws)}"
    for name, law in laws.items():
        path = f"{where}.accuracy.laws.{name}"
        # A k-sphere bends through k + 1 coordinates.
        for dimension in law.get("dimensions", [law["dimension"] + 1] if "dimension" in law else []):
            if dimension > law["ambient"]:
                yield f"{path}.ambient: {law['ambient']} dimensions are too few; use {dimension} or more"
        if law.get("spectra_items", 0) > law["items"]:
            yield f"{path}.spectra_items: {law['spectra_items']} exceeds items, {law['items']}"
        for key, options in estimators.items():
            if options.get("probe") == "orthogonal" and options["trace"] > law["ambient"]:
                yield f"{path}.ambient: {key} asks for more orthogonal probes than {law['ambient']}"
    for name, options in estimators.items():
        if options["method"] == "local-pca" and options["k"] >= options["neighbours_from"]:
            n = options["neighbours_from"]
            yield f"{where}.accuracy.estimators.{name}.k: {options['k']} neighbours need more than {n} points"
    figure = entry.get("figures", {}).get("estimator_accuracy", {"estimates": [], "errors": []})
    for key, names in (("estimates", figure["estimates"]), ("errors", chain(*figure["errors"]))):
        for name in names:
            if name not in estimators:
                hint = did_you_mean(name, estimators)
                yield f"{where}.figures.estimator_accuracy.{key}: there is no estimator {name!r}{hint}"


# Keys whose values are names of estimators.
_NAMING = {
    "flipd_uncond",
    "cfg_norm",
    "guided_norm",
    "cfg_difference",
    "complexity",
    "guided",
    "difference",
    "large",
    "model_estimator",
    "data_estimator",
    "estimator",
    "estimators",
    "baselines",
    "chosen",
    "flipd",
    "model_estimators",
    "data_estimators",
    "ratios",
}


def _estimator_names(entry: Config, where: str, estimators: Config) -> Iterator[str]:
    """Names of estimators used by the evaluation, figures and claims."""
    known = {*estimators, *(("sscd", "calibrated_l2") if entry.get("retrieval") else ())}
    for section in ("evaluation", "verdicts", "figures", "claims", "detection"):
        for path, name in _named(entry.get(section, {}), f"{where}.{section}"):
            if name not in known:
                yield f"{path}: there is no estimator {name!r}{did_you_mean(name, known)}"


def _named(options: Config, path: str) -> Iterator[tuple[str, str]]:
    for key, value in options.items():
        # `complexity` is an option of the claims, and a figure with options of its own.
        if key in _NAMING and (key == "ratios" or not isinstance(value, Mapping)):
            yield from ((f"{path}.{key}", name) for name in _strings(value))
        elif isinstance(value, Mapping):
            yield from _named(value, f"{path}.{key}")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (*value.keys(), *value.values())
    else:
        yield from value
