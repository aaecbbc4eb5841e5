"""Printed names of estimators, with their noise level."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd


def printed(estimator: str, names: Mapping[str, str], t: float | None = None) -> str:
    """Give the printed name of an estimator, with its noise level where it has one.

    Parameters
    ----------
    estimator : str
        Name in the config.
    names : mapping of str to str
        Printed names; an estimator without one is printed as the config calls it.
    t : float or None
        Noise level; NaN counts as none.

    Returns
    -------
    str
        Such as ``FLIPD at t₀ = 0.1``.
    """
    name = names.get(estimator, estimator)
    return name if t is None or np.isnan(t) else f"{name} at $t_0$ = {t:.3g}"


def panel_names(frame: pd.DataFrame, estimators: Sequence[str], names: Mapping[str, str]) -> dict[str, str]:
    """Give the printed name of each estimator, with the noise level it was evaluated at.

    Parameters
    ----------
    frame : DataFrame
        From `mmh.evaluation.selection.grouped_samples`.
    estimators : sequence of str
        In the order wanted.
    names : mapping of str to str
        As for `printed`.

    Returns
    -------
    dict of str
        Name in the config to printed name.
    """
    levels = frame.groupby("estimator")["t"].first()
    return {name: printed(name, names, levels.get(name)) for name in estimators}
