"""The page of results, docs/results.md: a section for each experiment, written from its finished tables."""

import itertools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mmh.evaluation import cells
from mmh.evaluation.percentiles import LOG_VOLUME

if TYPE_CHECKING:
    import pandas as pd

_NUMBER = r"-?\d+(?:\.\d+)?(?:e[-+]\d+)?"
_FOUND = re.compile(
    rf"(?P<interval>{_NUMBER} \[{_NUMBER}, {_NUMBER}\])"
    r"|(?P<count>(?<=n=)\d+|(?<=n = )\d+|\d+(?= vs )|(?<= vs )\d+|\d+(?= of )|(?<= of )\d+)"
    r"|(?P<decimal>-?\d+\.\d+)"
    r"|(?P<verdict>\*\*(?:holds|fails|undecided)\*\*)"
)
_MADE_ON = re.compile(r"^Made on .+\n", re.MULTILINE)
HEAD = """# Results

Written by `make results` from the tables of a finished run, never by hand; `make check-results` compares it
with the tables that are here. Names are those of `config.yaml`.

AUC of each score: how well it tells the memorized from the others, 1 if perfectly, 0.5 if not at all; in
brackets the 95 % interval over clusters, whose number is that of the class with fewer: groups of training
images that samples match, or families of prompts ([statistics.md](statistics.md) says how, and how often such
intervals cover). All of it is given this one model: how it varies from training to training is in
[studies](studies/README.md), and what these numbers do not show in [limitations.md](limitations.md).
"""


def section(folder: Path, about: str = "") -> str:
    """Write the section of an experiment.

    Parameters
    ----------
    folder : path
        Its results; tables that are not there are left out.
    about : str
        What it is, in a line.

    Returns
    -------
    str
        Markdown, from its heading on.
    """
    import pandas as pd

    parts = [f"## {folder.name}", about]
    if (file := folder / "evaluation.csv").is_file():
        table = pd.read_csv(file)
        parts += [_table(["score", *heads], rows) for heads, rows in cells.evaluation_grids(table)]
        parts += ["\n".join(f"- {said}" for said in cells.reasons(table))]
    if (file := folder / "percentiles.csv").is_file():
        parts += ["AUC by the percentile of the pooled singular values that is the threshold:"]
        parts += [_percentiles(pd.read_csv(file))]
    if (file := folder / "accuracy.csv").is_file():
        parts += _accuracy(pd.read_csv(file))
    if (file := folder / "verdicts.csv").is_file():
        parts += ["Verdicts (docs/estimators.md):", _verdicts(pd.read_csv(file))]
    if (file := folder / "generation_matches.parquet").is_file():
        parts += ["Generations beside the training image of their prompt (cosine of copy descriptors):"]
        parts += ["\n".join(f"- {said}" for said in cells.generation_sentences(file))]
    if (file := folder / "claims.csv").is_file():
        parts += ["Claims ([claims.md](claims.md)); one that fails on these data is reported as failing:"]
        parts += [_claims(pd.read_csv(file, dtype={"claim": str}))]
    return "\n\n".join(part for part in parts if part) + "\n"


def page(sections: Mapping[str, str], made_on: str) -> str:
    """Put the page together, from its sections by experiment and the name of the processor."""
    return "\n".join([HEAD, f"Made on {made_on}.\n", *sections.values()])


def sections_of(text: str) -> dict[str, str]:
    """Take a page apart, into its sections by experiment."""
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]
    return {part.splitlines()[0].removeprefix("## "): part.rstrip("\n") + "\n" for part in parts}


def disagreements(old: str, new: str) -> list[tuple[str, str]]:
    """Find the lines of two pages that disagree.

    Pages that were made on one processor must be equal. On another one trainings end in other weights, a
    GAN's most of all, as if the seed were another. Then estimates may differ by a tenth, or by a tenth of
    their size, and counts by a quarter; a claim that holds may not fail; and all words must be the same.

    Parameters
    ----------
    old, new : str

    Returns
    -------
    list of (str, str)
        A line of each, empty where a page has none.
    """
    same = _MADE_ON.findall(old) == _MADE_ON.findall(new)
    pages = (_MADE_ON.sub("", text).splitlines() for text in (old, new))
    pairs = itertools.zip_longest(*pages, fillvalue="")
    return [(one, other) for one, other in pairs if one != other and (same or not _agree(one, other))]


def _agree(one: str, other: str) -> bool:
    """Whether two lines are the same but for what another processor may change."""
    if _FOUND.sub(_kind, one) != _FOUND.sub(_kind, other):
        return False
    pairs = zip(_FOUND.finditer(one), _FOUND.finditer(other), strict=True)
    return all(_near(str(a.lastgroup), a[0], b[0]) for a, b in pairs)


def _kind(found: re.Match[str]) -> str:
    return f"<{found.lastgroup}>"


def _near(kind: str, one: str, other: str) -> bool:
    if kind == "verdict":
        return one == other or "**undecided**" in (one, other)
    a, b = (float(text.split(" ")[0]) for text in (one, other))
    least, share = (10, 0.25) if kind == "count" else (0.1, 0.1)
    return abs(a - b) <= max(least, share * max(abs(a), abs(b)))


def _table(heads: list[str], rows: Iterable[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _percentiles(table: "pd.DataFrame") -> str:
    contrasts = list(dict.fromkeys(table["contrast"]))
    found: dict[tuple[str, str], dict[str, str]] = {}
    for row in table.itertuples():
        estimator = str(row.estimator)
        name = "none: log-volume" if estimator.endswith(LOG_VOLUME) else f"{row.percentile:g}"
        found.setdefault((estimator.removesuffix(LOG_VOLUME), name), {})[str(row.contrast)] = cells.auc(row)
    rows = [[*key, *(by.get(contrast, "-") for contrast in contrasts)] for key, by in found.items()]
    return _table(["score", "percentile", *contrasts], rows)


def _accuracy(table: "pd.DataFrame") -> list[str]:
    """Errors at the middle one of the noise levels, over all points of a law."""
    levels = sorted(table["t"].dropna().unique())
    level = levels[len(levels) // 2]
    kept = table[table["lid"].isna() & (table["t"].isna() | (table["t"] == level))]
    laws = list(dict.fromkeys(kept["law"]))
    found: dict[tuple[str, str], dict[str, str]] = {}
    for row in kept.itertuples():
        found.setdefault((str(row.estimator), str(row.score)), {})[str(row.law)] = f"{row.mae:.2f}"
    rows = [[*key, *(by.get(law, "-") for law in laws)] for key, by in found.items()]
    said = f"Mean absolute error of LID, dimensions, at t = {level:g} (all levels: `accuracy.csv`):"
    return [said, _table(["score", "network", *laws], rows)]


def _verdicts(table: "pd.DataFrame") -> str:
    verdicts = list(dict.fromkeys(table["verdict"]))
    rows = []
    for group, part in table.groupby("group", sort=False):
        found = {row.verdict: f"{row.n} of {row.of} ({100 * row.share:.1f} %)" for row in part.itertuples()}
        rows.append([str(group), *(found.get(verdict, "-") for verdict in verdicts)])
    return _table(["group", *verdicts], rows)


def _claims(table: "pd.DataFrame") -> str:
    rows = (
        [str(row.claim), str(row.statistic), cells.estimate(row), f"**{row.verdict}**"]
        for row in table.itertuples()
    )
    return _table(["claim", "statistic", "estimate [95 %]", "verdict"], rows)
