"""What scores that follow from two others have in common: which two, and their values item by item."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mmh.errors import InputError
from mmh.scores.order import circle

if TYPE_CHECKING:
    import pandas as pd

    from mmh.options.entries import Entry


def misfits_of_parts(
    options: Any, experiment: Entry, where: str, parts: Sequence[str], what: str
) -> Iterator[str]:
    """Find scores that are not there for every item, and one that follows from itself.

    Parameters
    ----------
    options : Options
        Of the score.
    experiment : Entry
    where : str
        Path of its block.
    parts : sequence of str
        The keys that name the scores it follows from.
    what : str
        What it is, with an article: ``a ratio``.

    Yields
    ------
    str
        One message per mistake.
    """
    way = circle(where.rpartition(".")[2], experiment.section("estimators"))
    if way:
        yield f"{where}: follows from itself ({' -> '.join(way)}); name scores that are computed"
    for part in parts:
        name = getattr(options, part)
        source = experiment.section("estimators").get(name)
        if source is None:
            continue  # reported as an unknown name
        lacking = [items for items in experiment.at(where)["items"] if items not in source["items"]]
        if lacking:
            yield f"{where}.items: {name!r} is not computed on {lacking[0]!r}"
        if isinstance(source.get("t"), list):
            yield f"{where}.{part}: {name!r} has a list of t; {what} needs one"


def side_by_side(
    table: pd.DataFrame, name: str, items: str, first: str, second: str
) -> tuple[pd.DataFrame, pd.Series]:
    """Take two scores of one item set.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of all scores.
    name : str
        Of the score that follows from them, for the message.
    items : str
        Item set.
    first, second : str
        Names of the two.

    Returns
    -------
    rows : pandas.DataFrame
        Those of `first`, copied, under the name `name`.
    other : pandas.Series
        float64, the value of `second` at the item of each row.

    Raises
    ------
    InputError
        If an item of `first` has no score `second`.
    """
    chosen = table[table["items"] == items]
    rows = chosen[chosen["estimator"] == first].assign(estimator=name)
    other = rows["item"].map(chosen[chosen["estimator"] == second].set_index("item")["value"])
    if other.isna().any():
        raise InputError(
            f"{name}: item {rows['item'][other.isna()].iloc[0]} of {items} has no {second} score"
        )
    return rows, other
