"""Cells of a table that people open in a spreadsheet, which must not calculate them."""

import re

_ACTIVE = re.compile(
    r"'*[=+\-@\t\r]"
)  # how a cell starts that a spreadsheet would calculate, or a guarded one


def guard_cell(cell: str) -> str:
    """Keep a spreadsheet from calculating a cell: put ' before a leading = + - @, tab or carriage return.

    Parameters
    ----------
    cell : str
        Any text.

    Returns
    -------
    str
        A cell that starts so only after some ' gets one more, so that `unguard_cell` undoes every case.
    """
    return "'" + cell if _ACTIVE.match(cell) else cell


def unguard_cell(cell: str) -> str:
    """Undo `guard_cell`.

    Parameters
    ----------
    cell : str
        A cell of a label file; one that was never guarded ('t Hooft) stays as it is.

    Returns
    -------
    str
    """
    return cell[1:] if cell.startswith("'") and _ACTIVE.match(cell) else cell
