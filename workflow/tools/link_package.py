"""Let the environment that runs this import `mmh` from this checkout.

Usage: .venv/bin/python workflow/tools/link_package.py

A finder is put at the end of the ways to find a module, so that whatever `sys.path` gives comes first: a copy
of the checkout that uses this environment, as tests and jobs of another working tree do, runs its own code.
"""

import sysconfig
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
NAME = "mmh_checkout"
FINDER = '''"""Finds mmh where nothing else does: written by workflow/tools/link_package.py."""

import sys
from importlib.machinery import PathFinder

SCRIPTS = {scripts!r}


class Finder:
    """The last of the ways to find a module."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """Look for the package itself; its modules follow from where it lies."""
        return PathFinder.find_spec(name, [SCRIPTS]) if name == "mmh" else None


sys.meta_path.append(Finder)
'''


def link(folder: Path, scripts: Path) -> None:
    """Write the finder, and the line that starts it with Python.

    Parameters
    ----------
    folder : Path
        site-packages of an environment.
    scripts : Path
        Folder that holds the package.
    """
    (folder / f"{NAME}.py").write_text(FINDER.format(scripts=str(scripts)))
    (folder / f"{NAME}.pth").write_text(f"import {NAME}\n")


if __name__ == "__main__":
    link(Path(sysconfig.get_path("purelib")), SCRIPTS)
