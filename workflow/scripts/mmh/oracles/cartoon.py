"""Fig. 1 as closed-form laws: six pairs of a ground truth and a model in the plane, and their measured LID.

Each law is a mixture of Gaussians of dimension 0, 1 or 2, so that its exact score is known and LID can be
measured by FLIPD instead of being drawn by hand. Curves are chains of short one-dimensional Gaussians along
a parabola.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mmh.diffusion.schedule import Schedule
from mmh.io.tables import Contract

if TYPE_CHECKING:
    from mmh.oracles.exact import Mixture

SCHEDULE = Schedule.edm(1e-4, 1.0)
"""Noise levels, down to well below the smallest structure."""

NOISE = 0.004
"""Sigma at which LID is measured: from there every part looks like a point, a line or the plane."""

REACH = 3.5
"""Standard deviations to which a part is drawn, and counted as the support."""

PANELS = {
    "a": "OD-Mem",
    "b": "OD-Mem with a free direction",
    "c": "generalization",
    "d": "DD-Mem",
    "e": "DD-Mem with a free direction",
    "f": "poor fit",
}
"""What the paper calls each panel."""

# Only this module and its figure know the table, so its contract stands here.
CARTOON = Contract(
    "cartoon",
    {
        "panel": "string",
        "kind": "string",
        "part": "int64?",
        "x": "float64",
        "y": "float64",
        **dict.fromkeys(("ux", "uy", "vx", "vy", "weight", "lid_model", "lid_data", "sigma"), "float64?"),
    },
)

_BLOB = ((0.0, 0.0), ((0.32, 0.05), (0.0, 0.2)))
_RIGHT = ((0.35, 0.02), ((0.2, 0.03), (0.0, 0.18)))
_ELSEWHERE = ((0.05, -0.1), -0.9, 0.35)
_LINKS = 96


@dataclass(frozen=True)
class Law:
    """A mixture in the plane: part j is N(mean_j, axes_j^T axes_j), its rows of axes scaled by the spread."""

    mean: np.ndarray  # (k, 2)
    axes: np.ndarray  # (k, 2, 2); a zero row takes a dimension away
    weight: np.ndarray  # (k,)

    def oracle(self) -> "Mixture":
        """Give its exact score and sampler."""
        from mmh.oracles.exact import GaussianPart, Mixture

        parts = [GaussianPart.from_covariance(m, a.T @ a) for m, a in zip(self.mean, self.axes, strict=True)]
        return Mixture(parts, SCHEDULE, weights=self.weight)

    def supports(self, points: np.ndarray) -> np.ndarray:
        """Tell which points (n, 2) lie on the support, drawn to `REACH`: bool (n,)."""
        inside = np.zeros(len(points), dtype=bool)
        for mean, axes in zip(self.mean, self.axes, strict=True):
            coordinates = (points - mean) @ np.linalg.pinv(axes)
            off = np.linalg.norm(points - mean - coordinates @ axes, axis=1)
            inside |= (off < NOISE) & (np.linalg.norm(coordinates, axis=1) <= REACH)
        return inside


def laws(seed: int = 0, n: int = 36) -> dict[str, tuple[Law, Law, np.ndarray]]:
    """Make the six panels.

    Parameters
    ----------
    seed : int
        Root seed of the training points.
    n : int
        Training points of each panel.

    Returns
    -------
    dict
        Panel letter to ground truth, model, and training points (n, 2). In (a), (b), (c) and (f) the truth
        is a blob of dimension 2; in (d) and (e) it has a part of dimension 0 or 1 on its left.
    """
    blob, right = _blob(*_BLOB), _blob(*_RIGHT)
    x = blob.oracle().sample(n, seed)[0]
    three = x[np.argsort(x[:, 0], kind="stable")[:3]]
    dots, curve = _points(three), _curve(three)
    low = {"d": _mix((dots, 0.3), (right, 0.7)), "e": _mix((curve, 0.3), (right, 0.7))}
    drawn = {panel: law.oracle().sample(n, seed)[0] for panel, law in low.items()}
    # The three points are the data's own: where the truth is a curve through them, they are among the draws.
    drawn["e"][:3] = three
    elsewhere = _curve(_arc(*_ELSEWHERE))
    return {
        "a": (blob, low["d"], x),
        "b": (blob, low["e"], x),
        "c": (blob, blob, x),
        "d": (low["d"], low["d"], drawn["d"]),
        "e": (low["e"], low["e"], drawn["e"]),
        "f": (blob, elsewhere, x),
    }


def measure(seed: int = 0, n: int = 36) -> pd.DataFrame:
    """Measure LID_θ and LID_* in all panels, by FLIPD with the exact score and trace.

    Parameters
    ----------
    seed, n
        As for `laws`.

    Returns
    -------
    DataFrame
        Columns of `CARTOON`, one row per thing to draw. `kind` is `truth` or `model` (a part: its mean, its
        scaled axes u and v, its weight), `train` (a training point) or `marked` (a place where LID was
        measured at noise `sigma`: the leftmost training point, and in (f) a point of the model). LID is
        missing off the support.
    """
    import torch

    from mmh.lid.flipd import flipd

    t = _time(NOISE)
    tables = []
    for panel, (truth, model, train) in laws(seed, n).items():
        tables += [_parts(panel, "truth", truth), _parts(panel, "model", model)]
        tables.append(pd.DataFrame({"panel": panel, "kind": "train", "x": train[:, 0], "y": train[:, 1]}))
        marked = train[np.argsort(train[:, 0], kind="stable")[:1]]
        if panel == "f":
            marked = np.concatenate([marked, model.mean[_LINKS // 4][None]])
        values = {}
        for name, law in (("lid_model", model), ("lid_data", truth)):
            estimate = flipd(law.oracle().model, torch.from_numpy(marked), t, probes=None)
            values[name] = np.where(law.supports(marked), estimate, np.nan)
        place = {"x": marked[:, 0], "y": marked[:, 1], "sigma": SCHEDULE.sigma(t)}
        tables.append(pd.DataFrame({"panel": panel, "kind": "marked", **place, **values}))
    table = pd.concat([part.reindex(columns=list(CARTOON.columns)) for part in tables], ignore_index=True)
    return table.astype(
        {name: "Int64" if name == "part" else kind.rstrip("?") for name, kind in CARTOON.columns.items()}
    )


def _time(sigma: float) -> float:
    low, high = SCHEDULE.parameters["sigma_min"], SCHEDULE.parameters["sigma_max"]
    return float(np.log(sigma / low) / np.log(high / low))


def _parts(panel: str, kind: str, law: Law) -> pd.DataFrame:
    names = ("x", "y", "ux", "uy", "vx", "vy")
    numbers = np.concatenate([law.mean, law.axes[:, 0], law.axes[:, 1]], axis=1)
    places = dict(zip(names, numbers.T, strict=True))
    return pd.DataFrame(
        {"panel": panel, "kind": kind, "part": np.arange(len(law.weight)), **places, "weight": law.weight}
    )


def _blob(mean: tuple[float, float], axes: tuple[tuple[float, float], tuple[float, float]]) -> Law:
    return Law(np.array([mean]), np.array([axes]), np.ones(1))


def _points(places: np.ndarray) -> Law:
    return Law(places, np.zeros((len(places), 2, 2)), np.full(len(places), 1 / len(places)))


def _arc(mean: tuple[float, float], slope: float, half: float) -> np.ndarray:
    """Three points of a bent line of half length `half` through `mean`."""
    along = np.array([1.0, slope]) / np.hypot(1.0, slope)
    bend = 0.25 * half * np.array([-along[1], along[0]])
    return np.array(mean) + np.array([-half * along, bend, half * along])


def _curve(three: np.ndarray) -> Law:
    """Chain of one-dimensional Gaussians along the parabola through three points, beyond its ends."""
    axis = three - three.mean(axis=0)
    along = np.linalg.svd(axis)[2][0]
    across = np.array([-along[1], along[0]])
    a, b = axis @ along, axis @ across
    bend = np.polyfit(a, b, 2)
    margin = 0.2 * (a.max() - a.min())
    s = np.linspace(a.min() - margin, a.max() + margin, _LINKS)
    direction = along + np.polyval(np.polyder(bend), s)[:, None] * across
    mean = three.mean(axis=0) + s[:, None] * along + np.polyval(bend, s)[:, None] * across
    axes = np.zeros((_LINKS, 2, 2))
    # Neighbouring links overlap at one standard deviation, which makes the density even along the chain.
    axes[:, 0] = (s[1] - s[0]) * direction
    length = np.linalg.norm(axes[:, 0], axis=1)
    return Law(mean, axes, length / length.sum())


def _mix(*laws: tuple[Law, float]) -> Law:
    return Law(
        np.concatenate([law.mean for law, _ in laws]),
        np.concatenate([law.axes for law, _ in laws]),
        np.concatenate([share * law.weight for law, share in laws]),
    )
