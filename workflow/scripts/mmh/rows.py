"""Tables whose rows are modules: estimators, metrics of prompts, kinds of models, worlds, figures.

A row is a class in a module of its own. It says its name, its options and everything that rules, plan, cost,
configuration and figures ask of it, so adding one is adding a file. Modules of rows import nothing heavy at
their top: the Snakefile reads all of them. A row may also lie in a file outside of the checkout, a plug-in.

A block of the configuration that names a row holds three kinds of keys: the one that names it (`method`,
`kind`, `world`; a figure is named by its own key), those of `Row.planning`, which the plan reads, and those
of `Row.Options`, which its computation reads. No key stands in two of them.
"""

import functools
import hashlib
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Generic, TypeVar

from mmh.errors import InputError
from mmh.options import base as options
from mmh.options.base import Alternative
from mmh.options.entries import Entry
from mmh.options.plugin_rows import row_mistakes


class Row:
    """One row of a table.

    Attributes
    ----------
    name : str
        Its name in the configuration and in file names; a class without one is a base of rows.
    plugin : Path or None
        The file that it was taken from, if that lies outside of the package.
    Options : type
        What its computation is told: a subclass of `mmh.options.base.Options`, the base if nothing.
    """

    name: ClassVar[str] = ""
    plugin: ClassVar[Path | None] = None
    Options: ClassVar[type[options.Options]] = options.Options

    @classmethod
    def planning(cls) -> type[options.Options]:
        """Keys of its block that the plan reads, as `items` of an estimator: a table's base class says."""
        return options.Options

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Find what contradicts the rest of the experiment.

        Parameters
        ----------
        options : Options
            An object of this row's own `Options`: well formed, names in it not yet looked up.
        experiment : Entry
            The experiment that names the row. Every section in it is well formed.
        where : str
            Path of the block, as ``experiments.digits.estimators.flipd``; ``experiment.at(where)`` is the
            block as it was written, with the keys of the plan.

        Yields
        ------
        str
            One message per mistake: a path below `where`, a colon, what is wrong, and a remedy.
        """
        yield from ()


R = TypeVar("R", bound=Row)


class Table(Generic[R]):
    """The rows of one kind, by name.

    Parameters
    ----------
    what : str
        What a row is called in messages.
    package : str
        Package whose modules hold the rows.
    base : type
        Base class of the rows.
    """

    def __init__(self, what: str, package: str, base: type[R]) -> None:
        self.what, self.package, self.base = what, package, base
        self._rows: dict[str, type[R]] = {}
        self._read = False

    def rows(self) -> dict[str, type[R]]:
        """All rows by name, those of plug-ins last."""
        if not self._read:
            self._read = True
            package = importlib.import_module(self.package)
            for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
                self.add(importlib.import_module(f"{self.package}.{found.name}"))
        return self._rows

    def __getitem__(self, name: str) -> type[R]:
        rows = self.rows()
        if name not in rows:
            raise InputError(f"there is no {self.what} {name!r}; known: {', '.join(rows)}")
        return rows[name]

    def find(self, fits: Callable[[type[R]], bool]) -> type[R] | None:
        """Give the first row that something is true of, if there is one."""
        return next((row for row in self.rows().values() if fits(row)), None)

    def among(self, names: Iterable[str]) -> dict[str, type[R]]:
        """Give those rows that have one of some names, in the order of the table."""
        wanted = set(names)
        return {name: row for name, row in self.rows().items() if name in wanted}

    def add(self, module: ModuleType, plugin: Path | None = None) -> list[str]:
        """Take up the rows that a module defines.

        Parameters
        ----------
        module : module
        plugin : Path, optional
            Its file, if it is a plug-in.

        Returns
        -------
        list of str
            Their names.

        Raises
        ------
        InputError
            If a name is taken, or a plug-in's class is no row.
        """
        added = []
        own = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, self.base)]
        rows = [one for one in own if one.name and one.__module__ == module.__name__]
        wrong = [text for row in rows for text in row_mistakes(row)] if plugin else []
        if wrong:
            raise InputError(f"{plugin}: {'; '.join(wrong)}")
        for value in rows:
            taken = self._rows.get(value.name)
            if taken is not None:
                where = taken.plugin or sys.modules[taken.__module__].__file__
                raise InputError(
                    f"the {self.what} {value.name!r} exists already, in {where}; use another name"
                )
            value.plugin = plugin
            self._rows[value.name] = value
            added.append(value.name)
        return added


def root_of(row: type[Row]) -> tuple[str | Path, str]:
    """Say where a row's class lies, for the digest of the code of a job that asks for it by its name.

    Parameters
    ----------
    row : type

    Returns
    -------
    (str or Path, str)
        Module, or file of a plug-in, and name.
    """
    return row.plugin or row.__module__, row.__qualname__


def named_function(row: type[Row], name: str) -> Callable[..., Any]:
    """Import a function that a row names as ``module:function``; ``:function`` lies beside the row."""
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module or row.__module__), function)
    return found


def load_plugin(path: Path, tables: list[Table[Any]]) -> dict[str, list[str]]:
    """Import a plug-in and take up its rows.

    Parameters
    ----------
    path : Path
        A Python file.
    tables : list of Table
        The tables that it may add to.

    Returns
    -------
    dict of str to list of str
        Names that it adds, by what they are.

    Raises
    ------
    InputError
        If the file is missing, does not import, holds no row, or takes a name that exists.
    """
    path = Path(path)
    module = _imported(path)
    added = {table.what: names for table in tables if (names := _added(table, module, path))}
    if not added:
        kinds = ", ".join(table.what for table in tables)
        raise InputError(f"{path} defines none of: {kinds}; docs/plugins.md shows one of each")
    return added


def load_plugins(paths: Iterable[str | Path], *tables: Table[Any]) -> None:
    """Take up a job's rows of plug-ins, which the check of the configuration has seen."""
    for path in map(Path, paths):
        module = _imported(path)
        for table in tables:
            _added(table, module, path)


def _imported(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(
            f"there is no file {path}; a plug-in is a Python file, its path relative to the working folder"
        )
    name = f"mmh_plugin_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise InputError(f"{path} is no Python file; the name of a plug-in ends in .py")
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    try:
        found.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, Exception | SystemExit):
            raise InputError(f"{path} does not import: {_where(error, path)}") from error
        raise
    return module


def _added(table: Table[Any], module: ModuleType, path: Path) -> list[str]:
    known = [row.name for row in table.rows().values() if row.__module__ == module.__name__]
    return known or table.add(module, path)


def _where(error: BaseException, path: Path) -> str:
    """What went wrong, and in which line of the plug-in."""
    line, trace = getattr(error, "lineno", None), error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename).resolve() == path.resolve():
            line = trace.tb_lineno
        trace = trace.tb_next
    at = f" (line {line})" if line else ""
    return f"{type(error).__name__}: {error}{at}"


def rows_of(table: Table[Any]) -> Mapping[str, Alternative]:
    """What a block may hold that names a row of a table.

    Parameters
    ----------
    table : Table

    Returns
    -------
    dict of str to Alternative
    """
    return _alternatives(tuple(table.rows().values()))


@functools.cache
def _alternatives(rows: tuple[Any, ...]) -> Mapping[str, Alternative]:
    found = {}
    for row in rows:
        forms = (row.Options,) if row.planning() is options.Options else (row.planning(), row.Options)
        found[row.name] = Alternative(forms, row, getattr(row, "shows", ""))
    return found
