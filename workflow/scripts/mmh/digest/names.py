"""What the names in a definition stand for, by the scopes that they are used in."""

import ast
from dataclasses import dataclass, field
from pathlib import Path

from mmh.digest.modules import Code, Definition, External, Module, Scope, Target
from mmh.digest.scopes import bound_by, imports_of

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
# Libraries whose functions may give back what they are given.
_GIVING_BACK = frozenset(
    {"contextlib", "copy", "dataclasses", "functools", "itertools", "operator", "typing"}
)


@dataclass
class Reading:
    """What of a definition counts, and what it leads to."""

    parts: list[str] = field(default_factory=list)
    names: list[Definition] = field(default_factory=list)
    """Definitions that it names, in order, as often as it does."""
    wholes: list[Module | Definition] = field(default_factory=list)
    """Modules that it hands on as objects, and tables of which it asks for more than a row by name."""
    attributes: set[str] = field(default_factory=set)
    """Attributes that it asks for by name."""
    heard: set[str] = field(default_factory=set)
    """Errors whose texts it reads."""
    loads: set[str] = field(default_factory=set)
    """Modules that it imports when it runs."""
    asked: set[str] = field(default_factory=set)
    """Modules that it took a look at, to know what its names stand for."""
    files: set[Path] = field(default_factory=set)
    """Files beside its module that it names."""


class Names:
    """The scopes of one definition, as they are walked through.

    Parameters
    ----------
    code : Code
    definition : Definition
    tables : frozenset of Definition
        Classes whose objects give rows by name.
    """

    def __init__(self, code: Code, definition: Definition, tables: frozenset[Definition]) -> None:
        self.code, self.module, self.tables = code, definition.module, tables
        self.found = Reading()
        self.scopes: list[tuple[bool, Scope]] = []  # innermost last; True for the body of a class
        self.watched: dict[str, bool] = {}  # names of caught errors: whether their text is read
        self.in_words = False
        self._functions: list[Function] = []

    def resolve(self, name: str) -> list[Target] | None:
        """What a name stands for; None for a function's own variable, nothing for a built-in."""
        for _, scope in reversed(self.scopes):
            if name in scope:
                bound = scope[name]
                return None if bound is None else [t for one in bound for t in self.code.imported(one)]
        return self.code.lookup(self.module, name)

    def chain(self, node: ast.expr, module: Module | None = None) -> tuple[list[Target] | None, list[str]]:
        """What a dotted name stands for, and the attributes that are left."""
        attributes: list[str] = []
        while isinstance(node, ast.Attribute):
            attributes.insert(0, node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None, attributes
        targets = self.resolve(node.id) if module is None else self.code.lookup(module, node.id)
        while attributes and targets and any(isinstance(one, Module | External) for one in targets):
            name, found = attributes.pop(0), list[Target]()
            for target in targets:
                if isinstance(target, Module):
                    found += self.code.lookup(target, name) or [External(f"{target.name}.{name}")]
                else:
                    found.append(
                        External(f"{target.name}.{name}") if isinstance(target, External) else target
                    )
            targets = found
        return targets, attributes

    def scope_of(self, node: ast.AST, body: list[ast.AST]) -> Scope:
        """What the body of a function or class binds."""
        if node not in self.module.scopes:
            bound = bound_by(body)
            known: Scope = dict.fromkeys(bound.names)
            self.module.scopes[node] = known, bound
            for statement in bound.imports:
                for name, one in imports_of(statement, self.module.package):
                    known[name] = [*(known.get(name) or ()), one]
            for name in bound.elsewhere:
                known.pop(name, None)
        return self.module.scopes[node][0]

    def enter(self, node: Function, body: list[ast.AST]) -> None:
        """Go into a function, which sees no names of the classes around it."""
        self._functions.append(node)
        own = {**dict.fromkeys(_parameters(node)), **self.scope_of(node, body)}
        self.scopes = [*(scope for scope in self.scopes if not scope[0]), (False, own)]

    def leave(self, scopes: list[tuple[bool, Scope]]) -> None:
        """Leave a function for the scopes around it."""
        self.scopes = scopes
        self._functions.pop()

    def is_foreign(self, node: ast.expr, seen: frozenset[str] = frozenset()) -> bool:
        """Whether an object is none of the project's: a module, what other libraries define, or give."""
        called = isinstance(node, ast.Call)
        targets, left = self.chain(node.func if isinstance(node, ast.Call) else node)
        if targets:
            outside = [isinstance(one, Module) or (isinstance(one, External) and one.name) for one in targets]
            return all(one and not (called and str(one).split(".")[0] in _GIVING_BACK) for one in outside)
        if targets == [] or not isinstance(node, ast.Name) or left or node.id in seen:
            return False
        for function in reversed(self._functions):
            scope, bound = self.module.scopes[function]
            if node.id in _parameters(function):
                return False
            if node.id in scope:
                values = bound.values.get(node.id, ())
                alone = len(values) == bound.names.count(node.id)
                return alone and all(self.is_foreign(one, seen | {node.id}) for one in values)
        return False

    def write(self, targets: list[Target] | None, name: str, *, asked: bool = False) -> None:
        """Write down a use of a name; `asked`: only a row of it is asked for."""
        if name in self.watched and not self.in_words:
            self.watched[name] = True
        if not targets:
            self.found.parts.append(f"{'own' if targets is None else 'name'}:{name}")
        for target in targets or ():
            if isinstance(target, External):
                self.found.parts.append(f"name:{target.name}")
            elif isinstance(target, Definition):
                self.found.parts.append(f"ref:{target.name}")
                self.found.names.append(target)
                if not asked and self.is_table(target):
                    self.found.wholes.append(target)
            else:
                self.found.parts.append("module")
                self.found.wholes.append(target)

    def is_table(self, target: Definition) -> bool:
        """Whether a name stands for a table of rows."""
        calls = [
            value for node in target.nodes if isinstance(value := getattr(node, "value", None), ast.Call)
        ]
        return any(t in self.tables for one in calls for t in self.chain(one.func, target.module)[0] or ())


def parameters(node: Function) -> list[ast.arg]:
    """All parameters of a function."""
    given = node.args
    starred = (one for one in (given.vararg, given.kwarg) if one is not None)
    return [*given.posonlyargs, *given.args, *given.kwonlyargs, *starred]


def _parameters(node: Function) -> list[str]:
    return [one.arg for one in parameters(node)]
