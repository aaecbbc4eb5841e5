"""The rank of a generator's Jacobian (paper, Appendix B.3), at the inputs that it drew its samples from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mmh.io.spans import SELECTED
from mmh.options import base as declared
from mmh.options.base import Field, Percentile
from mmh.scores.base import Config, SpectraScore
from mmh.scores.checks import has_generator

if TYPE_CHECKING:
    from mmh.options.entries import Entry
    from mmh.plan.work import Need, Work
    from mmh.scores.base import Arrays, Places
    from mmh.scores.setting import Setting


class Jacobian(SpectraScore):
    """LID_theta of samples: tangent directions stretch, so large singular values count.

    Formula: number of singular values of J = d G / d z above a percentile of the pool.

    Source: Appendix B.3 of the paper.

    Cost: d' forward-mode passes for d' latent values, or d backward ones, and one SVD in float64.

    Fails: its mean over the pool is fixed by the percentile; a generator with random noise or truncation has
    another map; only at samples, as it needs their latent vectors.
    """

    name, needs, random = "jacobian", "generator", False
    above, zeros = True, 1  # z is normalised on entry
    label, unit = "Jacobian rank", "dimensions"

    class Options(declared.Options):
        """Singular values of a generator's Jacobian."""

        percentile: Percentile
        """percentile of the pool, in (0, 100)"""
        chunk: int = Field(ge=1)
        """products in one pass; memory grows with it"""

    @classmethod
    def has_stderr(cls, options: Config) -> bool:
        """Nothing in it is drawn."""
        return False

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Find samples that are not of the generator's own map."""
        yield from super().check(options, experiment, where)
        sampling = experiment.section("sampling")
        plain = (sampling.get("truncation"), sampling.get("noise")) == (1, "const")
        if sampling and has_generator(experiment) and not plain:
            yield (
                f"{where}.method: 'jacobian' is of the map without truncation or random noise; sample with "
                "truncation: 1 and noise: const"
            )
        if sampling and not set(experiment.at(where)["items"]) <= {SELECTED, "samples"}:
            yield f"{where}.items: 'jacobian' is of samples; use samples or selected"

    @classmethod
    def cost(cls, work: Work) -> Need:
        """Products with all latent directions, and one decomposition for each sample."""
        latent = work.kind.z_dim(work.model)
        chunk, least = min(work.options["chunk"], latent), min(work.dim, latent)
        one = work.calls(latent, 1.3 if work.gpu else 0.9, chunk)
        one += (2e-12 if work.gpu else 2e-10) * work.dim * latent * least  # singular values in float64
        mem_mb = work.network_mb(chunk * work.network.graph_mb) + work.n * least * 8e-6
        return work.need(work.start + work.n * one, mem_mb + work.read_mb)

    @classmethod
    def spectra(cls, setting: Setting, rows: Places) -> Arrays:
        """Decompose the Jacobian at the inputs of some samples."""
        import torch

        from mmh.lid.jacobian import jacobian_spectrum

        generator, c = setting.model, setting.classes
        weight = generator.network.mapping.w_avg
        z = torch.from_numpy(setting.x[rows]).to(weight)
        given = None if c is None else torch.from_numpy(c[rows]).to(weight.device)
        return {"spectrum": jacobian_spectrum(generator, z, given, chunk=setting.options.chunk)}

    @classmethod
    def describe(cls, setting: Setting) -> dict[str, Any]:
        """Say of which map, and in which type its derivatives are."""
        dtype = str(setting.model.network.mapping.w_avg.dtype).removeprefix("torch.")
        method = "Jacobian of the generator at its latents, truncation 1, stored noise; SVD in float64"
        return {"method": method, "dtype": dtype}
