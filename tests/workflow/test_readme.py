"""What the README and the other pages show is true."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import pictures

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BESIDE = [ROOT / name / "README.md" for name in ("config", "profiles", "resources")]


def test_the_readme_takes_two_screens() -> None:
    assert len(README.splitlines()) <= 130


def test_the_python_example_runs_as_written(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(re.findall(r"^[^#\n]", example, re.MULTILINE)) <= 10  # lines of code
    (tmp_path / "example.py").write_text(example)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow" / "scripts")}
    done = subprocess.run(
        [sys.executable, "example.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    values = [float(number) for number in re.findall(r"\d+\.\d+", done.stdout)]
    assert values == pytest.approx([3.0] * 4, abs=0.1)


def test_each_figure_has_its_command_and_its_picture() -> None:
    rows = re.findall(r'^\| <img src="([^"]+)" [^|]+\| [^|]+ \| `results/([^`]+)` \|', README, re.MULTILINE)
    drawn = pictures.drawn(yaml.safe_load((ROOT / "config.yaml").read_text()))
    shown = {Path(file).stem: (picture, f"results/{file}") for picture, file in rows}
    assert len(shown) == len(rows)
    wanted = {
        name: (f"docs/images/figures/{name}.png", str(source.with_suffix(".pdf")))
        for name, source in drawn.items()
    }
    assert shown == wanted


def test_pictures_are_small() -> None:
    sizes = {path: path.stat().st_size for path in (ROOT / "docs" / "images").rglob("*.png")}
    assert sizes[ROOT / "docs" / "images" / "overview.png"] <= 300_000
    assert sum(sizes.values()) <= 1024**2


def places(page: Path) -> set[str]:
    """Names that a page's headings have in links, as GitHub and the site give them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, *BESIDE], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    links = re.findall(r"\]\(([^)\s]+)", text) + re.findall(r'<img src="([^"]+)"', text)
    lost = []
    for link in links:
        if "://" not in link:
            name, _, place = link.partition("#")
            file = page.parent / name if name else page
            if not file.exists() or (place and file.suffix == ".md" and place not in places(file)):
                lost.append(link)
    assert not lost


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_that_a_page_names_exists(page: Path) -> None:
    for name in re.findall(r"\bmmh(?:\.\w+)+", page.read_text()):
        parts = name.split(".")
        files = [
            (ROOT / "workflow" / "scripts" / Path(*parts[:n])).with_suffix(".py")
            for n in range(1, len(parts) + 1)
        ]
        folders = [file.with_suffix("") for file in files]
        found = [n for n in range(len(parts)) if files[n].is_file() or folders[n].is_dir()]
        assert len(found) >= len(parts) - 1, name
        if len(found) == len(parts) - 1:
            text = files[len(parts) - 2]
            text = text if text.is_file() else folders[len(parts) - 2] / "__init__.py"
            assert re.search(rf"\b{parts[-1]}\b", text.read_text()), name


def test_the_page_of_files_names_rules() -> None:
    known = {
        name
        for file in (ROOT / "workflow" / "rules").glob("*.smk")
        for name in re.findall(r"^rule (\w+):", file.read_text(), re.MULTILINE)
    }
    rows = re.findall(r"^\| `[^|]+ \| ([^|]+) \|", (ROOT / "docs" / "files.md").read_text(), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert len(named) > 20
    assert named <= known


def test_every_page_is_reached_from_the_readme() -> None:
    reached, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page not in reached:
            reached.add(page)
            links = re.findall(r"\]\(([^)\s#]+\.md)\)", page.read_text())
            ahead += [(page.parent / link).resolve() for link in links if "://" not in link]
    assert {page.resolve() for page in PAGES} <= reached


def test_the_tables_of_studies_are_listed() -> None:
    folder = ROOT / "docs" / "studies"
    listed = set(re.findall(r"^\| \[[^]]+\]\(([^)]+)\)", (folder / "README.md").read_text(), re.MULTILINE))
    assert listed == {path.name for path in folder.glob("*.csv")}
