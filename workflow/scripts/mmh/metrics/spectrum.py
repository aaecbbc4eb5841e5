"""What metrics have in common that read the spectrum of the Jacobian of a branch of the guided noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from mmh.metrics.at_steps import AtSteps
from mmh.options.base import Field

if TYPE_CHECKING:
    from mmh.hessian.geometry import Geometry
    from mmh.metrics.base import Array
    from mmh.metrics.seen import Branch, Seen


class Spectrum(AtSteps):
    """A statistic of the spectrum of sigma sym(J), by one Krylov pass that all such metrics share.

    Attributes
    ----------
    branch : {"caption", "empty", "difference", "gap"}
        Of which noise J is: with the caption, without, of their difference; or the statistic with the caption
        less that without.
    """

    needs, shared = "graph", ("probe",)
    branch: ClassVar[Literal["caption", "empty", "difference", "gap"]] = "caption"

    class Options(AtSteps.Options):
        """How the spectrum is taken."""

        m: Literal["exact"] | Annotated[int, Field(ge=1)] = 3
        """products of each probe; exact: all eigenvalues (up to 256 values)"""
        probes: int = Field(default=1, ge=1)
        """starting vectors"""
        probe: Literal["gaussian", "rademacher"] = "rademacher"
        """law of the probes"""

    def read(self, found: Geometry) -> Array:
        """Give the statistic of each row."""
        raise NotImplementedError(self.name)

    def see(self, step: Seen) -> Array:
        """The statistic of the branch."""

        def of(branch: Branch) -> Array:
            given = self.options
            m = None if given.m == "exact" else given.m
            return self.read(step.geometry(branch, m, given.probes, given.probe))

        return of("caption") - of("empty") if self.branch == "gap" else of(self.branch)

    @classmethod
    def cost(cls, options: Any, dim: int, trace_calls: Callable[[int | str], float]) -> float:
        """The products."""
        return trace_calls("exact" if options.m == "exact" else options.m * options.probes) - 1

    @classmethod
    def network_rows(cls, options: Any, dim: int) -> tuple[int, int]:
        """Both branches, for each product."""
        return 0, 2 * (dim if options.m == "exact" else options.m * options.probes)

    @classmethod
    def same_work(cls, options: Any) -> object:
        """One pass for all statistics of both branches, and one for all of H^D."""
        return cls.branch == "difference", options.m, options.probes, options.probe


class WithKappa(Spectrum):
    """A statistic that depends on kappa."""

    class Options(Spectrum.Options):
        """How the spectrum is taken, and what counts as sharp."""

        c: float = Field(default=0.5, gt=0)
        """kappa is c / sigma^2: .25 for values, .5 to rank"""
