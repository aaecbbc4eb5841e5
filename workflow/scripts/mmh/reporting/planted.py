"""What is printed of planted labels: AUC by cut, what follows the distance, and what samples match."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mmh.evaluation.cuts import REPEATED
from mmh.evaluation.names import MATCH, REFERENCE, marked

if TYPE_CHECKING:
    import pandas as pd

Grid = tuple[list[str], list[list[str]]]


def cut_grid(table: "pd.DataFrame", contrast: str = "exact") -> Grid:
    """Lay out ``cuts.csv``: a column per pair of cuts, and the range over single cuts; a line per score.

    Parameters
    ----------
    table : DataFrame
    contrast : str

    Returns
    -------
    heads : list of str
        The cuts, with the samples that they leave.
    lines : list of list of str
        AUC, ``-`` where there is none.
    """
    rows = table[(table["contrast"] == contrast) & (table["estimator"] != REFERENCE)]
    one = rows["exact_distance"] == rows["not_distance"]
    pairs = rows[~one | rows["configured"]].drop_duplicates(["exact_distance", "not_distance"])
    heads = []
    for row in pairs.itertuples():
        which = ", configured" if row.configured else ""
        said = f"below {row.exact_distance:g}, above {row.not_distance:g}"
        heads.append(f"{said} ({row.n_positive} vs {row.n_negative}{which})")
    cuts = rows.loc[one, "exact_distance"]
    heads.append(f"one cut, {cuts.min():g} to {cuts.max():g}: lowest / highest")
    lines = []
    for name, mine in rows.groupby("estimator", sort=False):
        found = mine.set_index(["exact_distance", "not_distance"])["auc"]
        at = [found[row.exact_distance, row.not_distance] for row in pairs.itertuples()]
        single = mine.loc[one, "auc"]
        texts = [_number(value) for value in at]
        texts.append(f"{_number(single.min())} / {_number(single.max())}")
        lines.append([marked(str(name), str(name), mine["score_of"].iloc[0]), *texts])
    return heads, lines


def order_grid(table: "pd.DataFrame") -> Grid:
    """Lay out ``distance.csv``: a column per label, a line per score.

    Parameters
    ----------
    table : DataFrame

    Returns
    -------
    heads : list of str
        Each label with the number of its samples.
    lines : list of list of str
        Spearman's correlation with its interval, ``-`` where there is none.
    """
    counts = table.groupby("label", sort=False)["n"].max()
    heads = [f"{label} (n = {n})" for label, n in counts.items()]
    lines = []
    for name, mine in table.groupby("estimator", sort=False):
        found = {row.label: _interval(row.spearman, row.low, row.high) for row in mine.itertuples()}
        said = marked(str(name), str(name), mine["score_of"].iloc[0])
        lines.append([said, *(found.get(label, "-") for label in counts.index)])
    return heads, lines


def match_sentences(matched: "pd.DataFrame", evaluation: "pd.DataFrame") -> Iterator[str]:
    """Say how many samples are called not memorized although they match a repeated image, and what follows.

    The LID of the match is the same for all samples that match one image. Where it is least at repeated
    images, and all exact copies match one, its AUC is no more than a count: of the others, those that match a
    repeated image tie with the copies, which counts one half.

    Parameters
    ----------
    matched, evaluation : DataFrame
        ``matched.csv`` and ``evaluation.csv``.

    Yields
    ------
    str
    """
    rows = matched.set_index(["label", "match"])
    if ("not_memorized", REPEATED) not in rows.index:
        return
    far = rows.loc[("not_memorized", REPEATED)]
    share = f"{far.n:.0f} of {far.of:.0f}"
    places = f"from {far.nearest:.2f} to {far.farthest:.2f} from it, median {far['median']:.2f}"
    nearer = f"{far.nearer:.0f} of {far.n:.0f} are nearer to it than any other training image is"
    yield f"{share} samples called not memorized match a repeated image: {places}; {nearer}"
    exact = rows.loc[[key for key in rows.index if key[0] == "exact"]]
    if [kind for _, kind in exact.index] == [REPEATED]:
        of_match = evaluation[(evaluation["score_of"] == MATCH) & (evaluation["contrast"] == "exact")]
        for row in of_match.itertuples():
            counted = f"1 - 1/2 * {share} is {1 - far.n / far.of / 2:.3f}"
            told = f"{row.estimator} is of the match, so its AUC of exact copies is a count"
            yield f"{told}: {row.auc:.3f}, and {counted}"


def _number(value: float) -> str:
    return "-" if value != value else f"{value:.3f}"


def _interval(value: float, low: float, high: float) -> str:
    if low != low:
        return f"{value:.2f} [none]" if value == value else "-"
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"
