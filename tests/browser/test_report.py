"""The report of the experiments that plain `snakemake` builds, in a real browser: every entry opens."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from chromium import Page
from PIL import Image

ROOT = Path(__file__).parents[2]
LINKS = "[...document.querySelectorAll('#app nav li a')]"
ROWS = "[...document.querySelectorAll('#app tbody tr')]"
ALIVE = "document.querySelector('#app').innerText.includes('Snakemake')"


def snakemake(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--directory", str(folder), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def stand_in(file: Path) -> None:
    """Write something of the right kind: a report shows files, and asks nothing of their content."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".png":
        Image.new("RGB", (64, 32), "steelblue").save(file)
    elif file.suffix:
        file.write_text("a,b\n1,2\n")
    else:
        file.mkdir(exist_ok=True)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the report of config.yaml as it is, from stand-ins for every file of its results."""
    folder = tmp_path_factory.mktemp("report")
    shutil.copy(ROOT / "config.yaml", folder)
    listed = snakemake(folder, "--summary").splitlines()
    for line in listed[1:]:
        stand_in(folder / line.split("\t")[0])
    style = str(ROOT / "workflow" / "report" / "report.css")
    snakemake(folder, "--report", "results/report.html", "--report-stylesheet", style, "--quiet", "all")
    return folder / "results" / "report.html"


def go_to(page: Page, *names: str) -> None:
    """Click from the start page through the menus, by the words that are seen there."""
    page.click("#app nav ol a")
    for name in names:
        page.wait(f"{LINKS}.some(a => a.innerText.trim() === {name!r})")
        page.run(f"{LINKS}.find(a => a.innerText.trim() === {name!r}).click()")
        alive(page, names)


def alive(page: Page, where: object) -> None:
    """React takes a page away, all of it, when drawing fails."""
    page.run("new Promise(done => requestAnimationFrame(() => setTimeout(() => done(1))))")
    assert page.run(ALIVE), f"the page is white after {where}: {page.events('Runtime.exceptionThrown')}"
    assert page.events("Runtime.exceptionThrown") == [], where


def test_every_entry_of_every_category_opens(report: Path, new_page: Callable[[], Page]) -> None:
    page = new_page()
    page.open(report.as_uri())
    page.wait(ALIVE)
    for general in ("Workflow", "Statistics", "About"):
        go_to(page, general)
    shown = {}
    categories = page.run("categories")
    assert {"Figures", "Tables"} <= set(categories)
    assert {"von-mises", "digits-overfit"} <= set(categories["Figures"])
    for category, parts in categories.items():
        for part, files in parts.items():
            names = (category, part) if len(parts) > 1 else (category,)
            go_to(page, *names)
            # One row for each file: nothing hides behind a switch.
            assert page.run(f"{ROWS}.length") == len(files), names
            for row in range(len(files)):
                go_to(page, *names)
                page.run(f"{ROWS}[{row}].querySelectorAll('a')[0].click()")
                alive(page, (*names, row))
                view = page.run("[app.state.resultPath, app.state.content, app.state.contentPath]")
                page.run(f"{ROWS}[{row}].querySelectorAll('a')[1].click()")
                alive(page, (*names, row, "about it"))
                file = page.run("app.state.resultPath")
                shown[file] = row
                if file.endswith(".png"):
                    assert view == [file, "img", page.run(f"results[{file!r}].data_uri")]
                    page.wait("[...document.querySelectorAll('#app img')].every(i => i.naturalWidth)")
    assert set(shown) == {file for parts in categories.values() for files in parts.values() for file in files}


def test_a_search_shows_every_file_that_it_finds(report: Path, new_page: Callable[[], Page]) -> None:
    page = new_page()
    page.open(report.as_uri())
    page.wait(ALIVE)
    files = page.run("Object.keys(results)")
    for term in ("von-mises", "digits-text", "claims.csv", "results/"):
        page.run("document.querySelector('#app nav input').focus()")
        page.run("document.querySelector('#app nav input').select()")
        page.send("Input.insertText", text=term)
        page.press("Enter")
        alive(page, f"a search of {term}")
        found = [file for file in files if term in file]
        assert len(found) > 1
        page.wait(f"app.state.searchTerm === {term!r}")
        assert page.run(f"{ROWS}.length") == len(found), term
        go_to(page)


@pytest.mark.parametrize("width", [480, 1280])
def test_it_opens_with_the_summary_and_the_key_figures(
    report: Path, new_page: Callable[[], Page], width: int
) -> None:
    page = new_page()
    page.resize(width, 800)
    page.open(report.as_uri())
    page.wait(ALIVE)
    assert page.text(".prose pre").split() == ["a,b", "1,2"]  # the stand-in of results/summary.txt
    images = "[...document.querySelectorAll('.prose figure img')]"
    page.wait(f"{images}.length === 3 && {images}.every(i => i.naturalWidth === 64)")
    alive(page, "the start")
    assert page.run("document.documentElement.scrollWidth") <= width
    right = "Math.max(...[...document.querySelectorAll('.prose p, .prose pre, nav')].map(e => e.getBoundingClientRect().right))"
    assert page.run(right) <= width
    assert page.run(f"{LINKS}.every(a => a.getBoundingClientRect().right <= {width})")
    assert not [e for e in page.events("Network.requestWillBeSent") if e["request"]["url"].startswith("http")]
