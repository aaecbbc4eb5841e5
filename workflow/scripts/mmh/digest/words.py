"""Words for people: texts of errors and notes, which do not count unless the code itself reads them."""

import ast
import builtins
from collections.abc import Callable, Iterator

from mmh.digest.modules import Code, Definition, External, Module, Target
from mmh.digest.scopes import FUNCTIONS, is_bare

ANY = "*"
"""Every error."""

# Errors whose arguments are nothing but words; those of others (numbers, keys, codes) count.
_WORDED = frozenset(
    {
        "ArithmeticError",
        "AssertionError",
        "AttributeError",
        "BaseException",
        "BufferError",
        "DeprecationWarning",
        "EOFError",
        "Exception",
        "FloatingPointError",
        "FutureWarning",
        "IndexError",
        "KeyboardInterrupt",
        "LookupError",
        "MemoryError",
        "NotImplementedError",
        "OverflowError",
        "RecursionError",
        "ReferenceError",
        "RuntimeError",
        "RuntimeWarning",
        "TypeError",
        "UserWarning",
        "ValueError",
        "Warning",
        "ZeroDivisionError",
    }
)

Chain = Callable[..., tuple[list[Target] | None, list[str]]]


class Words:
    """Which calls of a definition make words for people.

    Parameters
    ----------
    code : Code
    module : Module
        Where the definition stands.
    heard : frozenset of str
        Errors whose texts are read somewhere.
    chain : callable
        Gives what a dotted name stands for, and the attributes that are left.
    """

    def __init__(self, code: Code, module: Module, heard: frozenset[str], chain: Chain) -> None:
        self.code, self.module, self.heard, self.chain = code, module, heard, chain

    def is_heard(self, names: Iterator[str] | tuple[str, ...]) -> bool:
        """Whether somebody reads the text of an error, given the names of its class and those above."""
        if not self.heard:
            return False
        raised = set(names)
        return ANY in raised | self.heard or not self.heard.isdisjoint(raised)

    def is_error(self, node: ast.expr | None) -> bool:
        """Whether a call makes an error out of words that nobody reads, or never returns but by one."""
        if not isinstance(node, ast.Call):
            return False
        targets, left = self.chain(node.func)
        if left or targets is None:
            return False
        if not targets and isinstance(node.func, ast.Name) and node.func.id in _WORDED:
            return not self.is_heard(self._above(self.module, node.func))
        for target in targets:
            for one in target.nodes if isinstance(target, Definition) else ():
                assert isinstance(target, Definition)
                if isinstance(one, ast.ClassDef) and self._is_plain(target):
                    return not self.is_heard(self._above(target.module, ast.Name(target.name)))
                if isinstance(one, FUNCTIONS) and _never_returns(one):
                    return not self.is_heard(self._errors_of(target))
        return False

    def is_raised(self, node: ast.expr | None) -> bool:
        """As `is_error`, of what a statement raises: there, any function makes an error."""
        if self.is_error(node):
            return True
        targets, left = self.chain(node.func) if isinstance(node, ast.Call) else (None, [])
        made_by = [t for t in targets or () if isinstance(t, Definition) and _is_function(t)]
        return bool(made_by) and not left and not any(self.is_heard(self._errors_of(t)) for t in made_by)

    def is_note(self, node: ast.Call) -> bool:
        """Whether a call writes a line to the job's log."""
        targets, left = self.chain(node.func)
        if isinstance(node.func, ast.Name) and node.func.id == "print" and targets == []:
            to = [ast.unparse(k.value) for k in node.keywords if k.arg == "file"]
            return all(one in {"sys.stderr", "sys.stdout"} for one in to)
        return targets == [External("warnings.warn")] and not left

    def only_raises(self, body: list[ast.stmt]) -> bool:
        """Whether statements lead to nothing but an error out of words."""
        for one in body:
            if isinstance(one, ast.Raise):
                if one.exc is not None and not isinstance(one.exc, ast.Name) and not self.is_raised(one.exc):
                    return False
            elif isinstance(one, ast.If):
                if not self.only_raises(one.body) or (one.orelse and not self.only_raises(one.orelse)):
                    return False
            elif isinstance(one, ast.Expr):
                if not self.is_error(one.value):
                    return False
            elif not isinstance(one, ast.Assign) or not all(isinstance(t, ast.Name) for t in one.targets):
                return False
        return bool(body) and not isinstance(body[-1], ast.Assign | ast.If)

    def caught(self, node: ast.expr | None) -> Iterator[str]:
        """Names of the classes that a handler catches, those in constants too."""
        if node is None:
            yield ANY
            return
        for one in node.elts if isinstance(node, ast.Tuple) else [node]:
            targets = self.chain(one)[0] or []
            nodes = [n for t in targets if isinstance(t, Definition) for n in t.nodes]
            constants = [n.value for n in nodes if isinstance(n, ast.Assign)]
            for constant in constants:
                yield from self.caught(constant)
            if not constants:
                yield one.attr if isinstance(one, ast.Attribute) else getattr(one, "id", ANY)

    def _above(self, module: Module, node: ast.expr) -> Iterator[str]:
        """Names of an error's class and of the classes above it, as far as they can be seen."""
        name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", ANY)
        yield name
        known = getattr(builtins, name, None)
        if isinstance(known, type):
            yield from (base.__name__ for base in known.__mro__)
        for target in self.code.lookup(module, name):
            for one in target.nodes if isinstance(target, Definition) else ():
                for base in one.bases if isinstance(one, ast.ClassDef) else ():
                    assert isinstance(target, Definition)
                    yield from self._above(target.module, base)

    def _errors_of(self, function: Definition) -> Iterator[str]:
        """Names of the errors that a function raises or returns."""
        for node in function.nodes:
            for one in ast.walk(node):
                if isinstance(one, ast.Raise | ast.Return):
                    made = one.exc if isinstance(one, ast.Raise) else one.value
                    yield from (
                        self._above(function.module, made.func) if isinstance(made, ast.Call) else (ANY,)
                    )

    def _is_plain(self, target: Definition) -> bool:
        """Whether a class of errors has nothing of its own, so that its arguments are words."""
        for node in target.nodes:
            if not isinstance(node, ast.ClassDef) or node.decorator_list or not node.bases:
                return False
            if not all(map(is_bare, node.body)):
                return False
            for base in node.bases:
                above = self.chain(base, target.module)[0]
                if above == [] and isinstance(base, ast.Name) and base.id in _WORDED:
                    continue
                if not above or not all(isinstance(t, Definition) and self._is_plain(t) for t in above):
                    return False
        return True


def _is_function(target: Definition) -> bool:
    return any(isinstance(node, FUNCTIONS) for node in target.nodes)


def _never_returns(node: ast.AST) -> bool:
    hint = getattr(node, "returns", None)
    return hint is not None and ast.unparse(hint).split(".")[-1] in {"NoReturn", "Never"}
