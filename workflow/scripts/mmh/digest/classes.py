"""Classes whose members count one by one, and definitions that are handed to code as they are made."""

import ast
from collections.abc import Iterator

from mmh.digest.modules import Code, Definition, External, Module, Target
from mmh.digest.scopes import FUNCTIONS

ROW = ("mmh.rows", "Row")


def split(code: Code, definition: Definition) -> None:
    """Let the members of a row's class count one by one: the plan alone asks for most of them."""
    if definition.looked_at:
        return
    definition.looked_at = True
    classes = [node for node in definition.nodes if isinstance(node, ast.ClassDef)]
    if len(classes) != 1 or definition.owner is not None or not _is_row(code, definition):
        return
    definition.members = {}
    for statement in classes[0].body:
        for name, part in _members(statement):
            member = Definition(definition.module, f"{definition.name}.{name}", [part], owner=definition)
            definition.members.setdefault(name, []).append(member)


def is_registered(code: Code, definition: Definition) -> bool:
    """Whether the project's own code is handed a definition as it is made, and may keep it somewhere."""
    for node in definition.nodes:
        makers = list(getattr(node, "decorator_list", ()))
        if isinstance(node, ast.ClassDef):
            makers += [keyword.value for keyword in node.keywords]
        called = [maker.func if isinstance(maker, ast.Call) else maker for maker in makers]
        if any(isinstance(t, Definition) for one in called for t in _targets(code, definition.module, one)):
            return True
        for base in node.bases if isinstance(node, ast.ClassDef) else ():
            above = [t for t in _targets(code, definition.module, base) if isinstance(t, Definition)]
            if any(_is_told(code, one) for one in above if one is not definition):
                return True
    return False


def _is_told(code: Code, definition: Definition) -> bool:
    """Whether a class, or one above it, is told of the classes below it."""
    bodies = [node.body for node in definition.nodes if isinstance(node, ast.ClassDef)]
    names = {getattr(one, "name", "") for body in bodies for one in body}
    return "__init_subclass__" in names or is_registered(code, definition)


def _is_row(code: Code, definition: Definition) -> bool:
    """Whether a class is one of rows, and nothing else that foreign code might call."""
    if (definition.module.name, definition.name) == ROW:
        return True
    rows = []
    for node in definition.nodes:
        if not isinstance(node, ast.ClassDef) or node.decorator_list or node.keywords:
            return False
        for base in node.bases:
            for target in _targets(code, definition.module, base):
                if isinstance(target, Definition) and target is not definition:
                    rows.append(_is_row(code, target))
                elif not isinstance(target, External) or target.name.split(".")[0] not in {"abc", "typing"}:
                    return False
    return any(rows)


def _targets(code: Code, module: Module, node: ast.expr) -> list[Target]:
    if isinstance(node, ast.Subscript):
        return _targets(code, module, node.value)
    if isinstance(node, ast.Name):
        return code.lookup(module, node.id)
    if isinstance(node, ast.Attribute):
        found: list[Target] = []
        for one in _targets(code, module, node.value):
            if isinstance(one, Module):
                found += code.lookup(one, node.attr)
            elif isinstance(one, External):
                found.append(External(f"{one.name}.{node.attr}"))
            else:
                found.append(one)
        return found
    return []


def _members(statement: ast.stmt) -> Iterator[tuple[str, ast.stmt]]:
    """Names that a statement of a class binds, each with the statement; two tuples are paired off."""
    if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
        yield statement.name, statement
    elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        yield statement.target.id, statement
    elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value = statement.targets[0], statement.value
        pairs = [(target, value)]
        if (
            isinstance(target, ast.Tuple)
            and isinstance(value, ast.Tuple)
            and len(target.elts) == len(value.elts)
        ):
            pairs = list(zip(target.elts, value.elts, strict=True))
        for left, right in pairs:
            one = ast.copy_location(ast.Assign(targets=[left], value=right), statement)
            yield (left.id if isinstance(left, ast.Name) else "__class__"), one
    else:
        yield "__class__", statement
