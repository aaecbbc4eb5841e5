"""What the names in a definition stand for, by the scopes that they are used in."""

import ast
from dataclasses import dataclass, field
from pathlib import Path

from mmh.digest.modules import Code, Definition, External, Module, Scope, Target
from mmh.digest.scopes import bound_by, imports_of

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


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
        known = self.module.scopes.get(node)
        if known is None:
            bound = bound_by(body)
            known = self.module.scopes[node] = dict.fromkeys(bound.names)
            for statement in bound.imports:
                for name, one in imports_of(statement, self.module.package):
                    known[name] = [*(known.get(name) or ()), one]
            for name in bound.elsewhere:
                known.pop(name, None)
        return known

    def enter(self, node: Function, body: list[ast.AST], arguments: list[ast.arg]) -> None:
        """Go into a function, which sees no names of the classes around it."""
        self._functions.append(node)
        own = {**dict.fromkeys(one.arg for one in arguments), **self.scope_of(node, body)}
        self.scopes = [*(scope for scope in self.scopes if not scope[0]), (False, own)]

    def leave(self, scopes: list[tuple[bool, Scope]]) -> None:
        """Leave a function for the scopes around it."""
        self.scopes = scopes
        self._functions.pop()

    def is_foreign(self, node: ast.expr) -> bool:
        """Whether an object is none of the project's: a module, what other libraries define, or give."""
        targets, left = self.chain(node.func if isinstance(node, ast.Call) else node)
        if targets:
            return all(isinstance(one, External | Module) for one in targets)
        if targets == [] or not isinstance(node, ast.Name) or left:
            return False
        given = [
            one.arg for function in self._functions for one in ast.walk(function) if isinstance(one, ast.arg)
        ]
        inside = [one for function in self._functions for one in ast.walk(function)]
        values = [one.value for one in inside if isinstance(one, ast.Assign) and _binds(one, node.id)]
        names = [one for one in inside if isinstance(one, ast.Name) and one.id == node.id]
        bound = sum(not isinstance(one.ctx, ast.Load) for one in names)
        return node.id not in given and len(values) == bound > 0 and all(map(self.is_foreign, values))

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


def _binds(node: ast.Assign, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
