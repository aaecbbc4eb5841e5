"""What of a definition counts: its syntax tree without words for people, and the definitions that it names.

Left out are comments, docstrings, hints of types, imports (a name counts as what it stands for) and texts of
errors, unless the code reads them: a handler that does more with an error than raise another hears its text.
"""

import ast
from contextlib import suppress

from mmh.digest.frame import DEAF, FATAL
from mmh.digest.modules import Code, Definition, External, files_named
from mmh.digest.names import Function, Reading, parameters
from mmh.digest.scopes import base_name, is_bare, is_type_checking, loaded_by
from mmh.digest.strings import Strings
from mmh.digest.words import ANY, Words

_LEFT_OUT = frozenset({"ctx", "type_comment", "type_params", "kind"})
_ASKING = frozenset({"getattr", "hasattr", "attrgetter", "methodcaller"})
_BY_NAME = frozenset({"find", "among"})  # methods of a table that give rows which are asked for
_HEARING = frozenset({"exc_info", "format_exc", "exception", "__cause__", "__context__"})
# Decorators from here look at no hint of a type; others may.
_BLIND = frozenset({"abc", "contextlib", "dataclasses", "functools", "torch", "typing"})

Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def read(code: Code, definition: Definition, heard: frozenset[str], tables: frozenset[Definition]) -> Reading:
    """Read a definition.

    Parameters
    ----------
    code : Code
    definition : Definition
    heard : frozenset of str
        Errors whose texts count.
    tables : frozenset of Definition
        Classes whose objects give rows by name.

    Returns
    -------
    Reading
    """
    reader = _Reader(code, definition, heard, tables)
    for node in definition.nodes:
        reader.visit(node)
    return reader.found


class _Reader(Strings):
    def __init__(
        self, code: Code, definition: Definition, heard: frozenset[str], tables: frozenset[Definition]
    ) -> None:
        super().__init__(code, definition, tables)
        heard = frozenset() if definition.module.name in FATAL else heard
        self.words = Words(code, definition.module, heard, self.chain)
        self.splits = definition.members is not None
        self.is_member = definition.owner is not None
        self.is_deaf = f"{definition.module.name}.{definition.name}" in DEAF
        self.asked = False  # inside of a call that is handed tables to read rows into them

    def visit(self, node: ast.AST) -> None:
        method = _SPECIAL.get(type(node))
        if method is None:
            self.generic(node)
        else:
            getattr(self, method)(node)

    def generic(self, node: ast.AST, skip: str = "") -> None:
        parts = self.found.parts
        parts.append(f"({type(node).__name__}")
        for name in node._fields:
            value = getattr(node, name, None)
            if value is None or value == [] or name in _LEFT_OUT or name == skip:
                continue
            parts.append(name)
            self.value(value)
        parts.append(")")

    def value(self, value: object) -> None:
        if isinstance(value, list):
            self.found.parts.append("[")
            for one in value:
                if not (isinstance(one, ast.stmt) and (is_bare(one) or is_type_checking(one))):
                    self.value(one)
            self.found.parts.append("]")
        elif isinstance(value, ast.AST):
            self.visit(value)
        else:
            self.found.parts.append(repr(value))

    def constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.found.names += self.pointed_to(node.value)
            if self.module.reads_files:
                self.found.files.update(files_named(self.module, node.value))
            if self.in_words:
                return
        self.found.parts.append(repr(node.value))

    # ---- names ----

    def name(self, node: ast.Name) -> None:
        asked = self.asked or not isinstance(node.ctx, ast.Load)
        self.write(self.resolve(node.id), node.id, asked=asked)
        if self.is_member:  # a class sees its own names while it is made
            self.found.attributes.add(node.id)

    def attribute(self, node: ast.Attribute, *, asked: bool = False) -> None:
        targets, left = self.chain(node)
        if targets:
            by_name = left[0] in _BY_NAME if left else asked
            self.write(targets, node.attr, asked=self.asked or by_name)
        else:
            left = [node.attr]
            self.found.parts.append("(Attribute")
            self.visit(node.value)
        if node.attr in _HEARING:
            self.found.heard.add(ANY)
        of_input = not self.scopes and base_name(node) == "run"  # `run.input.spectra` of a script
        if not of_input and not (targets is None and self.is_foreign(node.value)):
            self.found.attributes.update(left)
        self.found.parts.extend(f".{name}" for name in left)

    def subscript(self, node: ast.Subscript) -> None:
        """A row that is asked for by its name ties to no other row."""
        self.found.parts.append("(Subscript")
        if isinstance(node.value, ast.Attribute):
            self.attribute(node.value, asked=True)
        elif isinstance(node.value, ast.Name):
            self.write(self.resolve(node.value.id), node.value.id, asked=True)
        else:
            self.visit(node.value)
        if External("sys.modules") in (self.chain(node.value)[0] or ()):
            self.asked_of_modules(node.slice)
        self.visit(node.slice)
        self.found.parts.append(")")

    def import_(self, node: ast.Import | ast.ImportFrom) -> None:
        self.found.loads.update(loaded_by(node, self.module.package))

    # ---- scopes ----

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        makers = [one.func if isinstance(one, ast.Call) else one for one in node.decorator_list]
        made_by = [target for one in makers for target in self.chain(one)[0] or ()]
        if External("typing.overload") in made_by:
            return
        hinted = any(not isinstance(t, External) or t.name.split(".")[0] not in _BLIND for t in made_by)
        self.found.parts.append(f"({type(node).__name__} {node.name}")
        self.value(node.decorator_list)
        if hinted and node.returns is not None:
            self.hint(node.returns)
        self.scope(node, list(node.body), hinted=hinted)

    def lambda_(self, node: ast.Lambda) -> None:
        self.found.parts.append("(Lambda")
        self.scope(node, [node.body], hinted=False)

    def scope(self, node: Function, body: list[ast.AST], *, hinted: bool) -> None:
        given, every = node.args, parameters(node)
        for one in every:
            self.found.parts.append(one.arg)
            if hinted and one.annotation is not None:
                self.hint(one.annotation)
        shape = len(given.posonlyargs), len(given.args), given.vararg is None, given.kwarg is None
        self.found.parts.append(repr(shape))
        self.value(given.defaults)
        self.value(given.kw_defaults)
        outer, watched = self.scopes, self.watched
        self.enter(node, body)
        if getattr(node, "name", "") in {"__exit__", "__aexit__"}:
            self.watched = {**watched, **dict.fromkeys((one.arg for one in every[1:]), False)}
        self.value(body)
        if any(self.watched[name] for name in self.watched if name not in watched):
            self.found.heard.add(ANY)
        self.leave(outer)
        self.watched = {name: self.watched[name] for name in watched}
        self.found.parts.append(")")

    def comprehension(self, node: Comprehension) -> None:
        names = (n.id for g in node.generators for n in ast.walk(g.target) if isinstance(n, ast.Name))
        self.scopes.append((False, dict.fromkeys(names)))
        self.generic(node)
        self.scopes.pop()

    def class_(self, node: ast.ClassDef) -> None:
        self.found.parts.append(f"(ClassDef {node.name}")
        self.value([*node.decorator_list, *node.bases, *node.keywords])
        if not self.splits:
            bound = self.scope_of(node, list(node.body))
            self.scopes.append((True, {name: one for name, one in bound.items() if one is not None}))
            for one in node.body:
                if isinstance(one, ast.AnnAssign) and (node.decorator_list or node.bases):
                    self.hint(one.annotation)  # of a field, perhaps
                    self.value([one.target, one.value])
                elif not is_bare(one) and not is_type_checking(one):
                    self.visit(one)
            self.scopes.pop()
        self.found.parts.append(")")

    # ---- hints and words ----

    def hint(self, node: ast.expr) -> None:
        """An annotation that is read when the code runs."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            with suppress(SyntaxError):
                node = ast.parse(node.value, mode="eval").body
        self.visit(node)

    def annotated(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(ast.Assign(targets=[node.target], value=node.value))

    def assertion(self, node: ast.Assert) -> None:
        heard = self.words.is_heard(("AssertionError", "Exception", "BaseException"))
        self.generic(node, "" if heard else "msg")

    def raising(self, node: ast.Raise) -> None:
        self.found.parts.append("(Raise")
        if isinstance(node.exc, ast.Name) and node.exc.id in self.watched:
            self.found.parts.append("again")
        elif isinstance(node.exc, ast.Call) and self.words.is_raised(node.exc):
            self.visit(node.exc.func)
        elif node.exc is not None:
            self.visit(node.exc)
        self.found.parts.append(")")

    def call(self, node: ast.Call) -> None:
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name in _ASKING:
            self.asked_by_string(node)
        elif name in {"import_module", "__import__"}:
            self.imported_by_string(node)
        elif name == "globals":
            self.found.wholes.append(self.module)
        if name in {"isinstance", "type"} and node.args and getattr(node.args[0], "id", "") in self.watched:
            self.found.parts.append(name)
            self.value(node.args[1:])
        elif self.words.is_error(node):
            self.visit(node.func)
        elif self.is_of_frame(node):
            before, self.asked = self.asked, True
            self.generic(node)
            self.asked = before
        elif self.words.is_note(node):
            before, self.in_words = self.in_words, True
            self.generic(node)
            self.in_words = before
        else:
            self.generic(node)

    def handler(self, node: ast.ExceptHandler) -> None:
        outer, before = self.watched, self.in_words
        self.watched = {**outer, node.name: False} if node.name else dict(outer)
        self.in_words = before or self.words.only_raises(node.body)
        self.generic(node)
        if node.name and self.watched[node.name] and not self.is_deaf:
            self.found.heard.update(self.words.caught(node.type))
        self.watched = {n: heard or (self.watched[n] and n != node.name) for n, heard in outer.items()}
        self.in_words = before


_SPECIAL: dict[type[ast.AST], str] = {
    ast.Constant: "constant",
    ast.Name: "name",
    ast.Attribute: "attribute",
    ast.Subscript: "subscript",
    ast.Import: "import_",
    ast.ImportFrom: "import_",
    ast.FunctionDef: "function",
    ast.AsyncFunctionDef: "function",
    ast.Lambda: "lambda_",
    ast.ListComp: "comprehension",
    ast.SetComp: "comprehension",
    ast.DictComp: "comprehension",
    ast.GeneratorExp: "comprehension",
    ast.ClassDef: "class_",
    ast.AnnAssign: "annotated",
    ast.Assert: "assertion",
    ast.Raise: "raising",
    ast.Call: "call",
    ast.ExceptHandler: "handler",
}
