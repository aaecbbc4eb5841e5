"""Spans of ids: ``000000-000499`` names the ids 0..499. Standard library only.

A module of its own, so that a change of the plan does not change the code digest of jobs that read a span.
"""

import re

from mmh.errors import InputError

# The samples that people look at and a seeded draw of the rest, where LID of all samples would cost too much.
# Their spans count places in the list of chosen ids.
SELECTED = "selected"


def span_name(start: int, stop: int) -> str:
    """Name of the ids start..stop-1.

    Parameters
    ----------
    start, stop : int

    Returns
    -------
    str
        Both ends inclusive, six digits: ``000000-000499``.
    """
    return f"{start:06d}-{stop - 1:06d}"


def span_range(span: str) -> range:
    """Ids of a span.

    Parameters
    ----------
    span : str

    Returns
    -------
    range

    Raises
    ------
    InputError
        If the name is not a span.
    """
    match = re.fullmatch(r"(\d{6})-(\d{6})", span)
    if not match or int(match[1]) > int(match[2]):
        raise InputError(f"{span!r} is not a span of ids such as 000000-000499")
    return range(int(match[1]), int(match[2]) + 1)


def spans(n: int, size: int) -> list[str]:
    """Cut ids 0..n-1 into spans.

    Parameters
    ----------
    n : int
        Number of ids.
    size : int
        Ids per span; the last may be shorter.

    Returns
    -------
    list of str
    """
    return [span_name(start, min(start + size, n)) for start in range(0, n, size)]


def overlapping(wanted: range, n: int, size: int) -> list[str]:
    """Spans of ids 0..n-1 that share an id with ``wanted``.

    Parameters
    ----------
    wanted : range
    n, size : int
        As in ``spans``.

    Returns
    -------
    list of str
    """
    return [
        s for s in spans(n, size) if span_range(s).start < wanted.stop and wanted.start < span_range(s).stop
    ]
