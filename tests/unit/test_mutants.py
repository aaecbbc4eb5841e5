"""The list of deliberate faults, and the tool that tries them: tests/mutants/."""

import csv
import subprocess
import sys
from pathlib import Path

import mutants
import pytest

ROOT = Path(__file__).parents[2]
FAULTS = mutants.read_faults(ROOT)


def test_every_fault_fits_the_code_and_names_a_test() -> None:
    assert [f"{f.name}: {why}" for f in FAULTS if (why := mutants.misfit(ROOT, f))] == []


def test_there_are_faults_of_every_kind() -> None:
    packages = {fault.file.split("/")[3] for fault in FAULTS}
    assert {
        "lid",
        "stats",
        "retrieval",
        "sampling",
        "detection",
        "labels",
        "evaluation",
        "claims",
    } <= packages
    assert len(FAULTS) >= 60


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A made-up project: a mean, of whose tests only one can notice anything."""
    (tmp_path / "workflow").mkdir()
    (tmp_path / "workflow" / "mean.py").write_text(
        "def mean(values):\n    return sum(values) / len(values)\n\n\nLIMIT = 3\n"
    )
    (tmp_path / "tests" / "mutants").mkdir(parents=True)
    (tmp_path / "tests" / "test_mean.py").write_text(
        "import pytest\n"
        "from mean import mean\n\n\n"
        "def test_value():\n    assert mean([1, 2]) == 1.5\n\n\n"
        "def test_idle():\n    assert mean([0]) == 0\n\n\n"
        "class TestRaised:\n    def test_one(self):\n        mean([1.0])\n\n\n"
        "@pytest.fixture\ndef made():\n    return mean([1, 1, 1])\n\n\n"
        "def test_made(made):\n    assert made == 1\n"
    )
    (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\npythonpath = ["workflow"]\n')
    (tmp_path / "docs" / "studies").mkdir(parents=True)
    return tmp_path


def listed(project: Path, **entries: tuple[str, str, str]) -> None:
    lines = ["workflow/mean.py:"]
    for name, (was, becomes, test) in entries.items():
        lines += [f"- name: {name}", f"  was: {was!r}", f"  becomes: {becomes!r}", "  breaks: the mean"]
        lines.append(f"  test: tests/test_mean.py::{test}")
    (project / "tests" / "mutants" / "list.yaml").write_text("\n".join(lines) + "\n")


DDOF = ("len(values)", "(len(values) - 1)")


def test_killed_faults_make_a_table(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raised = ("sum(values) /", "sum(values) / 0 *", "TestRaised::test_one")
    listed(project, sum=("sum(", "max(", "test_value"), raised=raised)
    before = (project / "workflow" / "mean.py").read_text()
    assert mutants.main(["-n", "2"], project, []) == 0
    assert "2 of 2 faults killed" in capsys.readouterr().out
    (table,) = (project / "docs" / "studies").glob("mutants-*.csv")
    with table.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["name", "file", "breaks", "test", "killed_by"]
    assert rows[1][:4] == ["sum", "workflow/mean.py", "the mean", "tests/test_mean.py::test_value"]
    assert rows[1][4].startswith("test_value: assert 1.0 == 1.5")
    assert rows[2][4].startswith("test_one: ZeroDivisionError")
    assert len(rows) == 3
    assert (project / "workflow" / "mean.py").read_text() == before


def test_what_kills_no_fault_is_told_apart(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed(
        project,
        survivor=("/ len(values)", "/ 1", "test_idle"),
        gone=("median(", "mean(", "test_value"),
        idle=("LIMIT = 3", "LIMIT  = 3", "test_value"),
        unparsed=("return", "return return", "test_value"),
        imported=("def mean", "def average", "test_value"),
        untested=(*DDOF, "test_of_nothing"),
        fixture=("sum(", "1 / 0 + sum(", "test_made"),
        named=("sum(", "summe(", "test_value"),
    )
    assert mutants.main([], project, []) == 1
    said = {
        line.split()[0]: line
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("  ") and "(" in line
    }
    wrong = {
        "survivor": "survives: its test passes",
        "gone": "workflow/mean.py: the text 'median(' occurs 0 times, not once",
        "idle": "changes nothing",
        "unparsed": "it is no Python",
        "imported": "its test could not be run (pytest",
        "untested": "tests/test_mean.py::test_of_nothing: there is no such test",
        "fixture": "its test could not be run (pytest 1",
        "named": "is no fault of the kind that is meant: NameError",
    }
    for name, text in wrong.items():
        assert text in said[name]
    assert not list((project / "docs" / "studies").iterdir())


def test_a_test_that_fails_anyway_shows_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed(project, ddof=(*DDOF, "test_value"))
    code = project / "workflow" / "mean.py"
    code.write_text(code.read_text().replace("sum(", "0 * sum("))
    assert mutants.main([], project, []) == 1
    assert "without any fault the tests do not pass: test_value: failure" in capsys.readouterr().err


def test_entries_of_the_list_are_checked(project: Path) -> None:
    path = project / "tests" / "mutants" / "list.yaml"
    path.write_text("a.py:\n- {name: one, was: x}\n")
    with pytest.raises(
        ValueError, match=r"list.yaml: a.py: an entry needs the keys name, was, becomes, breaks, test"
    ):
        mutants.read_faults(project)
    entry = "- {name: one, was: x, becomes: y, breaks: z, test: t}\n"
    path.write_text(f"a.py:\n{entry}{entry}")
    with pytest.raises(ValueError, match="'one' stands twice"):
        mutants.read_faults(project)


def test_the_tool_says_what_it_takes() -> None:
    command = [sys.executable, str(ROOT / "workflow" / "tools" / "mutants.py"), "nothing-of-this-name"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "error: there is no fault 'nothing-of-this-name'\n")
