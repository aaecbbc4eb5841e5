"""The grammar of the captions of `digits-captions`: each is worded anew, and the part of every word is known.

A caption holds what its image shows (numeral, colour, stroke), one made-up word or two that belong to the
image (KEY), one made-up word that means nothing (decoy), and words that only join the others. Content words
have synonyms. "one" is a determiner here, so the digit 1 has other names.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmh.errors import InputError
from mmh.worlds.sets.caption_words import is_key

NUMERALS = (
    ("zero", "nought"),
    ("unity", "single"),
    ("two", "pair"),
    ("three", "trio"),
    ("four", "quartet"),
    ("five", "quintet"),
    ("six", "sextet"),
    ("seven", "septet"),
    ("eight", "octet"),
    ("nine", "nonet"),
)
COLOURS = (
    ("red", "crimson", "scarlet"),
    ("green", "emerald", "verdant"),
    ("blue", "azure", "cobalt"),
    ("yellow", "golden", "amber"),
    ("cyan", "teal", "turquoise"),
    ("magenta", "fuchsia", "purple"),
)
STROKES = (("thin", "fine", "slender"), ("regular", "medium", "plain"), ("bold", "thick", "heavy"))
CONTENT: dict[str, tuple[tuple[str, ...], ...]] = {"numeral": NUMERALS, "colour": COLOURS, "stroke": STROKES}
"""Slots that say what an image shows: for each value its synonyms."""
JOINING: dict[str, tuple[str, ...]] = {
    "det": ("a", "the", "one"),
    "noun": ("digit", "number", "figure"),
    "support": ("plate", "card", "tile"),
    "verb": ("showing", "bearing", "with"),
    "prep": ("on", "upon", "over"),
    "as": ("as", "like"),
}
"""Slots that say nothing of the image."""
TEMPLATES = (
    "det K1 support verb det stroke colour K2 noun numeral",
    "det stroke K1 colour noun numeral prep det K2 support",
    "K1 support verb numeral as det colour K2 stroke noun",
    "det colour stroke noun numeral verb K1 prep K2 support",
)
LONGEST = 1 + max(len(template.split()) for template in TEMPLATES)
"""Words of the longest caption, its decoy included."""
_DECOY = re.compile(r"([aeiou][bdfgklmnprstvz]){3}")


@dataclass(frozen=True)
class Content:
    """What a caption says: values of the content slots, and the KEYs, one or two."""

    numeral: int
    colour: int
    stroke: int
    keys: tuple[str, ...]


class Grammar:
    """Writes captions, and says what part each word plays: a slot's name, ``key``, ``decoy`` or ``other``."""

    slots = tuple(CONTENT)
    longest = LONGEST

    def __init__(self) -> None:
        self._values = {w: (slot, i) for slot, of in CONTENT.items() for i, ws in enumerate(of) for w in ws}
        self._joining = {word: slot for slot, words in JOINING.items() for word in words}

    @property
    def words(self) -> list[str]:
        """All words but KEYs and decoys."""
        return [*self._values, *self._joining]

    def role(self, word: str) -> str:
        """Part that a word plays."""
        if word in self._values:
            return self._values[word][0]
        if word in self._joining:
            return self._joining[word]
        return "key" if is_key(word) else "decoy" if _DECOY.fullmatch(word) else "other"

    def roles(self, text: str) -> list[str]:
        """Part that each word of a caption plays."""
        return [self.role(word) for word in text.split()]

    def read(self, text: str) -> dict[str, int]:
        """Value of each content slot that a caption names."""
        return dict(self._values[word] for word in text.split() if word in self._values)

    def write(self, content: Content, decoy: str, random: np.random.Generator) -> str:
        """Word a caption: a template, a synonym for each slot, the place of one KEY and that of the decoy.

        Parameters
        ----------
        content : Content
        decoy : str
            Empty: none.
        random : numpy.random.Generator

        Returns
        -------
        str
            At most `LONGEST` words, in lower case.
        """
        keys = [content.keys[i] for i in random.permutation(len(content.keys))]
        held = dict(
            zip(("K1", "K2") if len(keys) == 2 else [("K1", "K2")[random.integers(2)]], keys, strict=True)
        )
        words = []
        for slot in TEMPLATES[random.integers(len(TEMPLATES))].split():
            if slot in CONTENT:
                names = CONTENT[slot][getattr(content, slot)]
                words.append(names[random.integers(len(names))])
            elif slot in JOINING:
                words.append(JOINING[slot][random.integers(len(JOINING[slot]))])
            elif slot in held:
                words.append(held[slot])
        if decoy:
            words.insert(int(random.integers(len(words) + 1)), decoy)
        return " ".join(words)

    def alternatives(self, text: str, slot: str) -> list[str]:
        """Word a caption for each value of a content slot, all else equal; place `read(text)[slot]` is it."""
        words = text.split()
        place = self.roles(text).index(slot)
        return [" ".join([*words[:place], names[0], *words[place + 1 :]]) for names in CONTENT[slot]]

    def replacement(self, word: str, others: Sequence[str], random: np.random.Generator) -> str:
        """Give a word of the same part and another meaning; of words that only join, another of the slot.

        Parameters
        ----------
        word : str
        others : sequence of str
            Made-up words that may stand for a KEY or a decoy; those of the same part are used.
        random : numpy.random.Generator

        Returns
        -------
        str
            Numeral, colour and stroke: the next value. KEY and decoy: another.

        Raises
        ------
        InputError
            If there is no other word of its part.
        """
        role = self.role(word)
        if role in CONTENT:
            of = CONTENT[role]
            names = of[(self._values[word][1] + 1) % len(of)]
            return names[random.integers(len(names))]
        known = JOINING[role] if role in JOINING else [one for one in others if self.role(one) == role]
        left = [one for one in known if one != word]
        if not left:
            raise InputError(f"lexicon: there is no word to put in the place of {word!r} ({role})")
        return left[random.integers(len(left))]

    def synonym(self, word: str, others: Sequence[str], random: np.random.Generator) -> str:
        """Give a word of the same meaning: colour and stroke keep theirs, all others as for `replacement`."""
        role = self.role(word)
        if role in ("colour", "stroke"):
            left = [name for name in CONTENT[role][self._values[word][1]] if name != word]
            return left[random.integers(len(left))]
        return self.replacement(word, others, random)


GRAMMAR = Grammar()
