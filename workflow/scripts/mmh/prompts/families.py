"""Which prompts are kin: near-duplicates, and those that a shared template begins."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from mmh.errors import InputError
from mmh.prompts.options import Families

KIN = Families()
TEMPLATE_LETTERS = 4
_ROWS = 500  # prompts compared with all others at a time: bounds memory at 500 n numbers


def duplicates(texts: Sequence[str]) -> list[tuple[str, int]]:
    """Find prompts that occur more than once, character by character.

    Parameters
    ----------
    texts : sequence of str

    Returns
    -------
    list of (str, int)
        Prompt and number of occurrences, in the order of first occurrence.
    """
    return [(text, count) for text, count in Counter(texts).items() if count > 1]


def normalized(text: str) -> str:
    """Reduce a prompt to its words in lower case, one space between them, without mark-up such as ``<i>``.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        Never empty: a prompt without any word stays as it is.
    """
    plain = re.sub(r"</?\w+[^<>]*>", " ", unicodedata.normalize("NFKC", text)).casefold()
    return " ".join(re.findall(r"\w+", plain)) or text


def prompt_families(
    texts: Sequence[str],
    *,
    similar: float = KIN.similar,
    gram: int = KIN.gram,
    template_size: int = KIN.template_size,
    template_share: float = KIN.template_share,
) -> np.ndarray:
    """Group prompts that are near-duplicates, or that a shared template begins.

    Two prompts are linked if the sets of their character n-grams overlap (Jaccard index) by `similar` or
    more; and all prompts with the same first two words are, where that beginning is a template: both words
    have at least 4 letters, at least `template_size` prompts begin so, and these are at least
    `template_share` of the prompts with that first word ("Shaw Floors ...", but not "a man ..." nor "woman
    in ..."). A family is a connected component: members may be linked through others.

    Parameters
    ----------
    texts : sequence of str
        All prompts that are to be compared, of all lists together; compared as `normalized` gives them.
    similar : float
        In (0, 1].
    gram : int
        Characters of an n-gram, at least 1.
    template_size : int
        At least 2.
    template_share : float
        In (0, 1].

    Returns
    -------
    (n,) int64
        Family of each prompt: the smallest index of its members. All pairs are compared exactly, so time
        grows with the square of the number of prompts.

    Raises
    ------
    InputError
        If an option is out of range.
    """
    if not (0 < similar <= 1 and gram >= 1 and template_size >= 2 and 0 < template_share <= 1):
        raise InputError(
            "prompt families need 0 < similar <= 1, gram >= 1, template_size >= 2 and 0 < template_share <= "
            f"1, got {similar}, {gram}, {template_size} and {template_share}"
        )
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if not len(texts):
        return np.empty(0, dtype=np.int64)
    words = [normalized(text) for text in texts]
    links = [*_similar(words, similar, gram), *_templates(words, template_size, template_share)]
    start, end = (np.concatenate(ends) for ends in zip(*links, strict=True))
    graph = coo_matrix((np.ones(len(start), dtype=np.int8), (start, end)), shape=(len(texts), len(texts)))
    component = connected_components(graph, directed=False)[1]
    _, first, member = np.unique(component, return_index=True, return_inverse=True)
    return first[member].astype(np.int64)


def _similar(words: list[str], similar: float, gram: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Link each prompt with itself and with all others that share enough n-grams."""
    from scipy.sparse import csr_matrix

    place: dict[str, int] = {}
    columns: list[int] = []
    ends = [0]
    for text in words:
        padded = f" {text} "  # so that a first and a last word count as words
        grams = {padded[k : k + gram] for k in range(max(1, len(padded) - gram + 1))}
        columns += [place.setdefault(g, len(place)) for g in grams]
        ends.append(len(columns))
    holds = csr_matrix((np.ones(len(columns)), columns, ends), shape=(len(words), len(place)))
    size = np.diff(ends).astype(np.float64)
    for start in range(0, len(words), _ROWS):
        common = (holds[start : start + _ROWS] @ holds.T).toarray()
        union = size[start : start + _ROWS, None] + size - common
        # 1e-12: a quotient such as 2 / 5 must reach its own decimal.
        one, other = np.nonzero(common >= (similar - 1e-12) * union)
        yield one + start, other


def _templates(words: list[str], size: int, share: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Link the prompts that begin with the same template to the first of them."""
    heads = [tuple(text.split(" ")[:2]) for text in words]
    first = Counter(head[0] for head in heads)
    for head, count in Counter(heads).items():
        long = len(head) == 2 and min(map(len, head)) >= TEMPLATE_LETTERS
        if long and count >= size and count >= share * first[head[0]]:
            rows = np.flatnonzero([h == head for h in heads])
            yield np.full(len(rows), rows[0]), rows
