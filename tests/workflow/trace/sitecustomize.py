"""Note which functions of the project each job executes; Python runs this first if its folder is on PYTHONPATH.

Modules below the folders of MMH_TRACED are compiled with a call at the head of each function that notes its
place, once. What runs while a module is imported is left out: it counts as part of the module. Each process
writes a file into the folder MMH_TRACE: a line for the job, as soon as it is known, and one for each function.
"""

import ast
import builtins
import importlib.machinery
import json
import os
import sys
import threading
from types import CodeType, ModuleType
from typing import Any

FOLDER = os.environ.get("MMH_TRACE", "")
TRACED = tuple(os.environ.get("MMH_TRACED", "").split(os.pathsep))
Loader = importlib.machinery.SourceFileLoader

compiled, executed = Loader.get_code, Loader.exec_module
importing = threading.local()
seen: set[tuple[str, int]] = set()


def mark(path: str, line: int) -> None:
    if (path, line) in seen or getattr(importing, "depth", 0):
        return
    seen.add((path, line))
    found: dict[str, Any] = {"path": path, "line": line}
    snakemake = sys._getframe(1).f_locals.get("snakemake")
    if snakemake is not None:
        found |= {"rule": snakemake.rule, "wildcards": dict(snakemake.wildcards.items())}
    with open(os.path.join(FOLDER, f"{os.getpid()}.jsonl"), "a") as file:  # noqa: PTH118, PTH123
        file.write(json.dumps(found) + "\n")


def get_code(self: Loader, fullname: str) -> CodeType | None:
    path = self.get_filename(fullname)
    if not path.startswith(TRACED):
        return compiled(self, fullname)
    tree = ast.parse(self.get_data(path), filename=path)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            call = ast.parse(f"__mmh_mark__({path!r}, {node.lineno})").body[0]
            for part in ast.walk(call):
                ast.copy_location(part, node)
            node.body.insert(1 if ast.get_docstring(node) is not None else 0, call)
    return compile(tree, path, "exec", dont_inherit=True)


def exec_module(self: Loader, module: ModuleType) -> None:
    importing.depth = getattr(importing, "depth", 0) + 1
    try:
        executed(self, module)
    finally:
        importing.depth -= 1


if FOLDER:
    builtins.__mmh_mark__ = mark  # type: ignore[attr-defined]
    Loader.get_code = get_code  # type: ignore[method-assign]
    Loader.exec_module = exec_module  # type: ignore[method-assign]
