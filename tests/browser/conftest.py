"""One Chromium for all tests of a session, one profile and download folder for each page."""

import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chromium import Chromium, Page


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        reason = "the labelling page and the report were NOT tested: no chromium on PATH (Debian: apt install chromium)"
        warnings.warn(pytest.PytestWarning(reason), stacklevel=1)  # shown even where skips are not
        pytest.skip(reason)
    browser = Chromium(program, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def new_page(browser: Chromium, tmp_path: Path) -> Iterator[Callable[[], Page]]:
    """Open a page in a fresh profile."""
    pages: list[Page] = []

    def make() -> Page:
        downloads = tmp_path / f"downloads-{len(pages)}"
        downloads.mkdir()
        pages.append(Page(browser, downloads))
        return pages[-1]

    yield make
    for page in pages:
        browser.send("Target.disposeBrowserContext", browserContextId=page.context)
