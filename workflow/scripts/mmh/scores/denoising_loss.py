"""The loss of denoising as a dimension: forward passes alone, at one noise level or several."""

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


class DenoisingLoss(SpanScore):
    """LID_theta by ||eps(psi x + sigma n) - n||^2.

    Formula: E_n ||eps(psi x + sigma n, t) - n||^2, n ~ N(0, I).

    Source: arXiv:2510.12975.

    Cost: one forward pass for each draw; no derivative.

    Fails: one draw errs by sqrt(2 LID); too low by what the spread of the data lets the network guess, too
    high by what it gets wrong in normal directions.
    """

    name, needs = "denoising-loss", "score"
    label, unit = "denoising loss", "dimensions"

    class Options(NetworkOptions):
        """Denoising loss."""

        t: NoiseLevel | Annotated[list[NoiseLevel], Field(min_length=1)]
        """noise level in (0, 1], or a list of them"""
        draws: int = Field(ge=1)
        """noises of each item; each is one forward pass"""
        condition: Literal["caption", "empty"] | None = None
        """of a text-to-image model: the loss given the caption, or given the empty one"""

    @classmethod
    def printed(cls, options: Config, others: Any) -> str:
        """Name those of captioned images apart."""
        kind = {"caption": ", conditional", "empty": ", unconditional"}.get(options.get("condition", ""), "")
        return f"{cls.label}{kind}"

    @classmethod
    def has_stderr(cls, options: Config) -> bool:
        """Over the draws: one has no spread."""
        return bool(options["draws"] > 1)

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Find what a text-to-image model lacks."""
        yield from super().check(options, experiment, where)
        if "model" in experiment.entry and "sampling" not in experiment.entry:
            if options.condition is None:
                yield f"{where}.condition: missing; caption for the loss given it, empty for the loss without"
            if isinstance(options.t, list):
                yield f"{where}.t: a list is for curves on samples; give one noise level"

    @classmethod
    def calls(cls, work: Work) -> float:
        """One pass for each draw, at each noise level."""
        levels = len(work.options["t"]) if isinstance(work.options["t"], list) else 1
        return float(levels * work.options["draws"])

    @classmethod
    def values(cls, setting: Setting, rows: Places, numbers: Places, size: int) -> Arrays:
        """Estimate the items of one batch."""
        import numpy as np

        from mmh.lid.denoising_loss import denoising_loss

        assert setting.t is not None
        found = denoising_loss(
            setting.score.select(rows),
            setting.x[rows],
            setting.t,
            draws=setting.options.draws,
            seed=setting.seed,
            ids=numbers,
            batch_size=size,
        )
        stderr = np.full(len(rows), np.nan) if found.stderr is None else found.stderr
        return {"value": found.value, "stderr": stderr}

    @classmethod
    def columns(cls, setting: Setting) -> dict[str, Any]:
        """Noise level, the draws and their seed."""
        return setting.level() | {"probes": setting.options.draws, "seed": setting.seed}

    @classmethod
    def describe(cls, setting: Setting) -> dict[str, Any]:
        """Say how many draws."""
        return {"method": f"denoising loss, {setting.options.draws} draws"}
