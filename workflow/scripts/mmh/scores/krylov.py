"""LHSD, and all else that one Krylov pass over the Jacobian of the noise says of a point."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from mmh.compute.network_cost import LARGEST_JACOBIAN
from mmh.options.base import Field, NoiseLevel
from mmh.scores.base import Config, NetworkOptions, SpanScore

if TYPE_CHECKING:
    from mmh.hessian.geometry import Geometry
    from mmh.options.entries import Entry
    from mmh.plan.work import Work
    from mmh.scores.base import Arrays, Places
    from mmh.scores.setting import Setting

READINGS = ("lid_trace", "lambda_min", "lambda_max", "share", "error_share")
"""What is read off the same pass, besides LHSD; `asymmetry` where it is asked for."""


class Krylov(SpanScore):
    """LID_theta by LHSD: a smooth count of the small eigenvalues of the Hessian.

    Formula: LHSD = tr f(H) = d sum_k w_k f(theta_k), f(lambda) = 1 / (1 + (|lambda| / kappa)^p), kappa = c /
    sigma^2.

    Source: arXiv:2605.01221; recurrence, quadrature and points are this project's (docs/sharpness.md).

    Cost: one forward pass, and m backward passes for each probe.

    Fails: where eigenvalues lie near kappa, so that c decides; with c = .5 hundreds of normal directions add
    up to whole dimensions; few probes spread by dimensions.
    """

    name, needs, derivatives = "krylov", "score", True
    label, unit = "LHSD", "dimensions"
    parts = (*READINGS, "asymmetry")

    class Options(NetworkOptions):
        """LHSD by a Krylov pass."""

        t: NoiseLevel
        """noise level in (0, 1]"""
        m: Literal["exact"] | Annotated[int, Field(ge=1)] = 5
        """products of each probe; exact: all eigenvalues, by the whole Jacobian (up to 256 values)"""
        probes: int = Field(default=2, ge=1)
        """starting vectors; with one there is no standard error"""
        probe: Literal["gaussian", "rademacher", "orthogonal"] = "rademacher"
        """law of the probes"""
        recurrence: Literal["symmetrised-arnoldi", "lanczos-jvp", "lanczos-difference", "arnoldi"] = (
            "symmetrised-arnoldi"
        )
        """symmetrised-arnoldi: by J^T v alone; lanczos-jvp, lanczos-difference: J v too, by dual numbers or
        a difference; arnoldi: the paper's, eigenvalues of J itself"""
        c: float = Field(default=0.25, gt=0)
        """kappa is c / sigma^2: .25 for values, .5 to rank"""
        power: float = Field(default=4.0, gt=0)
        """exponent p of f(lambda) = 1 / (1 + (|lambda| / kappa)^p)"""
        corrected: bool = False
        """count normal directions as 0 by (f - f(1)) / (1 - f(1))"""
        noised: bool = False
        """ask at psi x + sigma n, one noise for each id, instead of at psi x"""
        asymmetry: bool = False
        """take J v of each probe too, for `asymmetry`"""
        h: float = Field(default=0.03, gt=0)
        """displacement of central differences, in the units of z"""
        condition: Literal["caption", "empty"] | None = None
        """of a text-to-image model: given the caption, or given the empty one"""

    @classmethod
    def printed(cls, options: Config, others: Any) -> str:
        """Name those of captioned images apart."""
        kind = {"caption": ", conditional", "empty": ", unconditional"}.get(
            options.get("condition") or "", ""
        )
        return f"{cls.label}{kind}"

    @classmethod
    def has_stderr(cls, options: Config) -> bool:
        """Over the probes, if there are several."""
        return options.get("m", 5) != "exact" and options.get("probes", 2) > 1

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Find what a dense matrix does not take, more products than dimensions, and a lacking condition."""
        from mmh.models.base import dimension

        yield from super().check(options, experiment, where)
        if options.m == "exact":
            for key in ("probes", "probe", "recurrence", "asymmetry"):
                if key in options.model_fields_set:
                    yield f"{where}.{key}: with m: exact nothing is random, and all is read; remove it"
        if not {"data", "model"} <= set(experiment.entry):
            return
        if "sampling" not in experiment.entry and options.condition is None:
            yield f"{where}.condition: missing; caption: given the caption, empty: given none"
        dim = dimension(experiment.entry)
        if options.m != "exact" and options.m > dim:
            yield f"{where}.m: {options.m} products, but an item has {dim} values; at most so many"
        if options.m == "exact" and dim > LARGEST_JACOBIAN:
            yield f"{where}.m: exact is for up to {LARGEST_JACOBIAN} values, an item has {dim}; name a number"
        if options.probe == "orthogonal" and options.probes > dim:
            yield f"{where}.probes: {options.probes}, but of {dim} values there are {dim} orthogonal ones"

    @classmethod
    def calls(cls, work: Work) -> float:
        """One pass, then one product for each step of each probe, and what J v costs."""
        given = cls.Options.model_validate(_own(work.options))
        if given.m == "exact":
            return work.trace_calls("exact")
        extra = {"lanczos-jvp": 5.0, "lanczos-difference": 2.0}.get(given.recurrence, 0.0)
        forward = given.probes * (given.m * extra + 2.0 * given.asymmetry)
        return work.trace_calls(given.m * given.probes) + forward

    @classmethod
    def values(cls, setting: Setting, rows: Places, numbers: Places, size: int) -> Arrays:
        """Read the items of one batch off one pass."""
        from mmh.hessian.estimate import hessian_geometry

        given = setting.options
        assert setting.t is not None
        found = hessian_geometry(
            setting.score.select(rows),
            setting.x[rows],
            setting.t,
            steps=None if given.m == "exact" else given.m,
            probes=given.probes,
            probe=given.probe,
            method=given.recurrence,
            noised=given.noised,
            asymmetry=given.asymmetry,
            difference=given.h,
            seed=setting.seed,
            ids=numbers,
            batch_size=size,
        )
        return readings(found, given)

    @classmethod
    def columns(cls, setting: Setting) -> dict[str, Any]:
        """Noise level, and the probes with their seed if they are random."""
        exact = setting.options.m == "exact"
        probes = None if exact else setting.options.probes
        seed = None if exact and not setting.options.noised else setting.seed
        return setting.level() | {"probes": probes, "seed": seed}

    @classmethod
    def describe(cls, setting: Setting) -> dict[str, Any]:
        """Say how the spectrum was taken."""
        given = setting.options
        where = "at noised points" if given.noised else "at scaled clean points"
        if given.m == "exact":
            return {"method": f"LHSD, c = {given.c:g}, all eigenvalues, {where}"}
        how = f"{given.recurrence}, {given.m} products of {given.probes} {given.probe} probes"
        return {"method": f"LHSD, c = {given.c:g}, {how}, {where}"}


def readings(found: Geometry, given: Any) -> Arrays:
    """Give LHSD as `value` and the further statistics by name, each with its standard error."""
    read = {
        "value": found.lhsd(given.c, power=given.power, corrected=given.corrected),
        "share": found.share(given.c),
        "lid_trace": found.lid_trace(),
        "lambda_min": found.lambda_min(),
        "lambda_max": found.lambda_max(),
        "error_share": found.error_share(),
    }
    if found.asymmetries is not None:
        read["asymmetry"] = found.asymmetry()
    arrays: Arrays = {}
    for name, reading in read.items():
        stderr = "stderr" if name == "value" else f"{name}_stderr"
        arrays |= {name: reading.value, stderr: reading.stderr}
    return arrays


def _own(options: Config) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key in Krylov.Options.model_fields}
