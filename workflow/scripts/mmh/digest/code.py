"""Which code a job can execute, and a digest of it.

Snakemake follows a script by modification time and does not follow what it imports. A rule's parameter
``code`` is the digest of what its job can reach: it changes by an edit that can change the output, and by no
other. It may be too wide and never too narrow; a test runs the workflow with a trace of what jobs execute.
"""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from mmh.digest.modules import Code
from mmh.digest.reach import Reach, Root

SCRIPTS = Path(__file__).resolve().parents[2]


@cache
def code_digest(script: str, *roots: Root) -> str:
    """Digest of the code that a job can execute.

    Comments, docstrings, layout, hints of types, the wording of errors and the names of files do not count.

    Parameters
    ----------
    script : str
        File name within ``workflow/scripts``.
    *roots : pair of str or Path, and str or None
        A Python file or a dotted module of the package, and a name in it that the job asks for by a string;
        None for all that it defines.

    Returns
    -------
    str
        Sixteen hexadecimal digits.

    Raises
    ------
    FileNotFoundError
        If there is no such script, file or module.
    LookupError
        If a root's module does not define its name.
    """
    return _shipped().digest(script, *roots)


def edited_digest(edits: Mapping[Path, str | None]) -> Callable[..., str]:
    """Give `code_digest` as it would be with other texts in place of some files, None for no file.

    Parameters
    ----------
    edits : mapping of Path to str or None
        Files in ``workflow/scripts``, and plug-ins.

    Returns
    -------
    callable
    """
    return _shipped().edited(edits).digest


def reached_lines(script: str, *roots: Root) -> dict[Path, list[tuple[int, int]]]:
    """Lines of the definitions that a digest covers, by file.

    Parameters
    ----------
    script, *roots
        As for `code_digest`.

    Returns
    -------
    dict of Path to list of (int, int)
        First and last line of each statement.
    """
    lines: dict[Path, list[tuple[int, int]]] = {}
    for one in _shipped().reached(script, *roots)[0]:
        lines.setdefault(one.module.path, []).extend(one.lines())
    return lines


@cache
def _shipped() -> Reach:
    return Reach(Code(SCRIPTS))
