"""Build the documentation as a site under results/docs, and refuse one that is not right.

Usage: .venv-docs/bin/python workflow/tools/docs_site.py

The tutorial and the notebook are run, the pages are built with every warning an error, then each link of the
finished pages is followed, and no page may ask a host for anything.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

SITE = Path("results/docs")
NOTEBOOK = Path("notebooks/tutorial.ipynb")
START = "docs/index.html"
PATIENCE = 600  # seconds of a cell
# Elements that a browser follows by itself, and the attribute that says where to.
ASKING = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}
STYLE = re.compile(r"@import|url\(\s*['\"]?(?:https?:)?//")


class Page(HTMLParser):
    """Targets, links and requests of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: set[str] = set()
        self.links: list[str] = []
        self.asked: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element is called, and where it leads."""
        values = {name: value or "" for name, value in attrs}
        self.targets |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag in ASKING and ASKING[tag] in values:
            self.asked.append(values[ASKING[tag]])


def faults(site: Path) -> Iterator[str]:
    """Find links that lead nowhere, and what a browser would ask a host for.

    Parameters
    ----------
    site : Path
        Folder of HTML pages.

    Yields
    ------
    str
        One line each.
    """
    pages = {path.resolve(): Page(path.read_text()) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(site.resolve())
        for link in page.links + page.asked:
            if "://" in link or link.startswith(("mailto:", "data:", "javascript:")):
                if link in page.asked and not link.startswith("data:"):
                    yield f"{name} asks a host: {link}"
                continue
            place, target = urldefrag(link)
            place = unquote(place.partition("?")[0])
            file = (path.parent / place).resolve() if place else path
            if not file.exists():
                yield f"{name}: {link} leads nowhere"
            elif target and file in pages and unquote(target) not in pages[file].targets:
                yield f"{name}: {link}: that page has no such place"
    for path in sorted(site.rglob("*.css")):
        if STYLE.search(path.read_text()):
            yield f"{path.relative_to(site)} asks a host, or another style sheet"


def execute(notebook: Path, finished: Path) -> None:
    """Run a notebook and write it with its outputs.

    Parameters
    ----------
    notebook, finished : Path

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails.
    """
    import nbclient
    import nbformat

    read = nbformat.read(notebook, as_version=4)
    nbclient.NotebookClient(read, timeout=PATIENCE, kernel_name="python3").execute()
    finished.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(read, finished)


def build(site: Path) -> int:
    """Build the pages, and one at the top that leads to the start; the exit status of the builder."""
    shutil.rmtree(site, ignore_errors=True)
    how = ["-c", "docs/site", "-d", str(site.with_name("docs-trees")), "-q", "-W", "--keep-going"]
    done = subprocess.run([sys.executable, "-m", "sphinx", *how, ".", str(site)], check=False)
    site.mkdir(parents=True, exist_ok=True)
    leads = f'<meta charset="utf-8"><title>mmh</title><meta http-equiv="refresh" content="0; url={START}">'
    (site / "index.html").write_text(f'<!doctype html>{leads}<a href="{START}">mmh</a>\n')
    return done.returncode


def main() -> int:
    """Run, build, check; 1 if anything is wrong."""
    os.environ["PYTHONPATH"] = str(Path("workflow/scripts").resolve())
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads of small networks wait for one another
    if build(SITE):
        return 1
    found = list(faults(SITE))
    for fault in found:
        print(f"error: {fault}", file=sys.stderr)
    if found:
        return 1
    if subprocess.run([sys.executable, "workflow/tools/tutorial.py"], check=False).returncode:
        return 1
    execute(NOTEBOOK, SITE / NOTEBOOK.name)
    print(f"{NOTEBOOK}: ran; with its outputs in {SITE / NOTEBOOK.name}")
    print(f"documentation: {SITE / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
