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
# The frame around a job moves no number: a reworded progress line must not retrain a model.
_FRAME = frozenset(
    f"mmh/{name}.py"
    for name in ("job/frame", "job/partial", "job/chunks", "job/progress", "errors", "provenance")
)
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
    "pillow",
    "safetensors",
)


def code_digest(script: str, *roots: tuple[str | Path, str]) -> str:
    """Digest of a script and of every ``mmh`` module that it imports, directly or not.

    The frame of a job (log, progress, errors, temporary names) is left out. Package ``__init__`` files hold
    re-exports only and are left out too, so that importing ``mmh.lid.spectra`` does not tie a job to all of
    ``mmh.lid``; a script therefore imports from modules, never from the packages.

    Parameters
    ----------
    script : str
        File name within ``workflow/scripts``.
    *roots : (str or Path, str)
        What the job calls by name: modules, or files of plug-ins, and functions.

    Returns
    -------
    str
        Sixteen hexadecimal digits.

    Raises
    ------
    FileNotFoundError
        If there is no such script.
    """
    paths = [PACKAGE.parent / script, *(_file(place) for place, _ in roots)]
    seen: dict[str, Path] = {}
    while paths:
        path = paths.pop()
        inside = path.is_relative_to(PACKAGE.parent)
        name = path.relative_to(PACKAGE.parent).as_posix() if inside else path.name
        if name not in seen and name not in _FRAME:
            seen[name] = path
            paths.extend(_imports(path))
    digest = hashlib.sha256()
    for name in sorted(seen):
        digest.update(name.encode() + b"\0" + _canonical(seen[name]).encode() + b"\0")
    return digest.hexdigest()[:16]


def _file(place: str | Path) -> Path:
    return place if isinstance(place, Path) else PACKAGE.parent.joinpath(*place.split(".")).with_suffix(".py")


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=path.name)


@cache
def _canonical(path: Path) -> str:
    """Source text rebuilt from the syntax tree, without comments, docstrings and other bare strings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [line for line in body if not _bare_string(line)]  # type: ignore[attr-defined]
    return ast.unparse(tree)


def _bare_string(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


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
        Ready for ``mmh.io.files.write_json``.
    """
    return {
        **fields,
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "executable": sys.executable,
        "versions": versions(),
    }
