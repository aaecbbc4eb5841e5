"""Claim 14: the three attributions agree on the word that drives memorization."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from mmh.attributions.base import ATTRIBUTIONS
from mmh.claims.base import Claim, Context, Finding, PromptGroups
from mmh.options.base import Field, Unique
from mmh.options.entries import Entry
from mmh.options.messages import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

KEY = "key"
"""Part of the words that were planted."""


class AgreementOptions(PromptGroups):
    """Which attributions are to agree, and how often."""

    agreeing: Annotated[list[str], Field(min_length=2), Unique()] = ["cfg", "scfg", "flipd"]
    """Claim 14: attributions that are to name one word, by their names under `attribution`."""
    agreeing_levels: Annotated[list[Literal["output", "input"]], Field(min_length=1), Unique()] = ["output"]
    """Claim 14: levels of the text encoder, the paper's first; each is asked by itself."""
    least_agreement: float = Field(default=0.5, gt=0, lt=1)
    """Claim 14: least share of prompts in which they name one word"""


class DrivingToken(Claim):
    """Whether all name one word, and whether it is the planted one."""

    name = "14"
    statement = "The three attributions agree on the word that drives memorization"
    figure = "token_attribution"
    needs = ("attribution",)
    tables = ("words",)
    Options = AgreementOptions

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Attributions that are not there or have no level, levels that are not taken."""
        section = experiment.section("attribution")
        there = section.get("attributions", {})
        for name in options.agreeing:
            if name not in there:
                yield f"{where}.agreeing: there is no attribution {name!r}{did_you_mean(name, list(there))}"
                continue
            row = ATTRIBUTIONS.rows().get(there[name].get("method"))
            if row is not None and row.how != "gradient":
                yield f"{where}.agreeing: {name!r} has no gradient, and so no level; name one that has"
        for level in options.agreeing_levels:
            if level not in section.get("levels", []):
                yield f"{where}.agreeing_levels: attribution.levels has no {level!r}"

    @classmethod
    def test(cls, context: Context) -> Iterator[Finding]:
        """Share of memorized prompts with one word, and with the planted one; of others as control."""
        own, least = context.options, context.options.least_agreement
        for level in own.agreeing_levels:
            for prompts in (own.memorized_prompts, own.control_prompts):
                found = agreement(context.tables["words"], own.agreeing, level, prompts)
                if not len(found):
                    continue
                claimed, known = prompts == own.memorized_prompts, bool(found["known"].all())
                asked = [("agree", "one word", "chance")] if claimed or not known else []
                asked += [("agree_on_key", "the planted word", "key_chance")] if known else []
                for column, word, chance in asked:
                    said = f"above {least:g}" if claimed else f"none memorized: below {least:g}"
                    yield Finding(
                        f"share of {prompts} prompts in which all name {word}, encoder's {level} ({said})",
                        partial(_share, found, column),
                        (least, math.inf) if claimed else (-math.inf, least),
                        null=f"{found[chance].mean():.3f}: words drawn at random",
                        role="claim" if claimed else "control",
                        under=level,
                        beside=_hits(found, own.agreeing) if known else "",
                    )


def agreement(words: pd.DataFrame, names: Sequence[str], level: str, prompts: str) -> pd.DataFrame:
    """Say of each evaluated prompt of a set whether several attributions name one word.

    Parameters
    ----------
    words : pandas.DataFrame
        `mmh.io.tables.WORD_VALUES`.
    names : sequence of str
        Attributions; of equal values the first word counts.
    level : str
        Of the text encoder.
    prompts : str
        Set of prompts.

    Returns
    -------
    pandas.DataFrame
        A row for each prompt that all have attributed: `family`, `agree`, `agree_on_key`, ``on_key:<name>``
        for each attribution, `known` (the parts of the words), and how often random words would: `chance`,
        `key_chance`.
    """
    import pandas as pd

    from mmh.attributed.scores import EVALUATED

    rows = words[(words["part"] == EVALUATED) & (words["prompt_set"] == prompts) & (words["level"] == level)]
    rows = rows[rows["attribution"].isin(names)].reset_index(drop=True)
    keys = ["prompt", "family"]
    tops = rows.loc[rows.groupby([*keys, "attribution"])["value"].idxmax()]
    place = tops.pivot(index=keys, columns="attribution", values="place").dropna()
    if not len(place) or set(place) != set(names):
        return pd.DataFrame()
    tops = tops.assign(on_key=tops["role"].eq(KEY).fillna(False).astype(bool))
    on_key = tops.pivot(index=keys, columns="attribution", values="on_key").loc[place.index].astype(bool)
    first = rows[rows["attribution"] == names[0]]
    first = first.assign(key=first["role"].eq(KEY).fillna(False).astype(bool), known=first["role"].notna())
    of = first.groupby(keys).agg(n=("place", "size"), keys=("key", "sum"), known=("known", "all"))
    of = of.loc[place.index]
    agree = place.nunique(axis=1) == 1
    found = pd.DataFrame({"agree": agree, "agree_on_key": agree & on_key.all(axis=1), "known": of["known"]})
    found["chance"] = of["n"].astype(float) ** (1 - len(names))
    found["key_chance"] = of["keys"] / of["n"].astype(float) ** len(names)
    for name in names:
        found[f"on_key:{name}"] = on_key[name]
    return found.reset_index().drop(columns="prompt")


def _share(found: pd.DataFrame, column: str, level: float = 0.95) -> Any:
    from mmh.stats.clusters import share_interval

    return share_interval(found[column].to_numpy(bool), found["family"].to_numpy(), "family", level=level)


def _hits(found: pd.DataFrame, names: Sequence[str]) -> str:
    """How often each names a planted word."""
    return ", ".join(f"{name} on KEY: {found[f'on_key:{name}'].mean():.2f}" for name in names)
