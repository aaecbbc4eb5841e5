"""What code asks for by strings: attributes, modules, functions of other modules."""

import ast
import re

from mmh.digest.frame import is_frame
from mmh.digest.modules import Definition
from mmh.digest.names import Names
from mmh.digest.words import ANY

_POINTER = re.compile(r"(mmh(?:\.\w+)+)?:([A-Za-z_]\w*)")


class Strings(Names):
    """Names that stand in strings."""

    def pointed_to(self, text: str) -> list[Definition]:
        """What a string as ``mmh.a.b:name`` stands for; ``:name`` lies in its own module, or a row's."""
        found = _POINTER.fullmatch(text)
        if found and not found[1]:
            self.found.attributes.add(text)
        module = (self.code.module(found[1]) if found[1] else self.module) if found else None
        targets = self.code.lookup(module, found[2]) if found and module else []
        return [one for one in targets if isinstance(one, Definition)]

    def is_of_frame(self, node: ast.Call) -> bool:
        """Whether a call is one of the frame, which may be handed a table."""
        return any(isinstance(one, Definition) and is_frame(one) for one in self.chain(node.func)[0] or ())

    def asked_by_string(self, node: ast.Call) -> None:
        """Attributes may be asked for by strings; where one is put together, by all that are like it."""
        if not node.args or self.is_foreign(node.args[0]):
            return
        of_object = getattr(node.func, "id", "") in {"getattr", "hasattr"}
        for one in node.args[1:2] if of_object else node.args:
            parts = one.values if isinstance(one, ast.JoinedStr) else [one]
            known = [str(part.value) if isinstance(part, ast.Constant) else ANY for part in parts]
            self.found.attributes.update("".join(known).split("."))

    def asked_of_modules(self, key: ast.expr) -> None:
        """A module that is taken from `sys.modules`: by its name, or this one."""
        if isinstance(key, ast.Constant) and (module := self.code.module(str(key.value))):
            self.found.wholes.append(module)
        elif "__name__" in ast.unparse(key) or "__module__" in ast.unparse(key):
            self.found.wholes.append(self.module)

    def imported_by_string(self, node: ast.Call) -> None:
        """Follow a module whose name is written; of a name that is put together, all that start alike."""
        for one in node.args:
            first = one.values[0] if isinstance(one, ast.JoinedStr) and one.values else one
            text = first.value if isinstance(first, ast.Constant) else ""
            if isinstance(text, str):
                names = [text] if first is one else self.code.modules_of(text.rpartition(".")[0])
                self.found.wholes += [module for name in names if (module := self.code.module(name))]
