"""How often intervals cover: data are simulated with a known truth, again and again."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmh.compute import rng
from mmh.stats.resampling import LEVEL, Interval

GOAL = (0.93, 0.97)
"""A row whose coverage lies outside is marked."""
Drawn = tuple[Interval, float]
"""An interval on simulated data, and the truth; NaN for the mean of all estimates: spread alone counts."""


@dataclass(frozen=True)
class Setting:
    """What is simulated for one row of the table."""

    kind: str
    name: str
    draw: Callable[[np.random.Generator], Drawn]
    cost: float = 1.0
    share: float = 1.0

    @property
    def slug(self) -> str:
        """Name of its file."""
        return f"{zlib.crc32(f'{self.kind}/{self.name}'.encode()):08x}"

    def count(self, trials: int) -> int:
        """Simulations of this setting: fewer of one that takes long."""
        return max(int(trials * self.share), 1)


def simulate(setting: Setting, trials: int, seed: int = 0) -> dict[str, Any]:
    """Draw data again and again, and count how often the interval holds the truth.

    Parameters
    ----------
    setting : Setting
    trials : int
        Simulations.
    seed : int
        Root seed.

    Returns
    -------
    dict
        `kind`, `setting`, `n`, `n_clusters`, `truth`, `nominal`, `coverage` (of the intervals that there
        are), `mc_error` (its standard error over trials), `too_high` and `too_low` (share of intervals above
        and below the truth), `width` (mean), `none` (share of trials without an interval), `trials`, and
        `marked` where the coverage lies outside `GOAL`.
    """
    found = [setting.draw(rng.generator(seed, "coverage", int(setting.slug, 16), k)) for k in range(trials)]
    low, high, truth = np.array([(i.low, i.high, t) for i, t in found]).T
    if np.isnan(truth).any():
        truth = np.full(trials, np.mean([i.estimate for i, _ in found]))
    there = np.isfinite(low) & np.isfinite(high)
    count = int(there.sum())
    above, below = (low > truth)[there].sum(), (high < truth)[there].sum()
    share = 1 - (above + below) / count if count else np.nan
    return {
        "kind": setting.kind,
        "setting": setting.name,
        "n": found[0][0].n,
        "n_clusters": found[0][0].n_clusters,
        "truth": float(truth[0]),
        "nominal": LEVEL,
        "coverage": float(share),
        "mc_error": float(np.sqrt(share * (1 - share) / count)) if count else np.nan,
        "too_high": float(above / count) if count else np.nan,
        "too_low": float(below / count) if count else np.nan,
        "width": float((high - low)[there].mean()) if count else np.nan,
        "none": 1 - count / trials,
        "trials": trials,
        "marked": bool(count and not GOAL[0] <= round(float(share), 6) <= GOAL[1]),
    }


def markdown(table: Any) -> str:
    """Print the table, the kinds in order; a coverage outside `GOAL` in bold.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of `simulate`.

    Returns
    -------
    str
    """
    heads = ["interval", "setting", "n", "clusters", "truth", "coverage", "± MC", "width", "none", "trials"]
    lines = [heads, ["---"] * len(heads)]
    for row in table.itertuples():
        covered = "-" if row.coverage != row.coverage else f"{100 * row.coverage:.1f} %"
        error = "-" if row.coverage != row.coverage else f"{100 * row.mc_error:.1f} %"
        width = "-" if row.width != row.width else f"{row.width:.3g}"
        lines.append(
            [
                *(row.kind, row.setting, str(row.n), str(row.n_clusters), f"{row.truth:.3g}"),
                *(f"**{covered}**" if row.marked else covered, error, width),
                *(f"{100 * row.none:.0f} %" if row.none else "", str(row.trials)),
            ]
        )
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)
