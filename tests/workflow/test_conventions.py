"""Every rule has the same parts, and nothing in the workflow works around the rerun rules."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RULE_FILES = sorted((ROOT / "workflow" / "rules").glob("*.smk"))
SCRIPTS = sorted((ROOT / "workflow" / "scripts").glob("*.py"))
MODULES = sorted((ROOT / "workflow" / "scripts" / "mmh").rglob("*.py"))
FORBIDDEN_DIRECTIVES = ("run", "shell", "message", "notebook", "wrapper", "cache")
FORBIDDEN = (
    "lambda",
    "\ncheckpoint ",
    "ancient(",
    "protected(",
    "temp(",
    "snakemake.config",
    "scattergather",
)


def rules() -> dict[str, tuple[Path, str]]:
    found = {}
    for file in RULE_FILES:
        for block in re.split(r"^(?=rule )", file.read_text(), flags=re.MULTILINE)[1:]:
            name = re.match(r"rule (\w+):", block)
            assert name, f"{file.name}: {block.splitlines()[0]}"
            found[name[1]] = (file, block)
    return found


RULES = rules()


def test_there_are_rules_to_check() -> None:
    assert len(RULES) >= 20


@pytest.mark.parametrize("name", RULES)
def test_a_rule_has_every_part(name: str) -> None:
    _, block = RULES[name]
    assert re.search(r'^    """[A-Z].*\."""$', block.splitlines()[1]), "one-sentence docstring first"
    for part in ("output:", "log:", "benchmark:", "conda:", "threads:", "resources:", "params:", "script:"):
        assert f"\n    {part}" in block, part
    # A download is never made anew by itself, whatever the code: GPU days may hang on it.
    tracked = r"untracked=plan\.sources\.row" if name == "fetch_source" else r"code=(plan\.|code_digest\()"
    assert re.search(tracked, block)
    assert f'"../scripts/{name}.py"' in block
    assert f'"logs/{name}' in block
    assert f'"benchmarks/{name}' in block


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_short_and_its_inputs_and_outputs_are_named(name: str) -> None:
    _, block = RULES[name]
    assert len(block.strip().splitlines()) <= 46
    for part in ("input", "output"):
        section = re.search(rf"\n    {part}:\n((?:        .*\n)+)", block)
        if section:
            for line in section[1].splitlines():
                if re.match(r"        \S", line) and not line.strip().startswith((")", "}", "]")):
                    assert re.match(r"\s+(\w+=|unpack\()", line), line


@pytest.mark.parametrize("file", [*RULE_FILES, ROOT / "Snakefile"], ids=lambda file: file.name)
def test_rule_files_have_a_docstring_and_no_forbidden_constructs(file: Path) -> None:
    text = file.read_text()
    assert text.startswith('"""')
    if file.parent.name == "rules":
        assert "INPUTS:" in text
        assert "OUTPUTS:" in text
    for word in FORBIDDEN:
        assert word not in text, word
    for word in FORBIDDEN_DIRECTIVES:
        assert not re.search(rf"^ +{word}:", text, flags=re.MULTILINE), word


@pytest.mark.parametrize("name", [name for name, (_, block) in RULES.items() if "report(" in block])
def test_an_entry_of_the_report_has_one_label(name: str) -> None:
    """Of a second label with two values Snakemake makes a switch, and dies where a combination is not there."""
    _, block = RULES[name]
    if name == "draw_figure":
        assert "labels=plan.figures.labels," in block  # tests/unit/test_plan_inputs.py sees what it gives
        return
    labels = re.findall(r"\n +labels=(\{.+\}),\n", block)
    assert len(labels) == block.count("report(")
    for text in labels:
        ((key, value),) = ast.literal_eval(text).items()
        assert key in ("figure", "table")
        assert value.endswith((", {experiment}", ", all experiments"))  # a search finds all of them


def test_the_snakefile_is_read_in_twenty_seconds() -> None:
    assert len((ROOT / "Snakefile").read_text().splitlines()) < 45


def test_scripts_and_rules_are_one_to_one() -> None:
    assert {script.stem for script in SCRIPTS} == set(RULES)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_is_small_and_loads_nothing_heavy_at_import(script: Path) -> None:
    text = script.read_text()
    assert len(text.splitlines()) <= 80
    assert "snakemake.config" not in text
    assert "from __future__" not in text
    tree = ast.parse(text)
    assert ast.get_docstring(tree)
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
            assert module in {"pathlib", "typing", "mmh.job.frame", "collections.abc"}, (
                f"import {module} inside main()"
            )


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_a_module_is_of_readable_size_and_knows_nothing_of_snakemake(module: Path) -> None:
    text = module.read_text()
    assert len(text.splitlines()) <= 300
    if module.name != "frame.py":
        assert not re.search(r"^\s*(import|from) snakemake", text, flags=re.MULTILINE)
    if module.name not in {"rows.py", "lazy.py", "__init__.py"}:
        assert "importlib.import_module" not in text  # the code digest could not follow it


def test_packages_are_imported_by_module() -> None:
    """A name that a package gives on may be a module of it as well; the digests follow both, and readers neither."""
    packages = {"mmh." + p.parent.name for p in MODULES if p.name == "__init__.py" and p.parent.name != "mmh"}
    for file in [*SCRIPTS, *MODULES]:
        if file.name == "__init__.py":
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module in packages:
                folder = ROOT / "workflow" / "scripts" / Path(*node.module.split("."))
                for alias in node.names:
                    assert (folder / f"{alias.name}.py").is_file(), (
                        f"{file.name}: from {node.module} import {alias.name}"
                    )


def test_what_the_snakefile_imports_is_light() -> None:
    """Every job parses the Snakefile again, so pandas or torch there would be paid thousands of times."""
    code = "import sys, mmh.config.check, mmh.plan.plan, mmh.plan.status; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    environment = {"PYTHONPATH": str(ROOT / "workflow" / "scripts"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert not {"torch", "numpy", "pandas", "scipy", "diffusers"} & set(done.stdout.split())


@pytest.mark.parametrize("file", RULE_FILES, ids=lambda file: file.name)
def test_rule_files_hold_rules_and_nothing_else(file: Path) -> None:
    for line in file.read_text().split('"""', 2)[2].splitlines():
        if file.name in ("common.smk", "reading.smk"):
            assert not re.match(r"\s*(async def|def|class) ", line), line
        else:
            assert re.match(r"\s|rule \w+:$|$", line), line


def test_conda_files_agree_with_the_lock() -> None:
    pinned = {}
    for line in (ROOT / "envs" / "requirements.lock").read_text().splitlines():
        if "==" in line and not line.startswith("#"):
            name, version = line.split("==")
            pinned[name.lower().replace("_", "-")] = version.strip()
    aliases = {
        "pytorch": "torch",
        "faiss-gpu": "faiss-cpu",
        "pytorch-gpu": "torch",
        "matplotlib-base": "matplotlib",
    }
    for file in sorted((ROOT / "envs").glob("*.yaml")):
        for line in file.read_text().splitlines():
            match = re.match(r"\s+- ([A-Za-z0-9_.-]+)\s*=\s*([\d.]+)", line)
            if match and match[1] != "python":
                name = aliases.get(match[1], match[1]).lower().replace("_", "-")
                assert pinned.get(name) == match[2], (
                    f"{file.name}: {match[1]} {match[2]}, lock {pinned.get(name)}"
                )


def test_the_entry_of_the_catalog_is_the_same_workflow() -> None:
    entry = (ROOT / "workflow" / "Snakefile").read_text().split('"""', 2)[2]
    assert entry.split() == ["include:", '"../Snakefile"']
    assert (ROOT / "config" / "README.md").is_file()
