"""The spectrum of the log-density's Hessian at each item: all eigenvalues of few, a quadrature of many."""

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

    An exact dimension at noised points, where FLIPD's ||eps||^2 would swamp it. Items of more than
    `LARGEST_JACOBIAN` values get stochastic Lanczos quadrature: Ritz values of each probe, and how many of
    the d eigenvalues each of them stands for. Of their rows `probes` says how many there were; of all
    eigenvalues it is empty.

    Formula: d - sum a, a the eigenvalues of sigma (J + J^T) / 2.

    Source: Jeon, Kim and No (2025) for the spectrum; FLIPD's trace (arXiv:2406.03537) for its sum.

    Cost: one forward pass and d backward passes up to 256 values, and the eigenvalues of a d x d matrix in
    float64; beyond, products of each probe.

    Fails: with few probes beyond 256 values; one noise for each item, so a value is one draw.
    """

    name, once, derivatives = "eigenvalues", ("index", "sigma"), True
    perhaps = ("weight",)
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
        m: int = Field(default=40, ge=1)
        """of items with more than 256 values: products of each probe; smaller ones get all eigenvalues"""
        probes: int = Field(default=2, ge=1)
        """of items with more than 256 values: starting vectors of random signs"""
        recurrence: Literal["lanczos-difference", "lanczos-jvp"] = "lanczos-difference"
        """of items with more than 256 values: J v by a central difference, or by dual numbers"""
        batch_size: int = Field(ge=1)
        """rows per network call; part of a result's bytes"""

    @classmethod
    def printed(cls, options: Config, others: Any) -> str:
        """None: several differ in their noise level alone."""
        return ""

    @classmethod
    def has_stderr(cls, options: Config) -> bool:
        """Nothing is estimated where all eigenvalues are taken, which a block does not say."""
        return False

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Find what a quadrature of large items does not take, and what a text-to-image model lacks."""
        yield from super().check(options, experiment, where)
        if not {"data", "model"} <= set(experiment.entry):
            return
        dim = dimension(experiment.entry)
        if dim > LARGEST_JACOBIAN and options.m > dim:
            yield f"{where}.m: {options.m} products, but an item has {dim} values; at most so many"
        dtype = experiment.section("latents").get("dtype", "float32")
        if dim > LARGEST_JACOBIAN and options.recurrence != "lanczos-jvp" and dtype != "float32":
            yield f"{where}.recurrence: a difference of {dtype} noises is rounding alone; use lanczos-jvp"
        if "sampling" not in experiment.entry and options.condition is None:
            yield f"{where}.condition: missing; caption for the score given the caption, empty without"

    @classmethod
    def calls(cls, work: Work) -> float:
        """One pass, then one product for each value of an item, or two for each step of a quadrature."""
        if work.dim <= LARGEST_JACOBIAN:
            return work.trace_calls("exact")
        given = cls.Options.model_validate(_own(work.options))
        products = given.m * given.probes
        return work.trace_calls(products) + products * (5.0 if given.recurrence == "lanczos-jvp" else 2.0)

    @classmethod
    def cost(cls, work: Work) -> Need:
        """The products, and the matrices of a batch with their eigenvalues, or its Krylov basis."""
        found, dim = work.of_network(cls), work.dim
        if dim > LARGEST_JACOBIAN:
            given = cls.Options.model_validate(_own(work.options))
            held = (2 * work.batch_rows * given.m * dim + 4 * work.n * given.m * given.probes) * 8e-6
            return work.need(found.seconds, found.mem_mb + held)
        return work.need(
            found.seconds + 7e-11 * work.n * dim**3,
            found.mem_mb + (4 * work.batch_rows * dim**2 + 2 * work.n * dim) * 8e-6,
        )

    @classmethod
    def spectra(cls, setting: Setting, rows: Places) -> Arrays:
        """All a of some items, falling; or those of each probe's quadrature, probe by probe, with weights."""
        from mmh.hessian.estimate import hessian_geometry

        options, dim = setting.options, setting.score.dim
        quadrature: dict[str, Any] = {"steps": None}
        if dim > LARGEST_JACOBIAN:
            quadrature = {"steps": options.m, "probes": options.probes, "method": options.recurrence}
        found = hessian_geometry(
            setting.score.select(rows),
            setting.x[rows],
            options.t,
            **quadrature,
            noised=options.noised,
            seed=setting.seed,
            ids=setting.ids[rows],
            places=None if setting.places is None else setting.places[rows],
            batch_size=options.batch_size,
        )
        if found.dense:
            return {"spectrum": found.nodes[:, 0, ::-1]}
        values, weights = (part[:, :, ::-1].reshape(len(rows), -1) for part in (found.nodes, found.weights))
        return {"spectrum": values, "weight": weights * dim / options.probes}

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
        """Say at which points, and whether all were taken."""
        given = setting.options
        where = "noised items" if given.noised else "items"
        what = f"eigenvalues of the symmetrised Jacobian at {where}"
        if setting.score.dim <= LARGEST_JACOBIAN:
            return {"method": f"{what}, exact, float64"}
        how = f"{given.recurrence}, {given.m} products of {given.probes} rademacher probes"
        return {"method": f"{what}, quadrature, {how}"}

    @classmethod
    def counts(cls, arrays: Arrays, threshold: float, options: Any, seed: int) -> dict[str, Any]:
        """LID by the trace: nothing is counted. Of a quadrature with its standard error over probes."""
        import numpy as np

        index, weight = int(arrays["index"][0]), arrays.get("weight")
        columns = {
            "t": options.t,
            "index": None if index < 0 else index,
            "sigma": float(arrays["sigma"][0]),
            "seed": seed if options.noised or weight is not None else None,
        }
        spectrum = arrays["spectrum"]
        if weight is None:
            return columns | {"value": spectrum.shape[1] - spectrum.sum(axis=1)}
        probes = options.probes
        normal = (spectrum * weight).reshape(len(spectrum), probes, -1).sum(axis=2)
        columns |= {"value": weight.sum(axis=1) - normal.sum(axis=1), "probes": probes}
        if probes > 1:  # the sum is the mean of p traces
            columns["stderr"] = np.sqrt(probes * normal.var(axis=1, ddof=1))
        return columns


def _own(options: Config) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key in Eigenvalues.Options.model_fields}
