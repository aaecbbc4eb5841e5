"""All eigenvalues of the log-density's Hessian at each item, for few dimensions; their sum is a dimension."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from mmh.compute.network_cost import LARGEST_JACOBIAN
from mmh.models.base import dimension
from mmh.options.base import Field, NoiseLevel
from mmh.scores.base import Config, NetworkOptions, SpectraScore

if TYPE_CHECKING:
    from mmh.options.entries import Entry
    from mmh.plan.work import Need, Work
    from mmh.scores.base import Arrays, Places
    from mmh.scores.setting import Setting


class Eigenvalues(SpectraScore):
    """LID by the trace, d - sum a, beside the spectrum of a = -sigma^2 lambda(H) that figures show.

    An exact dimension at noised points, where FLIPD's ||eps||^2 would swamp it.

    Formula: d - sum a, a the eigenvalues of sigma (J + J^T) / 2.

    Source: Jeon, Kim and No (2025) for the spectrum; FLIPD's trace (arXiv:2406.03537) for its sum.

    Cost: one forward pass, d backward passes, and the eigenvalues of a d x d matrix in float64.

    Fails: beyond 256 values of an item it is refused; one noise for each item, so a value is one draw.
    """

    name, once, derivatives = "eigenvalues", ("index", "sigma"), True
    latents, later, batched = True, frozenset(), True
    label, unit = "LID by the trace", "dimensions"

    class Options(NetworkOptions):
        """Eigenvalues of the Hessian."""

        t: NoiseLevel
        """noise level in (0, 1]"""
        noised: bool = True
        """ask at psi x + sigma noise, one noise for each item, instead of at psi x"""
        condition: Literal["caption", "empty"] | None = None
        """of a text-to-image model: given the caption, or given the empty one"""
        batch_size: int = Field(ge=1)
        """rows per network call; part of a result's bytes"""

    @classmethod
    def printed(cls, options: Config, others: Any) -> str:
        """None: several differ in their noise level alone."""
        return ""

    @classmethod
    def has_stderr(cls, options: Config) -> bool:
        """Nothing is estimated."""
        return False

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Find items that are too large, and what a text-to-image model lacks."""
        yield from super().check(options, experiment, where)
        if not {"data", "model"} <= set(experiment.entry):
            return
        dim = dimension(experiment.entry)
        if dim > LARGEST_JACOBIAN:
            yield (
                f"{where}.method: 'eigenvalues' forms the whole Jacobian, of at most {LARGEST_JACOBIAN} "
                f"values, an item here has {dim}; use 'krylov' with a number of products"
            )
        if "sampling" not in experiment.entry and options.condition is None:
            yield f"{where}.condition: missing; caption for the score given the caption, empty without"

    @classmethod
    def calls(cls, work: Work) -> float:
        """One pass, then one product for each value of an item."""
        return work.trace_calls("exact")

    @classmethod
    def cost(cls, work: Work) -> Need:
        """The products, and the matrices of a batch with their eigenvalues."""
        found, dim = work.of_network(cls), work.dim
        return work.need(
            found.seconds + 7e-11 * work.n * dim**3,
            found.mem_mb + (4 * work.batch_rows * dim**2 + 2 * work.n * dim) * 8e-6,
        )

    @classmethod
    def spectra(cls, setting: Setting, rows: Places) -> Arrays:
        """All a of some items, falling."""
        from mmh.hessian.estimate import hessian_geometry

        options = setting.options
        found = hessian_geometry(
            setting.score.select(rows),
            setting.x[rows],
            options.t,
            steps=None,
            noised=options.noised,
            seed=setting.seed,
            ids=setting.ids[rows],
            batch_size=options.batch_size,
        )
        return {"spectrum": found.nodes[:, 0, ::-1]}

    @classmethod
    def constants(cls, setting: Setting) -> Arrays:
        """The noise level; an index of -1 stands for none."""
        import numpy as np

        schedule, t = setting.score.schedule, setting.options.t
        index = schedule.index(t)
        return {
            "index": np.array([-1 if index is None else index]),
            "sigma": np.array([float(schedule.sigma(t))]),
        }

    @classmethod
    def describe(cls, setting: Setting) -> dict[str, Any]:
        """Say at which points."""
        where = "noised items" if setting.options.noised else "items"
        return {"method": f"eigenvalues of the symmetrised Jacobian at {where}, exact, float64"}

    @classmethod
    def counts(cls, arrays: Arrays, threshold: float, options: Any, seed: int) -> dict[str, Any]:
        """LID by the trace: nothing is counted."""
        spectrum, index = arrays["spectrum"], int(arrays["index"][0])
        return {
            "value": spectrum.shape[1] - spectrum.sum(axis=1),
            "t": options.t,
            "index": None if index < 0 else index,
            "sigma": float(arrays["sigma"][0]),
            "seed": seed if options.noised else None,
        }
