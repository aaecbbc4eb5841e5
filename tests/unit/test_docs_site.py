"""The documentation: cards of all estimators, every public name, and a check of the finished site that bites."""

import importlib
import inspect
import json
import re
from pathlib import Path

import docs_site
import estimator_cards
import pytest
import tutorial

from mmh.scores.base import SCORES

ROOT = Path(__file__).parents[2]
PUBLIC = (
    "mmh.diffusion",
    "mmh.lid",
    "mmh.hessian",
    "mmh.retrieval",
    "mmh.stats",
    "mmh.checkpoints",
    "mmh.io",
)
NAMES = [f"{package}.{name}" for package in PUBLIC for name in importlib.import_module(package).__all__]


def test_the_cards_are_those_of_the_rows():
    said = (ROOT / "docs" / "cards.md").read_text()
    assert said == estimator_cards.page(), "run `make cards`"
    ours = [name for name, row in SCORES.rows().items() if row.plugin is None]
    assert [f"### `{name}`" in said for name in ours] == [True] * len(ours)


def test_an_estimator_without_a_card_is_named():
    class Bare(SCORES["png"]):
        """Bits.

        Formula: 8 n.

        Cost: nothing.
        """

    with pytest.raises(ValueError, match="Bare: its docstring lacks Source, Fails"):
        estimator_cards.fields(Bare)


def test_the_page_of_the_library_has_every_public_name():
    page = (ROOT / "docs" / "api.md").read_text()
    assert sorted(re.findall(r"^\.\. auto\w+:: (\S+)", page, re.MULTILINE)) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_help_of_a_public_name_is_complete(name):
    module, _, last = name.rpartition(".")
    found = getattr(importlib.import_module(module), last)
    text = inspect.getdoc(found) or ""
    if inspect.isclass(found):
        assert "Parameters\n---" in text or "Attributes\n---" in text
        return
    signature = inspect.signature(found)
    heads = re.findall(r"^([\w*, ]+?)(?: : .*)?$", text.partition("Parameters\n")[2], re.MULTILINE)
    named = {one.strip(" *") for head in heads for one in head.split(",")}
    assert set(signature.parameters) - named == set()
    assert signature.return_annotation in (None, "None") or "Returns\n---" in text


@pytest.fixture
def site(tmp_path):
    """Two pages that are right."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.html").write_text('<a href="sub/b.html?v=1#place">b</a><a href="https://else.where">e</a>')
    (tmp_path / "sub" / "b.html").write_text(
        '<h1 id="place"></h1><a href="../a.html">a</a><a href="#place">p</a>'
    )
    (tmp_path / "look.css").write_text("a { background: url(picture.png) }")
    return tmp_path


def test_a_site_that_is_right_has_no_faults(site):
    assert list(docs_site.faults(site)) == []


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("c.html", '<a href="d.html">d</a>', "c.html: d.html leads nowhere"),
        (
            "c.html",
            '<a href="sub/b.html#other">d</a>',
            "c.html: sub/b.html#other: that page has no such place",
        ),
        ("c.html", '<img src="lost.png">', "c.html: lost.png leads nowhere"),
        (
            "c.html",
            '<script src="https://cdn.where/x.js"></script>',
            "c.html asks a host: https://cdn.where/x.js",
        ),
        ("c.css", "@import 'fonts.css';", "c.css asks a host, or another style sheet"),
        ("c.css", "a { background: url('//host/x') }", "c.css asks a host, or another style sheet"),
    ],
)
def test_faults_of_a_site(site, file, text, said):
    (site / file).write_text(text)
    assert list(docs_site.faults(site)) == [said]


PAGE = "```python\nx = 2\nprint(x, 1 / 3)\n```\n\n```text\n2 0.3333\n```\n\n```python\ny = x\n```\n"


def test_the_blocks_of_a_page_share_their_names_and_are_compared():
    ((_, said, printed), second) = tutorial.run(PAGE)
    assert second[1:] == ("", "")
    assert tutorial.agree(said, printed)
    assert not tutorial.agree(said, printed.replace("0.33", "0.34"))
    assert not tutorial.agree(said, f"x {printed}")
    assert tutorial.written(PAGE, tutorial.run(PAGE)) == PAGE.replace("0.3333", str(1 / 3))


def test_a_block_that_fails_is_shown():
    with pytest.raises(RuntimeError, match=r"block 2 fails:\nlost\(\)"):
        tutorial.run("```python\nx = 1\n```\n```python\nlost()\n```\n")


def test_the_tutorial_has_ten_steps_and_each_says_what_it_prints():
    text = (ROOT / "docs" / "tutorial.md").read_text()
    assert re.findall(r"^## (\d+)\.", text, re.MULTILINE) == [str(n) for n in range(1, 11)]
    blocks = tutorial.BLOCK.findall(text)
    assert len(blocks) == 10
    assert all(said for _, said in blocks)


def test_the_notebook_has_ten_cells_and_no_outputs():
    cells = json.loads((ROOT / "notebooks" / "tutorial.ipynb").read_text())["cells"]
    assert len(cells) == 10
    assert all(cell["cell_type"] == "markdown" or cell["outputs"] == [] for cell in cells)
