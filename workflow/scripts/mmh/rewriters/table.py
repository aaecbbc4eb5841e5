"""A rewriter that reads a file: rewrites made by a person or another program."""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmh.errors import InputError
from mmh.options import base as options
from mmh.options.base import Field
from mmh.options.entries import Entry
from mmh.rewriters.base import Answer, Ask, Rewriter


class Written(Rewriter):
    """Rows of a CSV file: `text`, the prompt; `replaced`, its words that are to go; `rewrite`."""

    name, printed = "table", "by hand"

    class Options(options.Options):
        """Rewrites from a file."""

        file: str = Field(min_length=1)
        """CSV file with the columns text, replaced (words with a blank between, in the prompt's order) and
        rewrite; further rows of one prompt are further rewritings of it"""

    @classmethod
    def files(cls, options: Any) -> list[str]:
        """Give the table."""
        return [str(options.file)]

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """A table that is not there."""
        if not Path(options.file).is_file():
            yield f"{where}.file: no file {options.file}; a CSV with text, replaced, rewrite goes there"

    def rewrite(self, ask: Ask, attempt: int) -> Answer:
        """Give the row of this prompt, these words and this repeat."""
        wanted = " ".join(ask.words[place] for place in sorted(ask.chosen))
        found = read(self.options.file).get((ask.text, wanted), [])
        place = ask.repeat + attempt
        if place >= len(found):
            raise InputError(
                f"{self.options.file}: has {len(found)} rewrites of {ask.text!r} without {wanted!r}, needs "
                f"{place + 1}; add a row"
            )
        return Answer(found[place], Path(self.options.file).name)


@functools.cache
def read(file: str) -> dict[tuple[str, str], list[str]]:
    """Read a file of rewrites, by prompt and words that are to go."""
    try:
        with Path(file).open(encoding="utf-8", newline="") as lines:
            rows = csv.DictReader(lines)
            absent = [name for name in ("text", "replaced", "rewrite") if name not in (rows.fieldnames or ())]
            if absent:
                raise InputError(f"{file}: has no column {absent[0]!r}; needs text, replaced, rewrite")
            found: dict[tuple[str, str], list[str]] = {}
            for row in rows:
                found.setdefault((row["text"], row["replaced"]), []).append(row["rewrite"] or "")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: no rewrites can be read from it ({error})") from error
    return found
