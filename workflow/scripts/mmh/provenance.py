"""Which code made a file: digests of scripts and the modules they import, and run records.

Snakemake follows a script by modification time and does not follow what it imports. ``code_digest`` gives
rules a parameter that changes exactly when the code that a job runs changes: comments, docstrings and
formatting do not count.
"""

import ast
import hashlib
import os
import platform
import socket
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent
_REPORTED = (
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "torch",
    "diffusers",
    "faiss-cpu",
    "matplotlib",
)


def code_digest(script: str) -> str:
    """Digest of a script and of every ``mmh`` module that it imports, directly or not.

    Package ``__init__`` files hold re-exports only and are left out, so that importing ``mmh.lid.spectra``
    does not tie a job to the whole of ``mmh.lid``; a script therefore imports from modules, never from the
    packages.

    Parameters
    ----------
    script : str
        File name within ``workflow/scripts``.

    Returns
    -------
    str
        Sixteen hexadecimal digits.

    Raises
    ------
    FileNotFoundError
        If there is no such script.
    """
    paths = [PACKAGE.parent / script]
    seen: dict[str, Path] = {}
    while paths:
        path = paths.pop()
        name = path.relative_to(PACKAGE.parent).as_posix()
        if name not in seen:
            seen[name] = path
            paths.extend(_imports(path))
    digest = hashlib.sha256()
    for name in sorted(seen):
        digest.update(name.encode() + b"\0" + _canonical(seen[name]).encode() + b"\0")
    return digest.hexdigest()[:16]


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=path.name)


@cache
def _canonical(path: Path) -> str:
    """Dump of the syntax tree without docstrings and positions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return ast.dump(tree, annotate_fields=False)


@cache
def _imports(path: Path) -> tuple[Path, ...]:
    """Modules of this package that a file imports, at any depth of nesting."""
    found = []
    for node in ast.walk(_tree(path)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.split(".")[0] == "mmh":
                module = PACKAGE.parent.joinpath(*name.split(".")).with_suffix(".py")
                if module.is_file():
                    found.append(module)
    return tuple(sorted(set(found)))


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on.

    Read from the installed metadata, so that nothing heavy is imported.

    Returns
    -------
    dict of str to str
        Name to version; a package that is not installed is absent.
    """
    found = {"python": platform.python_version()}
    for name in _REPORTED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def run_record(**fields: Any) -> dict[str, Any]:
    """What is written to the JSON beside an output: host, versions and the given fields.

    Parameters
    ----------
    **fields
        JSON values, put first.

    Returns
    -------
    dict
        Ready for ``mmh.io.write_json``.
    """
    return {
        **fields,
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "executable": sys.executable,
        "versions": versions(),
    }
