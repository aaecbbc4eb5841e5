"""The normal bundle (paper Eq. 7): scores around an image span the directions that leave the manifold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmh.options.base import Field, NoiseLevel, Percentile
from mmh.scores.base import NetworkOptions, SpectraScore

if TYPE_CHECKING:
    from mmh.plan.work import Need, Work
    from mmh.scores.base import Arrays, Places
    from mmh.scores.setting import Setting


class NormalBundle(SpectraScore):
    """LID_theta by the normal bundle: small singular values are tangent.

    Formula: number of singular values, of the scores at K noised copies of x, up to a percentile of the pool.

    Source: Stanczuk et al. 2022 (arXiv:2212.12611); Eq. 7 of the paper.

    Cost: K forward passes (the paper: K = 4 d), and the eigenvalues of a d x d matrix in float64.

    Fails: its mean over the pool is fixed by the percentile, so values of two pools do not compare; too few
    copies or too large a t blur the gap; d in the tens of thousands does not fit.
    """

    name, beside, once = "normal-bundle", ("left_out",), ("index", "sigma")
    label, unit = "NB", "dimensions"

    class Options(NetworkOptions):
        """Normal bundle."""

        t: NoiseLevel
        """noise level in (0, 1]"""
        copies: int = Field(ge=1)
        """noised copies per image (paper: 4 d)"""
        groups: int = Field(ge=2)
        """groups of copies whose jackknife gives the standard error"""
        percentile: Percentile
        """percentile of the pool, in (0, 100)"""
        batch_size: int = Field(ge=1)
        """rows per network call; part of a result's bytes"""

    @classmethod
    def cost(cls, work: Work) -> Need:
        """Copies, their Gram matrices, and the eigenvalues of all groups."""
        dim, gpu, size = work.dim, work.gpu, work.batch_rows
        copies, groups = work.options.get("copies", 4 * dim), work.options.get("groups", 4)
        one = work.calls(copies, 1, min(size, copies))
        one += 1e-8 * copies * dim  # the copies' noise, drawn on the CPU
        gram, eigenvalues = (1e-13, 2.3e-12) if gpu else (2e-11, 7e-11)
        one += gram * copies * dim**2 + eigenvalues * (groups + 1) * dim**3
        square = dim**2 * 8e-6
        held = 2.2 * square if gpu else (groups + 2.2) * square + size * (work.network.row_mb + dim * 2e-5)
        spectra = work.n * (groups + 1) * dim * 16e-6
        mem_mb = work.network_mb(held) + (held if gpu else 0) + spectra + work.read_mb
        return work.need(work.start + work.n * one, mem_mb)

    @classmethod
    def spectra(cls, setting: Setting, rows: Places) -> Arrays:
        """Decompose the scores around some items."""
        from mmh.lid.normal_bundle import normal_bundle_groups

        options = setting.options
        spectrum, left_out = normal_bundle_groups(
            setting.score.select(rows),
            setting.x[rows],
            options.t,
            groups=options.groups,
            copies=options.copies,
            seed=setting.seed,
            ids=setting.ids[rows],
            batch_size=options.batch_size,
        )
        return {"spectrum": spectrum, "left_out": left_out}

    @classmethod
    def constants(cls, setting: Setting) -> Arrays:
        """The noise level; an index of -1 stands for none."""
        import numpy as np

        schedule, t = setting.score.schedule, setting.options.t
        index = schedule.index(t)
        sigma = np.array([float(schedule.sigma(t))])
        return {"index": np.array([-1 if index is None else index]), "sigma": sigma}

    @classmethod
    def describe(cls, setting: Setting) -> dict[str, Any]:
        """Say from how many copies."""
        return {"method": f"normal bundle, {setting.options.copies} copies, float64 Gram matrix"}

    @classmethod
    def counts(cls, arrays: Arrays, threshold: float, options: Any, seed: int) -> dict[str, Any]:
        """Count the small values, as the score is large across the manifold, with their standard errors."""
        from mmh.lid.normal_bundle import count_stderr

        index = int(arrays["index"][0])
        return super().counts(arrays, threshold, options, seed) | {
            "t": options.t,
            "index": None if index < 0 else index,
            "sigma": float(arrays["sigma"][0]),
            "stderr": count_stderr(arrays["left_out"], threshold),
            "probes": options.copies,
            "seed": seed,
        }
