"""The definitions that a job can reach, from its script on, and their digest.

A name leads to what it stands for, wherever that lies; how a file or a module is called does not count. What
no name leads to, as rows of tables are asked for by strings, is given as a root.
"""

import hashlib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from mmh.digest.classes import is_registered, split
from mmh.digest.frame import is_frame
from mmh.digest.modules import Code, Definition, Module
from mmh.digest.names import Reading
from mmh.digest.reading import read
from mmh.digest.scopes import with_parents
from mmh.digest.words import ANY

Root = tuple[str | Path, str | None]
"""A Python file or a dotted module of the package, and a name in it; None for all that it defines."""

Heard = frozenset[str]
"""Errors whose texts the code reads."""


class Reach:
    """What can be reached in one state of the code.

    Parameters
    ----------
    code : Code
    """

    def __init__(self, code: Code) -> None:
        self.code = code
        self._readings: dict[tuple[Definition, Heard], Reading] = {}
        self._texts: dict[tuple[Definition, Heard], str] = {}
        self._registered: dict[Module, list[Definition]] = {}
        rows = code.module("mmh.rows")
        tables = code.lookup(rows, "Table") if rows is not None else []
        self._tables = frozenset(one for one in tables if isinstance(one, Definition))

    def edited(self, edits: Mapping[Path, str | None]) -> "Reach":
        """What could be reached with other texts in place of some files, None for no file."""
        code, names = self.code.edited(edits)
        other = Reach(code)
        for key, reading in self._readings.items():
            if key[0].module.name not in names and reading.asked.isdisjoint(names):
                other._readings[key] = reading
                other._texts.update({key: self._texts[key]} if key in self._texts else {})
        return other

    def digest(self, script: str, *roots: Root) -> str:
        """As `mmh.digest.code.code_digest`."""
        reached, heard = self.reached(script, *roots)
        count: dict[str, int] = {}
        for one in reached:
            count[one.name] = count.get(one.name, 0) + 1
        items, files, closures = [], set[Path](), dict[Definition, str]()
        for one in reached:
            reading = self.read(one, heard)
            files |= reading.files
            # Where a name stands for several things, what each use of it stands for counts as well.
            several = [n for n in reading.names if count.get(n.name, 0) > 1 and n is not one and n in reached]
            for n in set(several) - closures.keys():
                closures[n] = self._closure(n, heard, reached)
            items.append(" ".join([self._text(one, heard), *(closures[n] for n in several)]))
        items += [hashlib.sha256(self.code.read(path)).hexdigest() for path in files]
        return _hash(sorted(items))[:16]

    def reached(self, script: str, *roots: Root) -> tuple[set[Definition], Heard]:
        """The definitions that a job can reach, and the errors whose texts they read."""
        first = self.code.script(self.code.folder / script)
        starts = [first.main, first.effects, *(one for root in roots for one in self._root(root))]
        heard: Heard = frozenset()
        while True:
            walk = _Walk(self, heard)
            walk.run(starts)
            if walk.heard <= heard:
                return walk.reached, heard
            heard |= walk.heard

    def read(self, definition: Definition, heard: Heard) -> Reading:
        """What of a definition counts, if the texts of some errors do."""
        key = definition, heard
        if key not in self._readings:
            split(self.code, definition)
            self.code.asked = set()
            self._readings[key] = read(self.code, definition, heard, self._tables)
            self._readings[key].asked = self.code.asked
        return self._readings[key]

    def registered(self, module: Module) -> list[Definition]:
        """Definitions that code of the project is handed as their module is imported."""
        if module not in self._registered:
            defined = module.definitions.values()
            self._registered[module] = [one for one in defined if is_registered(self.code, one)]
        return self._registered[module]

    def _root(self, root: Root) -> Iterator[Definition]:
        where, name = root
        is_file = isinstance(where, Path) or where.endswith(".py")
        module = self.code.script(Path(where).resolve()) if is_file else self.code.module(str(where))
        if module is None:
            raise FileNotFoundError(f"there is no module {where}")
        found = list(everything(module)) if name is None else _definitions(self.code, module, name)
        if not found:
            raise LookupError(f"{where} defines no {name}")
        yield from [*found, module.effects]

    def _text(self, definition: Definition, heard: Heard) -> str:
        key = definition, heard
        if key not in self._texts:
            whose = definition.name if definition.owner is not None else ""
            self._texts[key] = _hash([whose, *self.read(definition, heard).parts])
        return self._texts[key]

    def _closure(self, definition: Definition, heard: Heard, reached: set[Definition]) -> str:
        """Digest of a definition and all that it leads to, which tells two of one name apart."""
        seen, left = {definition}, [definition]
        while left:
            one = left.pop()
            below = [*self.read(one, heard).names, *(m for ms in (one.members or {}).values() for m in ms)]
            new = (reached & set(below)) - seen
            seen |= new
            left += new
        return _hash(sorted(self._text(one, heard) for one in seen))


class _Walk:
    """One walk from the roots on."""

    def __init__(self, reach: Reach, given: Heard) -> None:
        self.reach, self.code, self.given = reach, reach.code, given
        self.reached: set[Definition] = set()
        self.heard: set[str] = set()
        self._left: list[Definition] = []
        self._rows: list[Definition] = []
        self._attributes: set[str] = set()
        self._loaded: set[str] = set()

    def run(self, starts: list[Definition]) -> None:
        self._add(*starts)
        while self._left:
            one = self._left.pop()
            reading = self.reach.read(one, self.given)
            self.heard |= reading.heard
            self._load(one.module, reading)
            self._add(*reading.names)
            for whole in reading.wholes:
                self._take(whole)
            if one.members is not None:
                self._rows.append(one)
                self._ask(one, self._attributes)
            new = reading.attributes - self._attributes
            self._attributes |= new
            for row in self._rows if new else ():
                self._ask(row, new)

    def _add(self, *definitions: Definition) -> None:
        for one in definitions:
            if one not in self.reached and not is_frame(one):
                self.reached.add(one)
                self._left.append(one)

    def _ask(self, row: Definition, attributes: set[str]) -> None:
        """Reach the members of a row that something asks for by their names."""
        for name in (one[1:] for one in attributes if one.startswith(":")):
            self._add(*_definitions(self.code, row.module, name))
        patterns = [one for one in attributes if ANY in one]
        for name, members in (row.members or {}).items():
            asked = name in attributes or name.startswith("__")
            if asked or any(fnmatchcase(name, pattern) for pattern in patterns):
                self._add(*members)

    def _take(self, whole: Module | Definition) -> None:
        """Reach all of a module, with what it gives on; all rows of a table."""
        if isinstance(whole, Module):
            given_on = (one for name in whole.imports for one in _definitions(self.code, whole, name))
            self._add(*everything(whole), *given_on)
            return
        for package in whole.packages():
            for name in self.code.modules_of(package):
                module = self.code.module(name)
                assert module is not None
                self._add(*everything(module))

    def _load(self, module: Module, reading: Reading) -> None:
        """What runs when a module is imported counts for whoever imports it."""
        left = list(reading.loads)
        if module.name not in self._loaded:
            self._loaded.add(module.name)
            self._import(module)
            left += [*module.loads, *with_parents(module.name)]
        while left:
            name = left.pop()
            found = self.code.module(name) if name not in self._loaded else None
            self._loaded.add(name)
            if found is not None and not is_frame(found.effects):
                self._import(found)
                left += found.loads

    def _import(self, module: Module) -> None:
        self._add(*([module.effects] if module.effects.nodes else []), *self.reach.registered(module))


def everything(module: Module) -> Iterator[Definition]:
    """All definitions of a module, and what runs when it is imported."""
    yield from (one for one in module.definitions.values() if one.name not in {"__all__", "__getattr__"})
    yield module.effects


def _definitions(code: Code, module: Module, name: str) -> list[Definition]:
    return [target for target in code.lookup(module, name) if isinstance(target, Definition)]


def _hash(parts: list[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()
