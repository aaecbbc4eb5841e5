"""All rewritings of an experiment's prompts: by each choice, for each k, several times over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmh.choices.base import Augmentation, Choice, WordChoice
from mmh.compute import rng
from mmh.errors import InputError
from mmh.rewriters.base import Ask, Rewriter
from mmh.rewriting.answers import COLUMNS, rewritten
from mmh.rewriting.draws import drawn_words
from mmh.rewriting.options import PLAIN

if TYPE_CHECKING:
    import pandas as pd

CUT = "cut"
"""Problem of a text with additions that is longer than the encoder takes, which then sees its beginning."""
KEYS = ["choice", "prompt_set", "prompt", "k", "repeat"]


@dataclass(frozen=True)
class Prompt:
    """A prompt to rewrite: set, number, its text as it stands, and its words as the model reads them."""

    prompt_set: str
    number: int
    text: str
    words: tuple[str, ...]


def sampled(rewrites: pd.DataFrame) -> pd.DataFrame:
    """Give those rewritings that are sampled: answers that will do, and texts that the encoder cuts."""
    return rewrites[rewrites["problem"].isin(["", CUT])]


def asked(
    prompts: Sequence[Prompt],
    choices: Mapping[str, Choice],
    *,
    k: Sequence[int],
    repeats: int,
    seed: int,
    words: pd.DataFrame | None,
) -> dict[str, list[Ask]]:
    """Draw the words that are to go.

    Parameters
    ----------
    prompts : sequence of Prompt
    choices : mapping of str to Choice
        By name; those that put something in are passed over.
    k : sequence of int
        Numbers of words.
    repeats : int
        Draws of each prompt, choice and k.
    seed : int
        Root seed.
    words : pandas.DataFrame, optional
        `mmh.io.tables.WORD_VALUES`, for choices by attribution.

    Returns
    -------
    dict of str to list of Ask
        By choice; prompts, then k, then repeats. A draw depends on (seed, set, prompt, repeat) and its
        weights alone: choices differ by their weights, and a larger k begins like a smaller one.

    Raises
    ------
    InputError
        If k is larger than a prompt, or a prompt has no attribution.
    """
    short = min(prompts, key=lambda one: len(one.words))
    named = {name: one for name, one in choices.items() if isinstance(one, WordChoice)}
    if named and max(k) > len(short.words):
        raise InputError(
            f"rewriting.k: {max(k)} words are to be replaced, but prompt {short.number} of set "
            f"{short.prompt_set} has {len(short.words)}; lower k"
        )
    found: dict[str, list[Ask]] = {}
    for name, choice in named.items():
        values = _attributed(choice, words, prompts)
        found[name] = []
        for prompt, value in zip(prompts, values, strict=True):
            weights = np.asarray(choice.weights(prompt.words, value), dtype=np.float64)
            for number in k:
                for repeat in range(repeats):
                    where: dict[str, Any] = {"prompt_set": prompt.prompt_set, "prompt": prompt.number}
                    drawn = drawn_words(weights, number, choice.law, seed=seed, repeat=repeat, **where)
                    found[name].append(
                        Ask(**where, words=prompt.words, chosen=drawn, repeat=repeat, seed=seed)
                    )
    return found


def all_rewrites(
    prompts: Sequence[Prompt],
    choices: Mapping[str, Choice],
    rewriter: Rewriter | None,
    *,
    k: Sequence[int],
    repeats: int,
    attempts: int,
    seed: int,
    words: pd.DataFrame | None,
    vocabulary: Sequence[str],
    too_long: Callable[[str], bool],
    lost: Callable[[str, str], bool] | None = None,
    report: Callable[[int], None],
) -> pd.DataFrame:
    """Rewrite prompts by all choices.

    Parameters
    ----------
    prompts, choices, k, repeats, seed, words
        As for `asked`.
    rewriter : Rewriter or None
        Replaces words; None: all choices put something in.
    attempts, too_long, lost
        As for `mmh.rewriting.answers.rewritten`.
    vocabulary : sequence of str
        Tokens of the tokenizer as texts.
    report : callable
        Called with the number of choices done.

    Returns
    -------
    pandas.DataFrame
        `mmh.io.tables.REWRITES`: first each prompt as it is, `repeats` times, then by each choice. Of an
        answer with a `problem` see `sampled`.

    Raises
    ------
    InputError
        As `asked`, and if the rewriter cannot be asked.
    """
    import pandas as pd

    drawn = asked(prompts, choices, k=k, repeats=repeats, seed=seed, words=words)
    parts = [_plain(prompts, repeats, seed)]
    for done, (name, choice) in enumerate(choices.items(), 1):
        if isinstance(choice, Augmentation):
            how: dict[str, Any] = {"k": k, "repeats": repeats, "seed": seed, "vocabulary": vocabulary}
            found = pd.DataFrame(_additions(prompts, choice, too_long, **how), columns=COLUMNS)
        else:
            if rewriter is None:
                raise InputError(
                    f"rewriting.rewriter: choice {name!r} names words, and nothing replaces them"
                )
            found = rewritten(rewriter, drawn[name], too_long=too_long, lost=lost, attempts=attempts)
        parts.append(found.assign(choice=name))
        report(done)
    table = pd.concat(parts, ignore_index=True)
    whole = {(one.prompt_set, one.number): one.text for one in prompts}
    keys = zip(table["prompt_set"], table["prompt"], strict=True)
    table["text"] = [whole[key] for key in keys]  # as it stands, and not word by word
    return table[[*KEYS, *(name for name in COLUMNS if name not in KEYS)]]


def _plain(prompts: Sequence[Prompt], repeats: int, seed: int) -> pd.DataFrame:
    import pandas as pd

    rows = [_row(one, 0, repeat, seed, one.text, "", PLAIN) for one in prompts for repeat in range(repeats)]
    return pd.DataFrame(rows, columns=COLUMNS).assign(choice=PLAIN)


def _additions(
    prompts: Sequence[Prompt],
    choice: Augmentation,
    too_long: Callable[[str], bool],
    *,
    k: Sequence[int],
    repeats: int,
    seed: int,
    vocabulary: Sequence[str],
) -> Iterator[dict[str, Any]]:
    for one in prompts:
        for number in k:
            for repeat in range(repeats):
                purpose = f"{choice.name}:{one.prompt_set}"
                random = rng.generator(seed, purpose, one.number, repeat)  # of any k: the first ones stay
                text = choice.augmented(one.text.split(), number, vocabulary, random)
                yield _row(one, number, repeat, seed, text, CUT if too_long(text) else "", choice.name)


def _row(
    one: Prompt, k: int, repeat: int, seed: int, rewrite: str, problem: str, rewriter: str
) -> dict[str, Any]:
    return {
        "prompt_set": one.prompt_set,
        "prompt": one.number,
        "repeat": repeat,
        "k": k,
        "seed": seed,
        "text": one.text,
        "replaced": "",
        "rewrite": rewrite,
        "problem": problem,
        "attempts": 1,
        "rewriter": rewriter,
        "model": "",
        "date": "",
    }


def _attributed(
    choice: WordChoice, words: pd.DataFrame | None, prompts: Sequence[Prompt]
) -> Iterator[Sequence[float]]:
    """Give the values that a choice asks for, prompt by prompt."""
    if choice.reads is None:
        yield from ([] for _ in prompts)
        return
    name, level = choice.reads
    if words is None:
        raise InputError(f"rewriting: attribution {name!r} is asked for, and no attributions are given")
    of_name = words[words["attribution"] == name]
    rows = of_name[of_name["level"].isin([level, "text"])]  # of words alone there are no levels
    held = {key: group for key, group in rows.groupby(["prompt_set", "prompt"])}
    for one in prompts:
        group = held.get((one.prompt_set, one.number), rows[:0]).sort_values("place")
        if tuple(group["word"]) != one.words:
            raise InputError(
                f"attributions.parquet: lacks {name} ({level}) of prompt {one.number} of set "
                f"{one.prompt_set}; attribute it, or leave it out of rewriting.sets"
            )
        yield group["value"].tolist()
