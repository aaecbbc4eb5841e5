"""The embedded worlds by name."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mmh.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

NAMES = ("von-mises", "digits", "digits-overfit", "digits-control")


def make(name: str, **options: Any) -> tuple["np.ndarray", "pd.DataFrame"]:
    """Build the training set of one embedded world.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    **options : object
        Keyword arguments of the world's own function: `von_mises.make`, `digits.make`,
        `digits.make_overfit`, `digits.make_control`.

    Returns
    -------
    x : (n, C, H, W) or (n, 2) float32
        Training items; images lie in [-1, 1].
    table : pandas.DataFrame
        One row per item: `train`, `source`, `population`, `group`, `copies`.

    Raises
    ------
    InputError
        If the world is unknown or an option does not fit it.
    """
    from mmh.worlds import digits, von_mises

    makers: dict[str, Callable[..., tuple[np.ndarray, pd.DataFrame]]] = {
        "von-mises": von_mises.make,
        "digits": digits.make,
        "digits-overfit": digits.make_overfit,
        "digits-control": digits.make_control,
    }
    if name not in makers:
        raise InputError(f"world '{name}' does not exist; choose one of {', '.join(NAMES)}")
    try:
        return makers[name](**options)
    except TypeError as error:
        raise InputError(f"world '{name}': {error}; options were {sorted(options)}") from error


def classes(name: str, table: "pd.DataFrame") -> "np.ndarray | None":
    """Give the class of every item of a world.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    table : pandas.DataFrame
        Table of `make`.

    Returns
    -------
    (n,) int64 or None
        The digit, 0..9; None for a world without classes.
    """
    from mmh.worlds import digits

    return digits.classes(table["source"].to_numpy()) if name.startswith("digits") else None
