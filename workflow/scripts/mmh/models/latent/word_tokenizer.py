"""A CLIP tokenizer in which every word of a list is one token, in the format of the public ones.

Byte-pair encoding joins the pair of pieces that comes first in its list of merges, again and again. Pairs
that are appended to the list come into play only where none of the earlier ones fits any more, so a word that
has become one token stays one whatever is appended for later words.
"""

import itertools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mmh.errors import InputError
from mmh.light_transformers import transformers

START, END = "<|startoftext|>", "<|endoftext|>"
_LAST = "</w>"  # marks a piece that ends a word


def pieces(word: str, rank: dict[tuple[str, str], int]) -> list[str]:
    """Cut a word into its byte-pair pieces.

    Parameters
    ----------
    word : str
        Letters of ASCII, in lower case.
    rank : dict
        Place of each pair in the list of merges.

    Returns
    -------
    list of str
        Pieces; the last one ends in ``</w>``.
    """
    parts = [*word[:-1], word[-1] + _LAST]
    while len(parts) > 1:
        best = min(itertools.pairwise(parts), key=lambda pair: rank.get(pair, len(rank)))
        if best not in rank:
            break
        joined: list[str] = []
        for part in parts:
            # A joined piece is never half of the same pair, so one pass from the left joins every occurrence.
            if joined and (joined[-1], part) == best:
                joined[-1] += part
            else:
                joined.append(part)
        parts = joined
    return parts


def merges(words: Iterable[str]) -> list[tuple[str, str]]:
    """List the merges after which each word is one token.

    Parameters
    ----------
    words : iterable of str
        Words of ASCII letters, in lower case.

    Returns
    -------
    list of (str, str)
        Pairs of pieces, in order.

    Raises
    ------
    InputError
        If a word holds anything but such letters.
    """
    rank: dict[tuple[str, str], int] = {}
    for word in words:
        if not (word.isascii() and word.isalpha() and word.islower()):
            raise InputError(
                f"tokenizer: {word!r} is no word of lower-case letters a..z; change the captions"
            )
        while len(parts := pieces(word, rank)) > 1:
            rank[parts[0], parts[1]] = len(rank)
    return list(rank)


def save(path: Path, words: Sequence[str], *, length: int) -> Any:
    """Write a tokenizer folder and load it.

    Text that holds other words is cut into smaller pieces, down to bytes, as with the public tokenizers.

    Parameters
    ----------
    path : Path
        Folder to write, made if it does not exist.
    words : sequence of str
        Words that become one token each.
    length : int
        Tokens of a padded prompt, start and end included (`model_max_length`).

    Returns
    -------
    transformers.CLIPTokenizer
        Pads with the end token, as Stable Diffusion's does.
    """
    from tokenizers.pre_tokenizers import ByteLevel

    pairs = merges(words)
    alphabet = sorted(ByteLevel.alphabet())
    tokens = dict.fromkeys([*alphabet, *(letter + _LAST for letter in alphabet)])
    tokens |= dict.fromkeys(a + b for a, b in pairs)
    vocabulary = {token: number for number, token in enumerate([*tokens, START, END])}
    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    (path / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(f"{a} {b}" for a, b in pairs)]
    (path / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    names = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    settings = {**names, "model_max_length": length, "tokenizer_class": "CLIPTokenizer"}
    (path / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n")
    (path / "special_tokens_map.json").write_text(json.dumps(names, indent=1) + "\n")
    return transformers().CLIPTokenizer.from_pretrained(path, local_files_only=True)
