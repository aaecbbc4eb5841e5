"""What one estimator leaves of another, such as FLIPD less its line on PNG size (Fig. 8a)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mmh.errors import InputError
from mmh.options import base as declared
from mmh.options.base import ComputedName
from mmh.scores.base import SCORES, Config, RatioScore
from mmh.scores.following import misfits_of_parts, side_by_side

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike

    from mmh.options.entries import Entry

LEAST = 3
"""Items that a line is fitted to, at least: two have no residual."""


class Residual(RatioScore):
    """One score less its least-squares line on another, in the first one's unit, which may be negative.

    Formula: y - (a + b u), a and b the least-squares line of the score y on the score u, fitted without
    labels.

    Source: this project, in place of the quotient of Fig. 8 where values are negative.

    Cost: none beyond its two scores.

    Fails: what differs in u between memorized and other images is taken out too; a curved relation stays.
    """

    name, random = "residual", False

    class Options(declared.Options):
        """Residual of an estimator on another."""

        of: ComputedName
        """estimator whose residual is taken"""
        given: ComputedName
        """estimator on which the line is fitted"""
        fit: Literal["calibration", "all"] = "calibration"
        """items of the fit, which needs no labels: calibration, the first samples, never evaluated; or all"""

    @classmethod
    def printed(cls, options: Config, others: Mapping[str, Config]) -> str:
        """Name both."""
        parts = [others[options[part]] for part in ("of", "given")]
        of, given = (SCORES[part["method"]].printed(part, others) for part in parts)
        return f"{of}, residual on {given}" if of and given else ""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Find scores that are not there for every item, a circle, and a fit to items that there are not."""
        yield from super().check(options, experiment, where)
        yield from misfits_of_parts(options, experiment, where, ("of", "given"), "a residual")
        if options.of == options.given:
            yield f"{where}.given: {options.of!r} leaves nothing of itself; name another score"
        if options.fit == "all":
            return
        others = [items for items in experiment.at(where)["items"] if items not in ("samples", "selected")]
        kept = int(experiment.section("sampling").get("calibration", 0))
        if others:
            yield f"{where}.fit: {others[0]!r} has no calibration samples; use all"
        elif kept < LEAST:
            yield f"{where}.fit: sampling.calibration is {kept}, and a line needs {LEAST} items; use all"

    @classmethod
    def combined(
        cls, table: pd.DataFrame, name: str, items: str, options: Config, *, calibration: int = 0
    ) -> tuple[pd.DataFrame, dict[str, Any]]:
        """Take the line off the scores of one item set, and say which line it was."""
        rows, other = side_by_side(table, name, items, options["of"], options["given"])
        fit = options.get("fit", "calibration")
        fitted = rows["item"].argsort().to_numpy()
        if fit == "calibration":
            fitted = fitted[rows["item"].to_numpy()[fitted] < calibration]
        if rows.empty:
            return rows, {}
        try:
            line = fitted_line(other.to_numpy()[fitted], rows["value"].to_numpy()[fitted])
        except InputError as error:
            hint = "; use fit: all" if fit == "calibration" else ""
            raise InputError(f"{name}: {options['given']} of {items}, fit {fit}: {error}{hint}") from error
        rows["value"] = rows["value"] - (line.intercept + line.slope * other)
        return rows, {"fit": fit, "n": len(fitted), **line._asdict()}


class Line(NamedTuple):
    """A fitted line, with the standard error of its slope if the points are independent."""

    slope: float
    intercept: float
    slope_stderr: float


def fitted_line(x: ArrayLike, y: ArrayLike) -> Line:
    """Fit a line by least squares.

    Of all lines its residuals are the ones that are uncorrelated with x over the fitted points, which is what
    "x taken out" means; a robust slope such as Theil and Sen's leaves a correlation.

    Parameters
    ----------
    x, y : array_like
        float (n,), finite; at least `LEAST`, and x not all the same.

    Returns
    -------
    Line
        Slope and its standard error in units of y over x, intercept in those of y.

    Raises
    ------
    InputError
        If there are too few points, or x does not vary.
    """
    import numpy as np

    at, values = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(at) < LEAST:
        raise InputError(f"a line needs {LEAST} items, there are {len(at)}")
    centred = at - at.mean()
    spread = float(centred @ centred)
    if spread == 0:
        raise InputError(f"all {len(at)} values are {at[0]:g}, so there is no line on them")
    slope = float(centred @ (values - values.mean())) / spread
    left = values - values.mean() - slope * centred
    stderr = float(np.sqrt(left @ left / (len(at) - 2) / spread))
    return Line(slope, float(values.mean() - slope * at.mean()), stderr)
