"""Code digests change exactly when the code that a job runs changes."""

from pathlib import Path

import pytest

from mmh import provenance


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small tree of the same layout: two scripts over three modules."""
    package = tmp_path / "mmh"
    (package / "lid").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "lid" / "__init__.py").write_text("from mmh.lid.two import two\n")
    (package / "base.py").write_text('"""Doc."""\n\n\ndef base():\n    """Doc."""\n    return 1\n')
    (package / "lid" / "one.py").write_text("from mmh.base import base\n\n\ndef one():\n    return base()\n")
    (package / "lid" / "two.py").write_text("def two():\n    return 2\n")
    (tmp_path / "a.py").write_text("def main():\n    from mmh.lid.one import one\n    one()\n")
    (tmp_path / "b.py").write_text("def main():\n    from mmh.lid import two\n    two.two()\n")
    monkeypatch.setattr(provenance, "PACKAGE", package)
    return tmp_path


def digest(script: str) -> str:
    for function in (provenance._tree, provenance._canonical, provenance._imports):
        function.cache_clear()
    return provenance.code_digest(script)


def test_comments_docstrings_and_layout_do_not_count(scripts: Path) -> None:
    before = digest("a.py")
    (scripts / "mmh" / "base.py").write_text(
        '"""Other."""\n# why\ndef base():\n    """Other."""\n\n    return (1)\n'
    )
    assert digest("a.py") == before


def test_a_change_in_an_indirect_import_counts(scripts: Path) -> None:
    before = digest("a.py"), digest("b.py")
    (scripts / "mmh" / "base.py").write_text("def base():\n    return 2\n")
    assert digest("a.py") != before[0]
    assert digest("b.py") == before[1]


def test_a_sibling_module_of_the_same_package_does_not_count(scripts: Path) -> None:
    before = digest("a.py")
    (scripts / "mmh" / "lid" / "two.py").write_text("def two():\n    return 3\n")
    assert digest("a.py") == before


def test_a_module_imported_through_its_package_counts(scripts: Path) -> None:
    before = digest("b.py")
    (scripts / "mmh" / "lid" / "two.py").write_text("def two():\n    return 3\n")
    assert digest("b.py") != before


def test_a_renamed_module_counts(scripts: Path) -> None:
    before = digest("a.py")
    (scripts / "mmh" / "lid" / "one.py").rename(scripts / "mmh" / "lid" / "uno.py")
    (scripts / "a.py").write_text("def main():\n    from mmh.lid.uno import one\n    one()\n")
    assert digest("a.py") != before
