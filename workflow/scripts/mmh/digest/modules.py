"""Modules by their syntax trees: what each defines, what it imports, and what a name in it stands for.

A definition is a function, a class or an assignment at the top of a module, with all that changes it there.
Other statements that run when a module is imported are its effects.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mmh.digest.scopes import (
    PROJECT,
    Bound,
    Import,
    base_name,
    bound_by,
    imports_of,
    is_bare,
    is_type_checking,
    loaded_by,
)

_CHANGES = frozenset(
    {"add", "append", "clear", "discard", "extend", "insert", "pop", "remove", "setdefault", "sort", "update"}
)

Scope = dict[str, list[Import] | None]
"""What each name of a scope stands for; None for a variable."""


@dataclass(frozen=True)
class External:
    """Something that this project does not define, by its dotted name."""

    name: str


@dataclass(eq=False)
class Definition:
    """A name at the top of a module, or one member of a row's class, with the statements that make it."""

    module: "Module"
    name: str
    nodes: list[ast.stmt] = field(default_factory=list)
    owner: "Definition | None" = None
    """The class that it is a member of."""
    members: dict[str, list["Definition"]] | None = None
    """Of a class whose members count one by one."""
    looked_at: bool = False

    def lines(self) -> Iterator[tuple[int, int]]:
        """First and last line of each statement, with its decorators."""
        for node in self.nodes:
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
            last = node.end_lineno or node.lineno
            if self.members is not None and isinstance(node, ast.ClassDef) and node.body:
                last = node.body[0].lineno - 1
            yield first, max(first, last)

    def packages(self) -> Iterator[str]:
        """Packages that it names in strings, as a table of rows does."""
        for node in self.nodes:
            for one in ast.walk(node):
                if isinstance(one, ast.Constant) and str(one.value).startswith(f"{PROJECT}."):
                    yield str(one.value)


@dataclass(eq=False)
class Module:
    """A parsed file."""

    name: str
    path: Path
    package: str
    """What its relative imports start from."""
    definitions: dict[str, Definition] = field(default_factory=dict)
    imports: dict[str, list[Import]] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    """Modules that are imported with it."""
    effects: Definition = field(init=False)
    main: Definition = field(init=False)
    """What runs if it is a script."""
    reads_files: bool = False
    scopes: dict[ast.AST, tuple[Scope, Bound]] = field(default_factory=dict)
    """What each function binds, as far as it was asked for."""

    def __post_init__(self) -> None:
        self.effects = Definition(self, "<module>")
        self.main = Definition(self, "<script>")


Target = Definition | Module | External


class Code:
    """All modules that scripts can import, parsed as they are asked for.

    Parameters
    ----------
    folder : Path
        The folder of the scripts, with the package in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: set[str] = set()
        """Names of the modules that were asked for, there or not."""
        self._edits: dict[Path, str | None] = {}
        self._modules: dict[str, Module | None] = {}

    def edited(self, edits: Mapping[Path, str | None]) -> tuple["Code", set[str]]:
        """The code with other texts in place of some files (None: no file), and their modules' names."""
        other = Code(self.folder)
        other._edits = {**self._edits, **edits}
        names = {str(path) for path in edits}
        for path in (one for one in edits if one.is_relative_to(self.folder)):
            parts = path.relative_to(self.folder).with_suffix("").parts
            names.add(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
        other._modules = {name: one for name, one in self._modules.items() if name not in names}
        return other, names

    def script(self, path: Path) -> Module:
        """Parse a file outside of the package: a script or a plug-in."""
        key = str(path)
        if key not in self._modules:
            self._modules[key] = self._parse(key, path, "")
        module = self._modules[key]
        assert module is not None
        return module

    def module(self, name: str) -> Module | None:
        """Parse a module of the package by its dotted name; None if there is none of that name."""
        self.asked.add(name)
        if name not in self._modules:
            self._modules[name] = None
            if name.split(".")[0] == PROJECT:
                base = self.folder.joinpath(*name.split("."))
                for path, package in (
                    (base / "__init__.py", name),
                    (base.with_suffix(".py"), name.rpartition(".")[0]),
                ):
                    if self._exists(path):
                        self._modules[name] = self._parse(name, path, package)
                        break
                else:
                    if base.is_dir() or any(base in path.parents for path in self._edits):
                        self._modules[name] = Module(name, base, name)  # a package without a file of its own
        return self._modules[name]

    def modules_of(self, package: str) -> Iterator[str]:
        """Names of the modules of a package."""
        folder = self.folder.joinpath(*package.split("."))
        names = {path.stem for path in folder.glob("*.py")}
        names |= {path.stem for path in self._edits if path.parent == folder and path.suffix == ".py"}
        for name in sorted(names - {"__init__"}):
            if self.module(f"{package}.{name}") is not None:
                yield f"{package}.{name}"

    def lookup(
        self, module: Module, name: str, _seen: frozenset[tuple[str, str]] = frozenset()
    ) -> list[Target]:
        """What a name at the top of a module stands for; several things if that depends, none if nothing."""
        if (module.name, name) in _seen:
            return []
        seen = _seen | {(module.name, name)}
        found: list[Target] = []
        if name in module.definitions:
            found.append(module.definitions[name])
        for bound in module.imports.get(name, ()):
            found.extend(self.imported(bound, seen))
        for star in module.stars:
            source = self.module(star)
            if source is not None:
                found.extend(self.lookup(source, name, seen))
        inner = self.module(f"{module.name}.{name}") if module.package == module.name else None
        if inner is not None and inner not in found:
            found.append(inner)
        if not found and "__getattr__" in module.definitions and not name.startswith("__"):
            found.append(module.definitions["__getattr__"])
        return found

    def imported(self, bound: Import, seen: frozenset[tuple[str, str]] = frozenset()) -> list[Target]:
        """What an import binds."""
        module = self.module(bound.module)
        if module is None:
            return [External(bound.module + (f".{bound.name}" if bound.name else ""))]
        if bound.name is None:
            return [module]
        return self.lookup(module, bound.name, seen) or [External(f"{bound.module}.{bound.name}")]

    def read(self, path: Path) -> bytes:
        """Bytes of a file, as edited."""
        text = self._edits.get(path)
        return path.read_bytes() if text is None else text.encode()

    def _exists(self, path: Path) -> bool:
        return self._edits[path] is not None if path in self._edits else path.is_file()

    def _parse(self, name: str, path: Path, package: str) -> Module:
        text = self.read(path).decode()
        module = Module(name, path, package, reads_files="__file__" in text or "resources" in text)
        _take(module, ast.parse(text, filename=str(path)).body)
        module.loads = list(dict.fromkeys(module.loads))
        return module


def _take(module: Module, body: list[ast.stmt]) -> None:
    for node in body:
        if is_type_checking(node):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Import | ast.ImportFrom):
                    _bind(module, inner)
        elif isinstance(node, ast.If) and _is_main(node.test):
            module.main.nodes.append(node)
        elif not is_bare(node):
            _place(module, node)


def _place(module: Module, node: ast.stmt) -> None:
    """Put a statement where it belongs: to the names that it binds or changes, or to the effects."""
    bound = bound_by([node])
    names = bound.names
    for one in bound.imports:
        _bind(module, one)
        module.loads.extend(loaded_by(one, module.package))
    if isinstance(node, ast.Import | ast.ImportFrom):
        return
    changed = [name for name in _changed(node) if name in module.definitions]
    for name in dict.fromkeys([*names, *changed]):
        module.definitions.setdefault(name, Definition(module, name)).nodes.append(node)
    if (not names and not changed) or "_" in names or _does_more(node):
        module.effects.nodes.append(node)


def _bind(module: Module, node: ast.Import | ast.ImportFrom) -> None:
    for name, bound in imports_of(node, module.package):
        if name == "*":
            module.stars.append(bound.module)
        else:
            module.imports.setdefault(name, []).append(bound)


def _changed(node: ast.stmt) -> Iterator[str]:
    """Names of the objects that a statement changes in place."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign | ast.Delete):
        targets = node.targets
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        targets = [node.target]
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        function = node.value.func
        if isinstance(function, ast.Attribute) and function.attr in _CHANGES:
            targets = [function.value]
    yield from filter(None, map(base_name, targets))


def _does_more(node: ast.stmt) -> bool:
    """Whether a block at the top of a module does anything besides binding names."""
    if isinstance(node, ast.For | ast.While | ast.With | ast.Match):
        return True
    if not isinstance(node, ast.If | ast.Try):
        return False
    inner = [
        statement for statement in ast.walk(node) if isinstance(statement, ast.stmt) and statement is not node
    ]
    return any(isinstance(s, ast.Expr) and not is_bare(s) for s in inner) or any(map(_does_more, inner))


def _is_main(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def files_named(module: Module, text: str) -> list[Path]:
    """Files beside a module that a string in it names: one, all of a folder, or that of another suffix."""
    if not text or len(text) > 100 or "\0" in text or text.startswith("/") or ".." in text:
        return []
    is_suffix = text.startswith(".") and len(text) > 1 and "/" not in text
    path = module.path.with_suffix(text) if is_suffix else module.path.parent / text
    if path.suffix in {".py", ".pyc"}:
        return []
    if path.is_file():
        return [path]
    if not path.is_dir() or path.samefile(module.path.parent):
        return []
    found = sorted(one for one in path.rglob("*") if one.is_file() and "__pycache__" not in one.parts)
    return [] if any(one.suffix == ".py" for one in found) else found
