"""Answers of rewriters: checked, asked for again, and listed with where they come from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from mmh.rewriters.base import Answer, Ask, Rewriter

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["prompt_set", "prompt", "repeat", "k", "seed", "text", "replaced", "rewrite", "problem"]
COLUMNS += ["attempts", "rewriter", "model", "date"]
LOST = "meaning lost"
"""Problem of an answer that CLIP takes for another text than the prompt."""
_REFUSALS = re.compile(
    r"\W*(i['\u2019]?m sorry|sorry|i can(no|['\u2019])t|i am (sorry|unable)|i['\u2019]?m unable|as an ai)\b",
    re.I,
)


def problem_of(
    ask: Ask, text: str, too_long: Callable[[str], bool], lost: Callable[[str, str], bool] | None = None
) -> str:
    """Say why an answer will not do, in a word or two; nothing if it will.

    Parameters
    ----------
    ask : Ask
    text : str
        The answer.
    too_long : callable
        Whether a text is longer than the text encoder takes.
    lost : callable, optional
        Whether the second of two texts has lost the meaning of the first.

    Returns
    -------
    str
        empty, several lines, refusal, too long, unchanged, "keeps <word>", or meaning lost.
    """
    if not text:
        return "empty"
    if "\n" in text:
        return "several lines"
    if _REFUSALS.match(text):
        return "refusal"
    if too_long(text):
        return "too long"
    words = re.findall(r"\w+", text.casefold())
    if words == re.findall(r"\w+", ask.text.casefold()):
        return "unchanged"
    for place in ask.chosen:
        word = ask.words[place].casefold()
        others = [w.casefold() for i, w in enumerate(ask.words) if i not in ask.chosen]
        if words.count(word) > others.count(word):  # it may stand elsewhere in the prompt, too
            return f"keeps {word}"
    return LOST if lost is not None and lost(ask.text, text) else ""


def tidy(text: str) -> str:
    """Strip blanks and the quotation marks around a whole answer."""
    text = text.strip()
    if len(text) > 1 and (text[0], text[-1]) in (('"', '"'), ("'", "'"), ("“", "”")):
        text = text[1:-1].strip()
    return text


def rewritten(
    rewriter: Rewriter,
    asks: Iterable[Ask],
    *,
    too_long: Callable[[str], bool],
    lost: Callable[[str, str], bool] | None = None,
    attempts: int = 3,
) -> pd.DataFrame:
    """Rewrite prompts.

    Parameters
    ----------
    rewriter : Rewriter
    asks : iterable of Ask
        Prompts, each with the words that are to go.
    too_long, lost
        As for `problem_of`.
    attempts : int
        How often each is asked for at most.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, a row for each: `problem` says why the last answer will not do, and is empty if it will;
        `attempts` counts the answers.

    Raises
    ------
    InputError
        If the rewriter cannot be asked at all.
    """
    import pandas as pd

    rows = []
    for ask in asks:
        answer, problem, count = Answer("", rewriter.name), "empty", 0
        while problem and count < attempts:
            given = rewriter.rewrite(ask, count)
            answer = Answer(tidy(given.text), given.model, given.date)
            problem, count = problem_of(ask, answer.text, too_long, lost), count + 1
        rows.append(
            {
                "prompt_set": ask.prompt_set,
                "prompt": ask.prompt,
                "repeat": ask.repeat,
                "k": len(ask.chosen),
                "seed": ask.seed,
                "text": ask.text,
                "replaced": " ".join(ask.unwanted),
                "rewrite": answer.text[:1000],
                "problem": problem,
                "attempts": count,
                "rewriter": rewriter.name,
                "model": answer.model,
                "date": answer.date,
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS)
