"""FLIPD (paper Eq. 6): dimension by the divergence of the score, at one noise level or several."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from mmh.options.base import Field, NoiseLevel
from mmh.scores.base import Config, NetworkOptions, SpanScore

if TYPE_CHECKING:
    from mmh.options.entries import Entry
    from mmh.plan.work import Work
    from mmh.scores.base import Arrays, Places
    from mmh.scores.setting import Setting


class Flipd(SpanScore):
    """LID_theta by FLIPD.

    Formula: d - sigma tr(d eps / d z) + ||eps||^2 at z = psi(t) x.

    Source: Kamkari et al. 2024 (arXiv:2406.03537); Eq. 6 of the paper.

    Cost: one forward pass, and one backward pass for each probe: d of them for the exact trace.

    Fails: its value leans on t; a Gaussian probe errs by sqrt(2m), m the number of normal directions; a
    network's score is no exact one, so values fall below 0 and above d. At noised points it is about d
    whatever the dimension.
    """

    name, needs, derivatives = "flipd", "score", True
    label, unit = "FLIPD", "dimensions"

    class Options(NetworkOptions):
        """FLIPD."""

        t: NoiseLevel | Annotated[list[NoiseLevel], Field(min_length=1)]
        """noise level in (0, 1], or a list of them"""
        trace: Literal["exact"] | Annotated[int, Field(ge=1)]
        """exact, or the number of Hutchinson probes (an integer >= 1)"""
        probe: Literal[
            "gaussian",
            "rademacher",
            "orthogonal",
            "hutch++",
            "hutch++-complement",
            "hutch++-diagonal",
            "xtrace-complement",
        ] = "rademacher"
        """law of the probes; gaussian is the paper's"""
        condition: Literal["caption", "empty"] | None = None
        """of a text-to-image model: LID given the caption, or given the empty one"""

    @classmethod
    def printed(cls, options: Config, others: Any) -> str:
        """Name those of captioned images apart."""
        kind = {"caption": ", conditional", "empty": ", unconditional"}.get(options.get("condition", ""), "")
        return f"{cls.label}{kind}"

    @classmethod
    def has_stderr(cls, options: Config) -> bool:
        """Of the trace alone, over the probes: an exact one has no such error, and one probe no spread."""
        return options["trace"] not in ("exact", 1)

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Find probes of an exact trace, and what a text-to-image model lacks."""
        yield from super().check(options, experiment, where)
        if options.trace == "exact" and "probe" in options.model_fields_set:
            yield f"{where}.probe: the exact trace has no random probes; remove it"
        if "model" in experiment.entry and "sampling" not in experiment.entry:
            if options.condition is None:
                yield f"{where}.condition: missing; caption for LID given the caption, empty for LID without"
            if isinstance(options.t, list):
                yield f"{where}.t: a list is for curves on samples; give one noise level"

    @classmethod
    def calls(cls, work: Work) -> float:
        """One pass, then one product for each probe, at each noise level."""
        levels = len(work.options["t"]) if isinstance(work.options["t"], list) else 1
        return levels * work.trace_calls(work.options["trace"])

    @classmethod
    def values(cls, setting: Setting, rows: Places, numbers: Places, size: int) -> Arrays:
        """Estimate the items of one batch."""
        import numpy as np

        from mmh.lid.flipd import flipd_estimate

        assert setting.t is not None
        result = flipd_estimate(
            setting.score.select(rows),
            setting.x[rows],
            setting.t,
            probes=_probes(setting),
            probe=setting.options.probe,
            seed=setting.seed,
            ids=numbers,
            batch_size=size,
        )
        stderr = np.full(len(rows), np.nan) if result.stderr is None else result.stderr
        return {"value": result.value, "stderr": stderr}

    @classmethod
    def columns(cls, setting: Setting) -> dict[str, Any]:
        """Noise level, and the probes with their seed if they are random."""
        probes = _probes(setting)
        return setting.level() | {"probes": probes, "seed": None if probes is None else setting.seed}

    @classmethod
    def describe(cls, setting: Setting) -> dict[str, Any]:
        """Say how the trace was taken."""
        probes = _probes(setting)
        how = "exact trace" if probes is None else f"{probes} {setting.options.probe} probes"
        return {"method": f"FLIPD, {how}"}


def _probes(setting: Setting) -> int | None:
    """Number of probes, None for an exact trace."""
    return None if setting.options.trace == "exact" else int(setting.options.trace)
