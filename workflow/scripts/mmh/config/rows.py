"""Rows of a table as what a block of the configuration may hold."""

import functools
from collections.abc import Mapping
from typing import Any

from mmh.config.options import Alternative, Options
from mmh.rows import Table


def rows_of(table: Table[Any]) -> Mapping[str, Alternative]:
    """What a block may hold that names a row of a table.

    Parameters
    ----------
    table : Table

    Returns
    -------
    dict of str to Alternative
    """
    return _alternatives(tuple(table.rows().values()))


@functools.cache
def _alternatives(rows: tuple[Any, ...]) -> Mapping[str, Alternative]:
    found = {}
    for row in rows:
        forms = (row.Options,) if row.planning() is Options else (row.planning(), row.Options)
        found[row.name] = Alternative(forms, row, getattr(row, "shows", ""))
    return found
