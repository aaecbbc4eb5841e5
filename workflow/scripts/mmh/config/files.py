"""The YAML files of a configuration: which of them a key comes from, and what is wrong with a file."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mmh.config.yaml_values import DEEP, is_deep, place_of_unreadable
from mmh.errors import InputError

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Repeat:
    """A key that a mapping has twice; YAML keeps the last one alone and says nothing.

    Attributes
    ----------
    file : str
    path : tuple of str
        Of the key.
    lines : tuple of int
        Every line that it stands on, from 1.
    """

    file: str
    path: tuple[str, ...]
    lines: tuple[int, ...]

    def __str__(self) -> str:
        often = "twice" if len(self.lines) == 2 else f"{len(self.lines)} times"
        lines = ", ".join(map(str, self.lines[:-1])) + f" and {self.lines[-1]}"
        where = f"on lines {lines}" if len(set(self.lines)) > 1 else f"on line {self.lines[0]}"
        remedy = "YAML keeps only the last of them: rename or remove the others"
        return f"{'.'.join(self.path)}: written {often}, {where}; {remedy}"


@dataclass(frozen=True)
class YamlFile:
    """A file of the configuration, as it was read."""

    name: str
    value: Mapping[str, Any]
    repeats: tuple[Repeat, ...] = ()

    def has(self, path: Sequence[Any]) -> bool:
        """Whether the file has a key or an item."""
        part: Any = self.value
        for key in path:
            if isinstance(part, Mapping):
                part = next((inner for name, inner in part.items() if str(name) == str(key)), _NOTHING)
            elif isinstance(part, list) and isinstance(key, int) and key < len(part):
                part = part[key]
            else:
                return False
        return part is not _NOTHING


_NOTHING = object()
_TOO_DEEP: Mapping[str, Any] = {}


def read_yaml(path: Path, name: str = "") -> YamlFile:
    """Read a mapping from a YAML or JSON file.

    Parameters
    ----------
    path : Path
    name : str
        For messages; the path by default.

    Returns
    -------
    YamlFile

    Raises
    ------
    InputError
        If the file cannot be read, with the line that YAML stumbles over; or if it is no mapping.
    """
    name = name or str(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{name}: cannot be read ({' '.join(str(error).split())})") from error
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        repeats = tuple(_repeats(node, name, (), set())) if node else ()
        value = loader.construct_document(node) if node else None
    except yaml.YAMLError as error:
        value, repeats = _json(text), ()
        if value is None:
            raise InputError(_stumbles(_in_words(text) or error, text, name)) from error
    except (ValueError, KeyError, OverflowError) as error:
        place = place_of_unreadable(node)
        raise InputError(f"{name}{place}: {error}; mend the value, or put a text in quotes") from error
    except RecursionError:
        value, repeats = _TOO_DEEP, ()
    finally:
        loader.dispose()
    if value is None:
        raise InputError(f"{name}: holds no keys, so it is not a mapping; write some, or leave the file out")
    if not isinstance(value, Mapping):
        raise InputError(f"{name}: is not a mapping of keys to values")
    if value is _TOO_DEEP or is_deep(value):
        raise InputError(f"{name}: {DEEP}")
    return YamlFile(name, value, repeats)


def _json(text: str) -> Any:
    """Snakemake takes JSON too, with tabs that YAML does not allow."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _in_words(text: str) -> yaml.YAMLError | None:
    """The error once more: the loader in Python says more than the quick one."""
    try:
        yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        return error
    except RecursionError:
        return None
    return None


def _repeats(node: Any, file: str, path: tuple[str, ...], seen: set[int]) -> Iterator[Repeat]:
    """Keys that a mapping, or one in it, has twice."""
    if id(node) in seen:
        return  # an anchor's mapping is looked at once
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, inner in enumerate(node.value):
            yield from _repeats(inner, file, (*path, str(index)), seen)
    elif isinstance(node, yaml.MappingNode):
        lines: dict[tuple[str, str], list[int]] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                lines.setdefault((key.tag, key.value), []).append(key.start_mark.line + 1)
        for (_, name), places in lines.items():
            if len(places) > 1:
                yield Repeat(file, (*path, name), tuple(places))
        for key, inner in node.value:
            yield from _repeats(inner, file, (*path, str(key.value)), seen)


def _stumbles(error: yaml.YAMLError, text: str, name: str) -> str:
    """Say where YAML cannot go on, and show the line with a mark below the column."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or " ".join(str(error).split())
    if mark is None:
        return f"{name}: is no valid YAML: {problem}"
    said = [problem.replace("character '\\t'", "a tab")]
    context, begun = getattr(error, "context", None), getattr(error, "context_mark", None)
    if context and begun and (begun.line, begun.column) != (mark.line, mark.column):
        said.append(f"{context} that begins on line {begun.line + 1}, column {begun.column + 1}")
    lines = text.splitlines()
    row = min(mark.line, len(lines) - 1)
    column = mark.column if row == mark.line else len(lines[row])
    shown = lines[row].replace("\t", " ") if lines else ""
    return (
        f"{name}, line {row + 1}, column {column + 1}: is no valid YAML: {', '.join(said)}\n"
        f"    {shown}\n    {' ' * column}^"
    )


class ConfigFiles:
    """Files of a configuration in the order in which later ones overrule earlier ones.

    Parameters
    ----------
    files : sequence of Path
    given : mapping, optional
        What the option ``--config`` says; overrules all files.

    Raises
    ------
    InputError
        If a file cannot be read.
    """

    def __init__(self, files: Sequence[Path], given: Mapping[str, Any] | None = None) -> None:
        self.files = [read_yaml(path, _shown(path)) for path in files]
        if given:
            self.files.append(YamlFile("--config", given))

    @classmethod
    def of_workflow(cls, file: str, settings: Any) -> "ConfigFiles":
        """The files that Snakemake joins: the workflow's own, then those of its options.

        Parameters
        ----------
        file : str
            What the Snakefile names under ``configfile``.
        settings : snakemake.settings.types.ConfigSettings
            `configfiles`, `config` and `replace_workflow_config`.
        """
        own = [] if settings.replace_workflow_config or not Path(file).is_file() else [Path(file)]
        return cls([*own, *map(Path, settings.configfiles)], settings.config)

    @classmethod
    def of_options(cls, file: Path, options: Sequence[str]) -> "ConfigFiles":
        """The same from options of Snakemake's command line, as they were typed.

        Parameters
        ----------
        file : Path
            What the Snakefile names under ``configfile``.
        options : sequence of str
            ``--configfile``, ``--config`` and ``--replace-workflow-config`` are read, others passed over.
        """
        files: list[Path] = []
        given: dict[str, Any] = {}
        key = ""
        for option in options:
            if option.startswith("-"):
                key, _, first = option.partition("=")
                words = [first] if first else []
            else:
                words = [option]
            if key in ("--configfile", "--configfiles"):
                files += [Path(word) for word in words]
            elif key in ("--config", "-C"):
                given |= dict(map(_given, words))
        own = [] if "--replace-workflow-config" in options else [file]
        return cls([*own, *files], given)

    @property
    def repeats(self) -> list[Repeat]:
        """Keys that a mapping has twice."""
        return list(dict.fromkeys(repeat for file in self.files for repeat in file.repeats))

    def origin(self, path: Sequence[Any]) -> str:
        """Name the file that a key comes from, or the part around it if no file has it."""
        for depth in range(len(path), 0, -1):
            for file in reversed(self.files):
                if file.has(path[:depth]):
                    return file.name
        return self.files[0].name if self.files else "config.yaml"

    def merged(self) -> dict[str, Any]:
        """All files as one mapping, as Snakemake joins them: later values overrule earlier ones."""
        whole: dict[str, Any] = {}
        for file in self.files:
            _update(whole, file.value)
        return whole


def _given(word: str) -> tuple[str, Any]:
    """A key and its value, from ``--config``."""
    name, _, text = word.partition("=")
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, KeyError, OverflowError, RecursionError) as error:
        problem = getattr(error, "problem", None) or " ".join(str(error).split())
        raise InputError(
            f"--config {word}: the value is no valid YAML: {problem}; put it in quotes"
        ) from error
    if is_deep(value):
        raise InputError(f"--config {name}: {DEEP}")
    return name, value


def _update(whole: dict[str, Any], part: Mapping[str, Any]) -> None:
    for key, value in part.items():
        if isinstance(value, Mapping):
            within = whole.get(key)
            whole[key] = dict(within) if isinstance(within, Mapping) else {}
            _update(whole[key], value)
        else:
            whole[key] = value


def _shown(path: Path) -> str:
    """A path as a person would write it: from the working folder, if it lies below."""
    path = Path(path)
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_absolute() and path.is_relative_to(here) else str(path)
