"""What statements bind in their own scope, and what they import."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

PROJECT = "mmh"

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Import:
    """What an import statement binds: a module, or a name of one."""

    module: str
    name: str | None = None


@dataclass
class Bound:
    """What statements bind in their own scope."""

    names: list[str] = field(default_factory=list)
    imports: list[ast.Import | ast.ImportFrom] = field(default_factory=list)
    values: dict[str, list[ast.expr]] = field(default_factory=dict)
    """What is given to single names; one that is bound in other ways, too, is in `names` more often."""
    elsewhere: set[str] = field(default_factory=set)
    """Names that they declare as those of an outer scope."""


def bound_by(nodes: Iterable[ast.AST]) -> Bound:
    """Find what statements bind in their own scope, not in those of functions and classes among them."""
    found, left = Bound(), list(nodes)
    while left:
        node = left.pop()
        kind = type(node)
        if kind in (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef):
            found.names.append(node.name)  # type: ignore[attr-defined]
        elif kind in (ast.Import, ast.ImportFrom):
            found.imports.append(node)  # type: ignore[arg-type]
        elif kind in (ast.Global, ast.Nonlocal):
            found.elsewhere.update(node.names)  # type: ignore[attr-defined]
        elif kind is ast.Name:
            if not isinstance(node.ctx, ast.Load):  # type: ignore[attr-defined]
                found.names.append(node.id)  # type: ignore[attr-defined]
        elif kind in (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp):
            # Its targets are its own; a name given inside by := is not.
            found.names.extend(n.target.id for n in ast.walk(node) if isinstance(n, ast.NamedExpr))
        elif kind is not ast.Lambda:
            if kind is ast.Assign or kind is ast.NamedExpr:
                for target in getattr(node, "targets", [getattr(node, "target", None)]):
                    if isinstance(target, ast.Name):
                        found.values.setdefault(target.id, []).append(node.value)  # type: ignore[attr-defined]
            name = getattr(node, "rest" if kind is ast.MatchMapping else "name", None)
            if isinstance(name, str) and kind in (
                ast.ExceptHandler,
                ast.MatchAs,
                ast.MatchStar,
                ast.MatchMapping,
            ):
                found.names.append(name)
            for part in node._fields:
                value = getattr(node, part)
                if isinstance(value, ast.AST):
                    left.append(value)
                elif isinstance(value, list):
                    left.extend(one for one in value if isinstance(one, ast.AST))
    return found


def imports_of(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[tuple[str, Import]]:
    """Names that an import statement binds; a star is bound as ``*``."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            top = alias.name.split(".")[0]
            yield (alias.asname, Import(alias.name)) if alias.asname else (top, Import(top))
        return
    source = node.module or ""
    if node.level:
        parts = package.split(".")
        source = ".".join([*parts[: len(parts) - node.level + 1], *([source] if source else [])])
    for alias in node.names:
        yield alias.asname or alias.name, Import(source, alias.name)


def loaded_by(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[str]:
    """Modules of the project that an import statement may run, those that hold them included."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    else:
        names = [f"{found.module}.{found.name}" for _, found in imports_of(node, package)]
    for name in names:
        yield from (with_parents(name) if name.split(".")[0] == PROJECT else ())


def with_parents(name: str) -> Iterator[str]:
    """A module's dotted name and those of the packages that hold it."""
    parts = name.split(".")
    yield from (".".join(parts[: k + 1]) for k in range(len(parts)))


def is_type_checking(node: ast.AST) -> bool:
    """Whether a statement is for type checkers alone."""
    return (
        isinstance(node, ast.If)
        and getattr(node.test, "id", getattr(node.test, "attr", "")) == "TYPE_CHECKING"
    )


def is_bare(node: ast.AST) -> bool:
    """Whether a statement does nothing: a docstring, an ellipsis, ``pass``."""
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def base_name(node: ast.expr) -> str:
    """The name that a chain of attributes and subscripts starts from; empty if it is none."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
