"""What of two pages of results disagrees, but for what another processor or other experiments may change."""

import itertools
import re

_NUMBER = r"-?\d+(?:\.\d+)?(?:e[-+]\d+)?"
_FOUND = re.compile(
    rf"(?P<interval>{_NUMBER} \[{_NUMBER}, {_NUMBER}\])"
    r"|(?P<p>(?:\d\.\d{3}|-); (?:\d\.\d{3}|-)(?= \|))"
    r"|(?P<count>(?<=n=)\d+|(?<=n = )\d+|\d+(?= vs )|(?<= vs )\d+"
    r"|\d+(?= (?:matched|famil))|\d+(?= of )|(?<= of )\d+)"
    r"|(?P<decimal>-?\d+\.\d+(?:e[-+]\d+)?|-?\d+e[-+]\d+)"
    r"|(?P<verdict>\*\*(?:holds|fails|undecided|depends \(\w+\))\*\*)"
)
_DETECTABLE = re.compile(r"; detectable: [^;|]*?(?=;| \|)")
"""Stands where a claim is undecided, which another processor may change."""
_MADE_ON = re.compile(r"^Made on .+\n", re.MULTILINE)
_FAMILY = re.compile(r"^Claims adjusted over .+\n\n?", re.MULTILINE)


def disagreements(old: str, new: str) -> list[tuple[str, str]]:
    """Find the lines of two pages that disagree.

    Pages that were made on one processor, of the same experiments, must be equal. With other experiments
    claims are adjusted otherwise. On another processor trainings end in other weights, a GAN's most of all,
    as if the seed were another. Then estimates may differ by a tenth, by a tenth of their size, or by a
    quarter of their interval, and counts by a quarter; a claim that holds may not fail; and all words must
    be the same.

    Parameters
    ----------
    old, new : str

    Returns
    -------
    list of (str, str)
        A line of each, empty where a page has none.
    """
    machine, family = (part.findall(old) == part.findall(new) for part in (_MADE_ON, _FAMILY))
    pages = (_FAMILY.sub("", _MADE_ON.sub("", text)).splitlines() for text in (old, new))
    pairs = itertools.zip_longest(*pages, fillvalue="")
    return [
        (one, other)
        for one, other in pairs
        if one != other and ((machine and family) or not _agree(one, other, machine))
    ]


def _agree(one: str, other: str, machine: bool) -> bool:
    """Whether two lines are the same but for what other experiments, or another processor, may change."""
    one, other = (_DETECTABLE.sub("", line) for line in (one, other))
    if _FOUND.sub(_kind, one) != _FOUND.sub(_kind, other):
        return False
    pairs = zip(_FOUND.finditer(one), _FOUND.finditer(other), strict=True)
    return all(_near(str(a.lastgroup), a[0], b[0], machine) for a, b in pairs)


def _kind(found: re.Match[str]) -> str:
    return f"<{found.lastgroup}>"


def _near(kind: str, one: str, other: str, machine: bool) -> bool:
    if kind == "p":  # its verdict says what it comes to
        return True
    if kind == "verdict":
        return one == other or any(word in one + other for word in ("undecided", "depends"))
    if machine:
        return one == other
    (a, *ends), (b, *others) = (list(map(float, re.findall(_NUMBER, text))) for text in (one, other))
    least, share = (10, 0.25) if kind == "count" else (0.1, 0.1)
    wide = min(ends[1] - ends[0], others[1] - others[0]) / 4 if ends else 0.0
    return abs(a - b) <= max(least, share * max(abs(a), abs(b)), wide)
