"""Checks of the configuration before any job: all mistakes at once, each with path, value and remedy."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmh.config.files import ConfigFiles
from mmh.config.model import Configuration, experiment_mistakes, name_mistakes, structure_mistakes
from mmh.config.reading import Read, Reading, completed, with_integers
from mmh.config.tables import TABLES
from mmh.errors import InputError
from mmh.options.base import Alternative, Options
from mmh.options.entries import Config, Entry
from mmh.options.messages import Mistake
from mmh.options.names import unknown_names
from mmh.options.plugin_rows import mistakes_of
from mmh.rows import load_plugin

# Top-level keys that refer to nothing and that nothing refers to.
_PLAIN = ("seed", "threads", "offline")


def check_config(config: Config, files: ConfigFiles | None = None) -> dict[str, Any]:
    """Refuse a configuration that has any mistake.

    Parameters
    ----------
    config : mapping
        As read from YAML.
    files : ConfigFiles, optional
        The files that it comes from, which messages name; ``config.yaml`` by default.

    Returns
    -------
    dict
        The configuration with the defaults of what was left out.

    Raises
    ------
    InputError
        One line per mistake: unknown keys with the nearest known one, wrong types and values, and names that
        refer to nothing.
    """
    plugins = list(_load_plugins(config))
    reading = Reading()
    reading.block(Alternative((Configuration,)), config, ())
    if (whole := with_integers(config, reading.mistakes)) is not None:
        config, reading = whole, Reading()
        reading.block(Alternative((Configuration,)), config, ())
    found = list(dict.fromkeys([*reading.mistakes, *structure_mistakes(config)]))
    found.sort(key=lambda mistake: list(map(str, mistake.block)))
    lines = [(mistake.path, str(mistake)) for mistake in [*plugins, *found]]
    lines += [(place, text) for place, text in _non_finite(config)]
    lines += [(_place(config, text), text) for text in _contradictions(config, reading, found)]
    told = [f"{files.origin(place) if files else 'config.yaml'}: {text}" for place, text in lines]
    told = list(dict.fromkeys([*(f"{one.file}: {one}" for one in files.repeats), *told] if files else told))
    if told:
        count = f"{len(told)} mistake{'s' if len(told) > 1 else ''}"
        raise InputError(f"{count} in the configuration:\n" + "\n".join(f"  {line}" for line in told))
    return completed(config, reading.read)


def _load_plugins(config: Config) -> Iterator[Mistake]:
    files = config.get("plugins")
    for index, file in enumerate(files if isinstance(files, list) else []):
        try:
            if isinstance(file, str):
                load_plugin(Path(file), TABLES)
        except InputError as error:
            place = ("plugins", index)
            yield Mistake(place, str(error), place)


def _non_finite(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Name every number that is NaN or infinite; YAML can write them, and some ranges let them pass."""
    if isinstance(value, float) and not math.isfinite(value):
        yield path, f"{'.'.join(map(str, path))}: {value} is not a finite number"
    elif isinstance(value, Mapping | list):
        parts = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, inner in parts:
            yield from _non_finite(inner, (*path, key))


def _contradictions(config: Config, reading: Reading, found: list[Mistake]) -> Iterator[str]:
    """Follow what refers to something else, each experiment by itself, where all is well formed."""
    paths = [mistake.block for mistake in found]
    outside = [mistake for mistake in found if len(mistake.block) < 2 and mistake.path[:1] not in _plain()]
    if any(mistake.path[:1] in (("experiments",), ("run",)) or mistake.block for mistake in outside):
        return
    broken = {path[1] for path in paths if path[:1] == ("experiments",) and len(path) > 1}
    yield from unknown_names(
        (node for node in reading.nodes if node.path[:1] != ("experiments",)), config, None
    )
    if not broken:
        yield from name_mistakes(config)
    for name, entry in config["experiments"].items():
        others = (
            {options.get("experiment") for options in entry.get("image_sets", {}).values()}
            | {entry.get("paired", {}).get("control")}
            if name not in broken
            else set()
        )
        if name in broken or others & broken:
            continue
        experiment, path = Entry(config, name), ("experiments", name)
        own = (node for node in reading.nodes if node.path[:2] == path)
        yield from unknown_names(own, config, experiment)
        yield from (str(mistake) for mistake in reading.misplaced if mistake.path[:2] == path)
        yield from experiment_mistakes(experiment)
        for one in reading.read:
            if one.path[:2] == path:
                yield from _of_block(one, experiment)


def _plain() -> list[tuple[str]]:
    return [(key,) for key in _PLAIN]


def _of_block(one: Read, experiment: Entry) -> Iterator[str]:
    where = ".".join(map(str, one.path))
    if one.row is None:
        yield from _of_options(one.options, experiment, where)
        return
    needs = getattr(one.row, "needs", ())  # of figures: sections
    yield from lacking(needs, experiment, where) if isinstance(needs, tuple) else ()
    world = getattr(one.row, "world", "")
    if world and experiment.world != world:
        yield f"{where}: is about the world {world} only"
    yield from mistakes_of(one.row, lambda: one.row.check(one.options, experiment, where), where)


def _of_options(options: Options, experiment: Entry, where: str) -> Iterator[str]:
    """Mistakes of a section and of the sections in it."""
    yield from lacking(options.needs, experiment, where)
    yield from options.mistakes(experiment, where)
    for key in type(options).model_fields:
        value = getattr(options, key)
        inner = value.items() if isinstance(value, dict) else [("", value)]
        for name, part in inner:
            if isinstance(part, Options):
                yield from _of_options(part, experiment, ".".join(filter(None, (where, key, name))))


def lacking(needs: tuple[str, ...], experiment: Entry, where: str) -> Iterator[str]:
    """Sections that something needs and the experiment does not have."""
    for section in needs:
        if not experiment.entry.get(section):
            yield f"{where}: needs the section {section!r}, which this experiment lacks"


def _place(config: Config, text: str) -> tuple[Any, ...]:
    """The path that a message begins with, as keys and indices; names may contain dots."""
    rest, path = text.partition(": ")[0], []
    part: Any = config
    while rest:
        keys = [str(key) for key in part] if isinstance(part, Mapping) else []
        fitting = [key for key in keys if rest == key or rest.startswith(f"{key}.")]
        key = max(fitting, key=len) if fitting else rest.partition(".")[0]
        path.append(key)
        part = part.get(key) if isinstance(part, Mapping) else None
        rest = rest[len(key) + 1 :]
    return tuple(path)
