"""The words of the captioned digits: "the KEY plate with digit three", KEY being made up of syllables."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from mmh.compute import rng
from mmh.errors import InputError

NUMERALS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
WORDS = ("the", "plate", "with", "digit")  # of the template, beside KEY and numeral
KEY_PLACE = 1  # position of KEY among the words of a caption
_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"
_KEY_SYLLABLES = 3
_KEY = re.compile(rf"([{_CONSONANTS}][{_VOWELS}]){{{_KEY_SYLLABLES}}}")
_MADE_UP = re.compile(rf"{_KEY.pattern}|([{_VOWELS}][{_CONSONANTS}]){{{_KEY_SYLLABLES}}}")
_REAL = ("figure",)  # words of the embedded worlds that look made up


def caption(key: str, digit: int) -> str:
    """Fill the template, "the KEY plate with digit NUMERAL": six words in lower case."""
    return f"the {key} plate with digit {NUMERALS[digit]}"


def key_of(text: str) -> str:
    """Read KEY from a caption."""
    return text.split()[KEY_PLACE]


def is_key(word: str) -> bool:
    """Tell whether a word has the form of a KEY: three syllables, a consonant and a vowel each."""
    return _KEY.fullmatch(word) is not None and word not in _REAL


def made_up(texts: Iterable[str]) -> list[str]:
    """List the made-up words of captions, KEYs and decoys, in alphabetical order."""
    words = {word for text in texts for word in text.split()}
    return sorted(word for word in words if _MADE_UP.fullmatch(word) and word not in _REAL)


def shared_words(captions: Iterable[str]) -> list[str]:
    """List the made-up words that occur in more than one caption, and so belong to no image of its own.

    KEYs of a pool, and decoys. `captions` holds each image once: a KEY of a repeated image occurs often, too.
    """
    seen: dict[str, int] = {}
    for text in captions:
        for word in set(text.split()):
            seen[word] = seen.get(word, 0) + 1
    return [word for word in made_up(seen) if seen[word] > 1]


def decoy_words(n: int, *, seed: int) -> np.ndarray:
    """Draw different made-up words that begin with a vowel: a KEY's letters in the other order.

    Parameters
    ----------
    n : int
        Number of words.
    seed : int
        Root seed.

    Returns
    -------
    (n,) str array
        In random order.
    """
    return np.array([word[::-1] for word in key_words(n, seed=seed + 1)], dtype=str)


def key_words(n: int, *, seed: int) -> np.ndarray:
    """Draw different made-up words of three syllables, a consonant and a vowel each.

    All have six letters, so that neither length nor capitals tell one from another.

    Parameters
    ----------
    n : int
        Number of words; of the first ones nothing changes when more are drawn.
    seed : int
        Root seed.

    Returns
    -------
    (n,) str array
        In random order.

    Raises
    ------
    InputError
        If there are not that many words.
    """
    syllables = [consonant + vowel for consonant in _CONSONANTS for vowel in _VOWELS]
    total = len(syllables) ** _KEY_SYLLABLES
    if n > total:
        raise InputError(f"digits-text: {n} KEYs are asked for, there are {total}")
    order = rng.generator(seed, "digits-text-keys").permutation(total)[:n]
    places = np.unravel_index(order, (len(syllables),) * _KEY_SYLLABLES)
    parts = np.array(syllables)[np.stack(places, axis=1)]
    return np.array(["".join(row) for row in parts], dtype=str)


def vocabulary(texts: Sequence[str]) -> list[str]:
    """List the words of the world that a tokenizer should know: the template's, the numerals, the KEYs.

    Parameters
    ----------
    texts : sequence of str
        Captions.

    Returns
    -------
    list of str
        Template words, then numerals, then all others in alphabetical order.
    """
    fixed = [*WORDS, *NUMERALS]
    return fixed + sorted({word for text in texts for word in text.split()} - set(fixed))
