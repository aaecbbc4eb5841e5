"""The tree of the package: what imports what, one way; and how large its rooms are."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from workflow_runs import ROOT

PACKAGE = ROOT / "workflow" / "scripts" / "mmh"
FILES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name != "__init__.py"  # names for users, each imported when it is asked for
}
# From the bottom to the top: a part imports those before it. Docs say the same in words (docs/architecture.md).
LAYERS = [
    "errors",
    "lazy",
    "light_diffusers",
    "light_transformers",
    "options",
    "rows",
    "digest",
    "provenance",
    "io",
    "job",
    "diffusion",
    "compute",
    "stats",
    "lid",
    "hessian",
    "oracles",
    "landscape",
    "fetch",
    "worlds",
    "retrieval",
    "sampling",
    "metrics",
    "mitigations",
    "attributions",
    "rewriters",
    "choices",
    "rewriting",
    "prompts",
    "images",
    "models",
    "mitigated",
    "elicited",
    "attributed",
    "labels",
    "scores",
    "evaluation",
    "copying",
    "detection",
    "audit",
    "coverage",
    "reporting",
    "plotting",
    "figures",
    "claims",
    "plan",
    "config",
    "calibration",
    "command",
    "__main__",
]
ROW_FOLDERS = {
    "attributions",
    "choices",
    "claims",
    "figures",
    "metrics",
    "mitigations",
    "models",
    "rewriters",
    "scores",
    "worlds",
}


@cache
def imports(path: Path) -> tuple[tuple[str, int], ...]:
    """Modules and names of the package that a file imports, anywhere; those for hints of types are left out."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    tree = ast.parse(path.read_text())
    hints = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in hints:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "mmh":
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (
                (alias.name, node.lineno) for alias in node.names if alias.name.partition(".")[0] == "mmh"
            )


def module_of(name: str) -> str:
    """Module that an imported name is, or lies in."""
    return name if name in FILES else name.rpartition(".")[0]


def part(module: str) -> str:
    """Package, or module at the top, that a module belongs to."""
    return module.split(".")[1]


def test_every_part_has_its_place_and_the_documentation_names_it() -> None:
    assert set(LAYERS) == {part(name) for name in FILES}
    tree = (ROOT / "docs" / "architecture.md").read_text().split("```")[1]
    assert [name for name in LAYERS if not re.search(rf"(^|[ ,]){name}(/|\.py)", tree, re.MULTILINE)] == []


def test_imports_go_one_way() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {part(name)} lies below {part(module_of(imported))}"
        for name, path in FILES.items()
        for imported, line in imports(path)
        if module_of(imported) != "mmh" and LAYERS.index(part(name)) < LAYERS.index(part(module_of(imported)))
    ]
    assert wrong == []


def test_no_modules_import_one_another_in_a_circle() -> None:
    after = {
        name: {module_of(imported) for imported, _ in imports(path)} & set(FILES)
        for name, path in FILES.items()
    }
    while leaves := [name for name, needs in after.items() if not needs & set(after)]:
        for name in leaves:
            del after[name]
    assert after == {}


def test_nothing_private_is_imported() -> None:
    private = [
        f"{path.relative_to(ROOT)}:{line}: {imported}"
        for path in [*FILES.values(), *sorted((ROOT / "workflow" / "scripts").glob("*.py"))]
        for imported, line in imports(path)
        if any(word.startswith("_") for word in imported.split(".")[1:])
    ]
    assert private == []


@pytest.mark.parametrize(
    "folder", sorted({path.parent for path in FILES.values()}), ids=lambda path: path.name
)
def test_a_folder_holds_what_one_can_look_over(folder: Path) -> None:
    if folder.name not in ROW_FOLDERS:
        assert len([path for path in FILES.values() if path.parent == folder]) <= 15
