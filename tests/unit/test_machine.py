"""The machine that a run starts on: settled, or refused in one line."""

import getpass
import os
import pwd
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from mmh.config.machine import FOLDERS, quote_interpreter, settle
from mmh.errors import InputError

NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")
VARIABLES = (*NAMES, "HOME", "XDG_CACHE_HOME", "MPLCONFIGDIR")


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put back what is set."""
    monkeypatch.setattr(sys, "executable", sys.executable)
    for name in VARIABLES:
        monkeypatch.setenv(name, os.environ.get(name, ""))
        if not os.environ[name]:
            monkeypatch.delenv(name)


def unknown(uid: int) -> NoReturn:
    raise KeyError(f"getpwuid(): uid not found: {uid}")


def test_a_usual_machine_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    before = dict(os.environ)
    settle(tmp_path)
    assert dict(os.environ) == before
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("home", [None, "not-there", "locked"])
def test_a_user_whom_the_system_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str | None
) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    if home:
        monkeypatch.setenv("HOME", str(tmp_path / home))
    if home == "locked":  # as / is to a container's user
        (tmp_path / home).mkdir()
        monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises((KeyError, OSError)):
        getpass.getuser()
    settle(tmp_path)
    assert getpass.getuser() == f"uid{os.getuid()}"
    assert Path("~").expanduser().is_dir()
    assert os.environ["MPLCONFIGDIR"].startswith(str(tmp_path))
    assert (os.environ["HOME"] == str(tmp_path / "locked")) == (home == "locked")
    settle(tmp_path)  # a job settles again, in the environment of the run
    assert getpass.getuser() == f"uid{os.getuid()}"


@pytest.mark.parametrize("name", FOLDERS)
def test_a_link_to_nowhere_is_one_line(tmp_path: Path, name: str) -> None:
    target = tmp_path / "scratch"
    (tmp_path / name).symlink_to(target)
    with pytest.raises(
        InputError, match=f"^{name} is a link to {target}, which does not exist; make"
    ) as error:
        settle(tmp_path)
    assert "\n" not in str(error.value)
    target.mkdir()
    settle(tmp_path)


@pytest.mark.parametrize("name", ["a b", "it's", "plain"])
def test_an_interpreter_under_any_path_is_one_word_of_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    place = tmp_path / name / "python"
    place.parent.mkdir()
    place.symlink_to("/bin/echo")
    monkeypatch.setattr(sys, "executable", str(place))
    quote_interpreter()
    quote_interpreter()
    assert shlex.split(f"{sys.executable} done") == [str(place), "done"]
    assert (
        subprocess.run(f"{sys.executable} done", shell=True, capture_output=True, text=True).stdout
        == "done\n"
    )
