"""What a person's prompts are: lists, captions of a folder of images, and control prompts made of them."""

import csv
import json
import random
from pathlib import Path

from mmh.errors import InputError

FEWEST = 3
"""Prompts that can be told apart from one another."""
_COLUMNS = ("caption", "prompt", "text")


def read_prompt_file(path: Path, flag: str, fewest: int = FEWEST) -> list[str]:
    """Read prompts of any format that is known, from the first column of a usual name.

    Parameters
    ----------
    path : Path
    flag : str
        What gave it, for messages.
    fewest : int

    Returns
    -------
    list of str

    Raises
    ------
    InputError
        If it cannot be read, has no such column, or too few prompts.
    """
    from mmh.prompts.lists import read_prompt_list

    if not path.is_file():
        raise InputError(
            f"{flag} {path}: no such file; give a list of prompts (.txt, .csv, .jsonl, .parquet)"
        )
    refusals = []
    for column in _COLUMNS:
        try:
            prompts = read_prompt_list(path, column=column)
        except InputError as error:
            refusals.append(error)
            continue
        if len(prompts) < fewest:
            raise InputError(
                f"{flag} {path}: holds {len(prompts)} prompt{'s' * (len(prompts) != 1)}, at least {fewest} "
                "are needed to compare with one another; add more"
            )
        return prompts
    raise InputError(f"{flag} {refusals[0]} (columns that are looked for: {', '.join(_COLUMNS)})")


def read_captions(folder: Path, flag: str = "--captioned") -> list[str]:
    """Read the captions of an image folder in the layout of `datasets`.

    Parameters
    ----------
    folder : Path
        With ``metadata.csv`` or ``metadata.jsonl``: `file_name`, and a caption.
    flag : str

    Returns
    -------
    list of str

    Raises
    ------
    InputError
        If there is no such file, or images that it names are missing.
    """
    files = [folder / name for name in ("metadata.csv", "metadata.jsonl") if (folder / name).is_file()]
    if not files:
        raise InputError(
            f"{flag} {folder}: holds neither metadata.csv nor metadata.jsonl; write one with the "
            "columns file_name and caption"
        )
    text = files[0].read_text(encoding="utf-8")
    try:
        rows = (
            list(csv.DictReader(text.splitlines()))
            if files[0].suffix == ".csv"
            else [json.loads(line) for line in text.splitlines() if line.strip()]
        )
    except ValueError as error:
        raise InputError(f"{files[0]}: a line is no JSON ({error}); mend it") from error
    lost = [row.get("file_name") for row in rows if not (folder / str(row.get("file_name"))).is_file()]
    if lost:
        raise InputError(f"{files[0]}: names {lost[0]}, which is not in {folder}; mend or remove the line")
    return read_prompt_file(files[0], flag)


def shuffled(prompts: list[str], seed: int = 0) -> list[str]:
    """Make control prompts: the words of each prompt in another order.

    Parameters
    ----------
    prompts : list of str
    seed : int

    Returns
    -------
    list of str
        One for each prompt of at least three words; others have no other order that says something.
    """
    made = []
    for number, prompt in enumerate(prompts):
        words = prompt.split()
        if len(set(words)) < 3:
            continue
        drawn = random.Random(f"{seed} {number}")
        order = words[:]
        while order == words:
            drawn.shuffle(order)
        made.append(" ".join(order))
    return made
