"""The page of results, docs/results.md: a section for each experiment, written from its finished tables."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mmh.evaluation.percentiles import LOG_VOLUME
from mmh.evaluation.runs.trainings import row_name
from mmh.reporting import cells, planted

if TYPE_CHECKING:
    import pandas as pd

NOTE = " ("
"""Before what is said of a score behind its name."""
CLAIMS = {
    "claim": "Claims ([claims.md](claims.md)); one that fails on these data is reported as failing:",
    "control": "Controls, where nothing is memorized and nothing should be found:",
}
HEAD = """# Results

Written by `make results` from the tables of a finished run, never by hand; `make check-results` compares it
with the tables that are here. Names are those of `config.yaml`.

AUC of each score: how well it tells the memorized from the others, 1 if perfectly, 0.5 if not at all; in
brackets the 95 % interval over clusters, whose number is that of the class with fewer: groups of training
images that samples match, or families of prompts ([statistics.md](statistics.md) says how, and how often such
intervals cover). All of these intervals are given this one model. What holds *over trainings* stands beside
them where there are several, from the newest `replicates-*.csv` in [studies](studies/README.md). What these
numbers do not show is in [limitations.md](limitations.md).

p of a claim stands alone and adjusted for all rows of claims and controls of the run (Holm; 0.001 stands for
less, too); its verdict follows from the latter. `detectable` is the smallest distance from the threshold that
such data find four times in five by the 95 % interval of the row alone.
"""


def section(folder: Path, about: str = "", trainings: "pd.DataFrame | None" = None) -> str:
    """Write the section of an experiment.

    Parameters
    ----------
    folder : path
        Its results; tables that are not there are left out.
    about : str
        What it is, in a line.
    trainings : DataFrame, optional
        Its part of `mmh.evaluation.runs.trainings.read_trainings`.

    Returns
    -------
    str
        Markdown, from its heading on.
    """
    import pandas as pd

    parts = [f"## {folder.name}", about]
    if trainings is not None:
        parts += [cells.trainings_sentence(trainings)]
    if (file := folder / "evaluation.csv").is_file():
        table = pd.read_csv(file)
        for heads, rows in cells.evaluation_grids(table):
            parts += [_table(["score", *heads], rows), *_aucs_over(trainings, heads, rows)]
        parts += ["\n".join(f"- {said}" for said in cells.reasons(table))]
        parts += _unsure(folder / "evaluation_raters.csv", table)
        parts += _planted(folder, table)
    if (file := folder / "percentiles.csv").is_file():
        parts += ["AUC by the percentile of the pooled singular values that is the threshold:"]
        parts += [_percentiles(pd.read_csv(file), trainings)]
    if (file := folder / "accuracy.csv").is_file():
        parts += _accuracy(pd.read_csv(file))
    if (file := folder / "figures" / "flipd_curve.csv").is_file():
        parts += [cells.level_sentence(file)]
    if (file := folder / "verdicts.csv").is_file():
        parts += ["Verdicts ([estimators.md](estimators.md)): samples of each, their share, 95 % interval:"]
        parts += _verdicts(pd.read_csv(file))
    if (file := folder / "generation_matches.parquet").is_file():
        parts += ["Generations beside the training image of their prompt (cosine of copy descriptors):"]
        parts += ["\n".join(f"- {said}" for said in cells.generation_sentences(file))]
    if (asked := _claims_of(folder)) is not None:
        parts += [_claims(asked, trainings)]
    return "\n\n".join(part for part in parts if part) + "\n"


def page(sections: Mapping[str, str], made_on: str, adjusted: Iterable[str] = ()) -> str:
    """Put the page together.

    Parameters
    ----------
    sections : mapping of str to str
        By experiment.
    made_on : str
        Name of the processor.
    adjusted : iterable of str
        Experiments whose claims were adjusted together.

    Returns
    -------
    str
    """
    over = f"Claims adjusted over those of: {', '.join(adjusted)}.\n"
    return "\n".join([HEAD, f"Made on {made_on}.\n", over, *sections.values()])


def adjusted_over(file: Path) -> list[str]:
    """Name the experiments of a run's claims, in their order; none where there is no such table."""
    import pandas as pd

    return list(dict.fromkeys(pd.read_csv(file)["experiment"])) if file.is_file() else []


def sections_of(text: str) -> dict[str, str]:
    """Take a page apart, into its sections by experiment."""
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]
    return {part.splitlines()[0].removeprefix("## "): part.rstrip("\n") + "\n" for part in parts}


def _table(heads: list[str], rows: Iterable[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _unsure(file: Path, evaluation: "pd.DataFrame") -> list[str]:
    """AUC with `unsure` on either side."""
    import pandas as pd

    if not file.is_file():
        return []
    heads, rows = cells.unsure_grid(pd.read_csv(file), evaluation)
    said = "The same AUC with `unsure` counted as memorized / as not memorized (`evaluation_raters.csv`):"
    return [said, _table(["score", *heads], rows)] if rows else []


def _planted(folder: Path, evaluation: "pd.DataFrame") -> list[str]:
    """What the cuts of planted labels decide; nothing where people have labelled."""
    import pandas as pd

    names = ("cuts", "distance", "matched")
    files = [folder / f"{name}.csv" for name in names]
    if not all(file.is_file() for file in files):
        return []
    cuts, order, matched = map(pd.read_csv, files)
    (heads, rows), (labels, lines) = planted.cut_grid(cuts), planted.order_grid(order)
    return [
        "Labels are planted: they follow from the distance to the match, and AUCs from the cuts "
        "(exact copies; all contrasts: `cuts.csv`):",
        _table(["score", *heads], rows),
        "Spearman's correlation of each score with that distance within a class (`distance.csv`):",
        _table(["score", *labels], lines),
        "\n".join(f"- {said}" for said in planted.match_sentences(matched, evaluation)),
    ]


def _over(trainings: "pd.DataFrame | None", table: str) -> "pd.DataFrame | None":
    """Numbers of one table over trainings; None where there are none."""
    found = None if trainings is None else trainings[trainings["table"] == table]
    return None if found is None or found.empty else found


def _aucs_over(trainings: "pd.DataFrame | None", heads: list[str], rows: list[list[str]]) -> list[str]:
    """A grid once more, over trainings."""
    over = _over(trainings, "evaluation.csv")
    if over is None:
        return []
    contrasts = [head.rpartition(" (")[0] for head in heads]
    lines = [
        [score, *(_cell_over(over, f"{score.partition(NOTE)[0]}; {name}") for name in contrasts)]
        for score, *_ in rows
    ]
    lines = [line for line in lines if any(cell != "-" for cell in line[1:])]
    return ["Over trainings:", _table(["score", *contrasts], lines)] if lines else []


def _percentiles(table: "pd.DataFrame", trainings: "pd.DataFrame | None") -> str:
    over = _over(trainings, "percentiles.csv")
    contrasts = list(dict.fromkeys(table["contrast"]))
    found: dict[tuple[str, str], dict[str, str]] = {}
    for row in table.itertuples():
        estimator = str(row.estimator)
        name = "none: log-volume" if estimator.endswith(LOG_VOLUME) else f"{row.percentile:g}"
        by = found.setdefault((estimator.removesuffix(LOG_VOLUME), name), {})
        by[str(row.contrast)] = cells.auc(row)
        by[f"{row.contrast}, over trainings"] = _cell_over(over, row_name("percentiles.csv", row))
    heads = [*contrasts, *(f"{name}, over trainings" for name in contrasts if over is not None)]
    rows = [[*key, *(by.get(head, "-") for head in heads)] for key, by in found.items()]
    return _table(["score", "percentile", *heads], rows)


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


def _verdicts(table: "pd.DataFrame") -> list[str]:
    heads, rows = cells.verdict_grid(table)
    without = table.loc[table["share"].notna() & table["low"].isna(), ["group", "reason"]].drop_duplicates()
    said = [f"- {group}: no interval, since {reason}" for group, reason in without.itertuples(index=False)]
    return [_table(heads, rows), "\n".join(said)]


def _claims_of(folder: Path) -> "pd.DataFrame | None":
    """Claims of an experiment as adjusted in its run, or, where that was another run, by themselves."""
    import pandas as pd

    for file in (folder.parent / "claims.csv", folder / "claims.csv"):
        if file.is_file():
            table = pd.read_csv(file, dtype={"claim": str, "null": str})
            rows = table[table["experiment"] == folder.name] if "experiment" in table else table
            if len(rows):
                return rows if "p_holm" in rows else rows.assign(p_holm=float("nan"))
    return None


def _claims(table: "pd.DataFrame", trainings: "pd.DataFrame | None") -> str:
    over = _over(trainings, "claims.csv")
    heads = ["claim", "statistic", "null", "estimate [95 %, given this one model]", "p; Holm", "verdict"]
    if over is not None:
        heads.append("over trainings [95 %, one further training]")
    parts = []
    for role, said in CLAIMS.items():
        lines = []
        for row in table[table["role"] == role].fillna({"null": "", "under": ""}).itertuples():
            found = [
                str(row.claim),
                cells.question(row),
                str(row.null),
                cells.answer(row),
                f"{_p(row.p)}; {_p(row.p_holm)}",
            ]
            beside = [] if over is None else [_cell_over(over, row_name("claims.csv", row), ".3g")]
            lines.append([*found, f"**{cells.verdict(row)}**", *beside])
        parts += [said, _table(heads, lines)] if lines else []
    return "\n\n".join(parts)


def _p(value: float) -> str:
    return f"{max(value, 0.001):.3f}" if value == value else "-"


def _cell_over(over: "pd.DataFrame | None", row: str, digits: str = ".3f") -> str:
    if over is None or row not in over.index:
        return "-"
    found = next(over.loc[[row]].itertuples())
    return cells.over_trainings(found, digits) + (f": {found.verdicts}" if found.verdicts else "")
