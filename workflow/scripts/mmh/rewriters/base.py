"""Rewriters, a file each, with a class: each gives a prompt without some of its words.

A whole one:

    from mmh.rewriters.base import Answer, Rewriter

    class Shorter(Rewriter):
        name, printed = "shorter", "left out"

        def rewrite(self, ask, attempt):
            return Answer(" ".join(w for i, w in enumerate(ask.words) if i not in ask.chosen), self.name)

What it answers is checked, asked for again if it will not do, and kept with where it comes from
(`mmh.rewriting.answers`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from mmh.rows import Row, Table


@dataclass(frozen=True)
class Ask:
    """A prompt to rewrite.

    Attributes
    ----------
    prompt_set, prompt : str, int
        Set and number within it.
    words : tuple of str
        The prompt.
    chosen : tuple of int
        Places of the words that are to go.
    repeat : int
        Number of this rewriting of the prompt: others may answer otherwise.
    seed : int
        Root seed.
    """

    prompt_set: str
    prompt: int
    words: tuple[str, ...]
    chosen: tuple[int, ...]
    repeat: int
    seed: int

    @property
    def text(self) -> str:
        """The prompt as one string."""
        return " ".join(self.words)

    @property
    def unwanted(self) -> list[str]:
        """The words that are to go."""
        return [self.words[place] for place in self.chosen]


@dataclass(frozen=True)
class Answer:
    """What a rewriter says: the text, the model that said it, and when, if that matters."""

    text: str
    model: str
    date: str = ""


class Rewriter(Row):
    """A rewriter.

    Attributes
    ----------
    printed : str
        Its name in figures; its name in the configuration if empty.
    seconds : float
        About what an answer takes.
    """

    printed: ClassVar[str] = ""
    seconds: ClassVar[float] = 1e-3

    def __init__(self, options: Any = None) -> None:
        self.options: Any = self.Options() if options is None else options

    @classmethod
    def files(cls, options: Any) -> list[str]:
        """List the files that it reads: if one changes, prompts are rewritten anew."""
        return []

    def prepare(self, prompts: Sequence[str]) -> None:
        """Look at all prompts of the experiment, before the first is rewritten."""

    def rewrite(self, ask: Ask, attempt: int) -> Answer:
        """Answer once; `attempt` counts from 0, and another attempt should answer otherwise."""
        raise NotImplementedError(self.name)


REWRITERS: Table[Rewriter] = Table("rewriter", "mmh.rewriters", Rewriter)


def made(method: str, options: Mapping[str, Any]) -> Rewriter:
    """Make a rewriter from its name and its options."""
    row = REWRITERS[method]
    return row(row.Options.model_validate(dict(options)))


def instruction(text: str, unwanted: Sequence[str]) -> str:
    """Word the request to a language model; its purpose is that of Box 1 of the paper, in other words."""
    listed = ", ".join(f'"{word}"' for word in unwanted)
    return (
        "Reword the image caption below so that none of these words is left in it: "
        f"{listed}. Put words of similar meaning in their place, and keep all else, names and the overall "
        "meaning included. Answer with the new caption alone, in one line, without quotation marks.\n\n"
        f"Caption: {text}"
    )
