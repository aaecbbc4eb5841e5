"""Mitigations, a file each, with a class that says what is changed while an image is sampled.

A whole one, which ``mitigation: mitigations: {weak: {method: half-guidance}}`` asks for:

    from mmh.mitigations.base import Mitigation
    from mmh.sampling.guides import Constant

    class HalfGuidance(Mitigation):
        name, printed = "half-guidance", "half the guidance"

        def guide(self, start):
            return Constant(start.guidance / 2)

Sampling, batches, the count of network rows, copies, controls, the table and its figure are done for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from mmh.rows import Row, Table

if TYPE_CHECKING:
    import torch

    from mmh.sampling.guides import Guide
    from mmh.sampling.start import Start


class Mitigation(Row):
    """A mitigation. It may change the embedded prompt, the first noise of a generation, and its guidance.

    Attributes
    ----------
    printed : str
        Its name in figures; its name in the configuration if empty.
    plain : bool
        Whether it changes nothing: what others are compared with.
    """

    printed: ClassVar[str] = ""
    plain: ClassVar[bool] = False

    def __init__(self, options: Any = None) -> None:
        self.options: Any = self.Options() if options is None else options

    def condition(self, start: Start) -> torch.Tensor:
        """Give the embedded prompt of each generation, (n, L, D); called first."""
        return start.c

    def noise(self, start: Start) -> torch.Tensor:
        """Give the noise that each generation starts from, (n, *shape)."""
        return start.noise()

    def guide(self, start: Start) -> float | Guide:
        """Give lambda, or what combines the noises of each step; called after `noise`."""
        return start.guidance

    @classmethod
    def most_rows(cls, options: Any) -> float:
        """The most network rows that it costs a generation, besides the two of each step."""
        return 0.0


MITIGATIONS = Table("mitigation", "mmh.mitigations", Mitigation)


def made(method: str, options: dict[str, Any]) -> Mitigation:
    """Make a mitigation from its name and its options."""
    row = MITIGATIONS[method]
    return row(row.Options.model_validate(options))
