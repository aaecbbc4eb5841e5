"""Results in a line each: a thousand numbers on a screen say less than how many, from where to where."""

from __future__ import annotations

from typing import Any

import numpy as np


def shown(name: str, **values: Any) -> str:
    """Write an object with arrays for people: one line for it, and one for each array.

    Parameters
    ----------
    name : str
        Its class.
    **values
        Arrays by name, each shown by type, shape, and median and extremes of its finite values; other values
        as they are. None is left out.

    Returns
    -------
    str
    """
    plain = {key: one for key, one in values.items() if not isinstance(one, np.ndarray) and one is not None}
    arrays = {key: one for key, one in values.items() if isinstance(one, np.ndarray)}
    first = f"{name}({', '.join(f'{key}={_plain(one)}' for key, one in plain.items())})"
    return "\n".join([first, *(f"  {key}: {_array(one)}" for key, one in arrays.items())])


def _plain(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else repr(value)


def _array(array: np.ndarray) -> str:
    said = f"{array.dtype} {array.shape}"
    if array.dtype.kind not in "iuf" or not array.size:
        return said
    finite = array[np.isfinite(array)]
    lost = array.size - finite.size
    note = f", {lost} not finite" if lost else ""
    if not finite.size:
        return said + note
    low, middle, high = (f"{value:.4g}" for value in (finite.min(), np.median(finite), finite.max()))
    return f"{said}, {low} to {high}, median {middle}{note}"
