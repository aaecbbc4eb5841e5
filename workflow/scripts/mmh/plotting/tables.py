"""Printed names of estimators, and the figure of the paper that shows them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

NAMES = {
    "flipd": "FLIPD",
    "flipd_uncond": "FLIPD, unconditional",
    "nb": "NB",
    "jacobian": "Jacobian rank",
    "lpca": "LPCA",
    "png": "PNG size",
    "flipd_png": "FLIPD / PNG size",
    "nb_png": "NB / PNG size",
    "jacobian_png": "Jacobian rank / PNG size",
}
"""Printed names of the estimators that the paper has; any other is printed as the config calls it."""


def printed(estimator: str, t: float | None = None) -> str:
    """Give the printed name of an estimator, with its noise level where it has one.

    Parameters
    ----------
    estimator : str
        Name in the config.
    t : float or None
        Noise level; NaN counts as none.

    Returns
    -------
    str
        Such as ``FLIPD at t₀ = 0.1``.
    """
    name = NAMES.get(estimator, estimator)
    return name if t is None or np.isnan(t) else f"{name} at $t_0$ = {t:.3g}"


def panel_names(frame: pd.DataFrame, estimators: Sequence[str]) -> dict[str, str]:
    """Give the printed name of each estimator, with the noise level it was evaluated at.

    Parameters
    ----------
    frame : DataFrame
        From `grouped_samples`.
    estimators : sequence of str
        In the order wanted.

    Returns
    -------
    dict of str
        Name in the config to printed name.
    """
    levels = frame.groupby("estimator")["t"].first()
    return {name: printed(name, levels.get(name)) for name in estimators}


def paper_figure(estimators: Sequence[str], diffusion: str, generator: str) -> str:
    """Give the number of the paper's figure, which has one for diffusion models and one for the GAN.

    Parameters
    ----------
    estimators : sequence of str
        Names in the config.
    diffusion, generator : str
        The two numbers.

    Returns
    -------
    str
        `generator` if all of them are the Jacobian's, by itself or divided by PNG size.
    """
    return generator if {*estimators} <= {"jacobian", "jacobian_png"} else diffusion
