"""Digests that are kept from one start to the next: those of the code as it is, never of another state."""

import shutil
from pathlib import Path

import pytest

from mmh.digest import kept
from mmh.digest.code import SCRIPTS, code_digest
from mmh.digest.kept import Kept, state_of


class Counted:
    """Digests that say how often they were computed."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def __call__(self, script: str, *roots: object) -> str:
        self.calls.append((script, *roots))
        return f"{len(self.calls):016d}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "scripts" / "mmh" / "page").mkdir(parents=True)
    (tmp_path / "scripts" / "score.py").write_text("a = 1\n")
    (tmp_path / "scripts" / "mmh" / "code.py").write_text("b = 1\n")
    (tmp_path / "scripts" / "mmh" / "page" / "page.css").write_text("p {}\n")
    return tmp_path / "scripts"


def start(folder: Path, *asked: tuple[str, ...]) -> tuple[list[str], int]:
    """Digests of one start, and how many of them were computed anew."""
    compute = Counted()
    one = Kept(folder, compute)
    found = [one.digest(script, *((root, None) for root in roots)) for script, *roots in asked]
    one.save()
    return found, len(compute.calls)


def test_the_next_start_computes_what_is_new_alone(folder: Path) -> None:
    first, computed = start(folder, ("score.py",), ("score.py", "mmh.code"), ("score.py",))
    assert computed == 2
    assert first[0] == first[2] != first[1]
    assert start(folder, ("score.py", "mmh.code"), ("score.py",)) == ([first[1], first[0]], 0)
    assert start(folder, ("score.py",), ("other.py",))[1] == 1
    assert start(folder, ("score.py",), ("other.py",), ("score.py", "mmh.code"))[1] == 0


@pytest.mark.parametrize("name", ["score.py", "mmh/code.py", "mmh/page/page.css", "mmh/new.py", "none.py"])
def test_any_other_byte_of_any_file_makes_all_anew(folder: Path, name: str) -> None:
    start(folder, ("score.py",))
    (folder / "none.py").write_text("")
    assert start(folder, ("score.py",))[1] == 1
    file, before = folder / name, state_of(folder)
    if name == "none.py":
        file.unlink()
        assert state_of(folder) != before
    else:
        # As long as before, and as old.
        content = file.read_text() if file.exists() else "c = 2\n"
        file.write_text(content[:-2] + "3\n")
        assert state_of(folder) != before
    assert start(folder, ("score.py",))[1] == 1


def test_a_file_that_is_renamed_or_cut_in_two_counts(folder: Path) -> None:
    states = {state_of(folder)}
    (folder / "score.py").rename(folder / "scor.py")
    states.add(state_of(folder))
    (folder / "scor.py").write_text("a = ")
    (folder / "scor.pz").write_text("1\n")
    states.add(state_of(folder))
    assert len(states) == 3
    (folder / "mmh" / "__pycache__").mkdir()
    (folder / "mmh" / "__pycache__" / "code.pyc").write_text("bytecode")
    assert state_of(folder) in states


def test_an_edit_during_a_start_keeps_nothing(folder: Path) -> None:
    """What was read before the edit and what after it cannot be told apart."""
    one = Kept(folder, Counted())
    one.digest("score.py")
    (folder / "mmh" / "code.py").write_text("b = 2\n")
    one.save()
    assert not one.file.exists()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"state": "x"}', '{"state": "STATE", "digests": 3}']
)
def test_a_file_that_is_damaged_is_none(folder: Path, content: str) -> None:
    file = Kept(folder, Counted()).file
    file.parent.mkdir()
    file.write_text(content.replace("STATE", state_of(folder)))
    assert start(folder, ("score.py",))[1] == 1
    assert start(folder, ("score.py",))[1] == 0


def test_two_starts_at_once_keep_the_digests_of_both(folder: Path) -> None:
    one, other = Kept(folder, Counted()), Kept(folder, Counted())
    one.digest("score.py")
    other.digest("other.py")
    one.save()
    other.save()
    assert start(folder, ("score.py",), ("other.py",))[1] == 0
    assert [path.name for path in one.file.parent.iterdir()] == [one.file.name]


def test_a_place_that_cannot_be_written_stops_nothing(folder: Path) -> None:
    (folder / "mmh" / "__pycache__").write_text("a file")
    assert start(folder, ("score.py",))[1] == 1


def test_rows_of_plug_ins_are_computed_at_each_start(folder: Path, tmp_path: Path) -> None:
    """They lie elsewhere, and may be edited where the scripts are not."""
    compute = Counted()
    one = Kept(folder, compute)
    for where in (tmp_path / "own.py", str(tmp_path / "own.py")):
        assert one.digest("score.py", (where, "Own")) != one.digest("score.py", (where, "Own"))
    one.save()
    assert len(compute.calls) == 4
    assert not one.file.exists()


def test_the_shipped_digests_are_the_same_kept_or_not(tmp_path: Path) -> None:
    scripts = tmp_path / "scripts"
    shutil.copytree(SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    roots = [("mmh.scores.flipd", "Flipd")]
    for _ in range(2):
        one = Kept(scripts, code_digest)
        assert one.digest("score_span.py", *roots) == code_digest("score_span.py", *roots)
        assert one.digest("evaluate.py") == kept.code_digest("evaluate.py") == code_digest("evaluate.py")
        one.save()
