"""Attributions of memorization to the words of a prompt, a file each, with a class.

Most are the gradient of a metric A in the text conditioning c: a_i = ||dA / dc_i|| at token i. A whole one,
which ``attribution: attributions: {mine: {method: caption-norm}}`` asks for:

    from mmh.attributions.base import GradientAttribution

    class CaptionNorm(GradientAttribution):
        name, printed = "caption-norm", "norm with the caption"

        def measure(self, look):
            return look.caption.flatten(1).square().sum(1)

Trajectories, gradients at both ends of the text encoder, means, tables, scores and figure are done for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from mmh.options import base as options
from mmh.options.base import Field
from mmh.rows import Row, Table

if TYPE_CHECKING:
    import torch

How = Literal["gradient", "calls", "text"]
LOW = 0.2  # largest t of the last steps, paper Eq. 28


@dataclass(frozen=True)
class Look:
    """One step of n guided trajectories, as a metric sees it; all tensors can be differentiated in c.

    Attributes
    ----------
    t, sigma : float
        Time and noise level.
    z : torch.Tensor
        (n, *shape), latents; constants but where the metric differentiates in them.
    empty, caption, guided : torch.Tensor
        (n, *shape), eps_0, eps_c, and eps^CFG of the trajectory.
    guidance : float
        lambda.
    dim : int
        Values of a latent, d.
    probe : callable
        (law, number) -> (n, d) probe vectors.
    """

    t: float
    sigma: float
    z: torch.Tensor
    empty: torch.Tensor
    caption: torch.Tensor
    guided: torch.Tensor
    guidance: float
    dim: int
    probe: Callable[[str, int], torch.Tensor]


class Attribution(Row):
    """An attribution.

    Attributes
    ----------
    how : {"gradient", "calls", "text"}
        What it is computed from: gradients along trajectories, calls of the network at the first step, or the
        text alone. The latter two are controls.
    printed : str
        Its name in figures; its name in the configuration if empty.
    """

    how: ClassVar[How] = "gradient"
    printed: ClassVar[str] = ""

    def __init__(self, options: Any = None) -> None:
        self.options: Any = self.Options() if options is None else options


class Along(options.Options):
    """Steps and means of a gradient."""

    steps: Literal["all", "low"] | Annotated[int, Field(ge=1)] = "all"
    """all, low (t up to 0.2) or the number of one step, from 1: where the metric is taken"""
    combine: Literal["joint", "norms"] = "joint"
    """joint: norm of the gradient of the mean over steps and generations, the paper's; norms: mean of the
    norms of all gradients, its authors' code"""
    variant: Literal["definition", "official-code"] = "definition"
    """definition: the paper's metric; official-code: its authors' program, in which caption and empty caption
    are exchanged, norms are not squared and a term of the trace is missing"""


class GradientAttribution(Attribution):
    """Gradient of a metric of guided trajectories in c; the latents count as constants (paper, Section 4.2).

    Attributes
    ----------
    needs_state : bool
        Whether the metric differentiates in the latents itself.
    """

    needs_state: ClassVar[bool] = False

    class Options(Along):
        """Gradient of a metric."""

    @property
    def exchanged(self) -> bool:
        """Whether its trajectories are driven by eps_c + lambda (eps_0 - eps_c), as in the authors' code."""
        return bool(self.options.variant == "official-code")

    def sees(self, t: float, number: int) -> bool:
        """Whether its metric is taken at a step of this noise level, and number from 0."""
        steps = self.options.steps
        return number + 1 == steps if isinstance(steps, int) else steps == "all" or t <= LOW

    def measure(self, look: Look) -> torch.Tensor:
        """Give the metric of each row at one step, (n,)."""
        raise NotImplementedError(self.name)


class CallAttribution(Attribution):
    """What a word changes at the first step, from calls of the network without it."""

    how = "calls"

    def compare(self, empty: torch.Tensor, whole: torch.Tensor, without: torch.Tensor) -> torch.Tensor:
        """Give the value (n,) of a word by the noises of the empty, whole and shortened caption."""
        raise NotImplementedError(self.name)


class TextAttribution(Attribution):
    """What the text alone says."""

    how = "text"

    def of_words(self, words: Sequence[str], counts: Mapping[str, int]) -> list[float]:
        """Give the value of each word of a prompt; `counts` says how often words occur in the captions."""
        raise NotImplementedError(self.name)


ATTRIBUTIONS: Table[Attribution] = Table("attribution", "mmh.attributions", Attribution)


def made(asked: Mapping[str, Mapping[str, Any]]) -> dict[str, Attribution]:
    """Make attributions from their blocks, by name."""
    found = {}
    for name, block in asked.items():
        row = ATTRIBUTIONS[block["method"]]
        given = {key: value for key, value in block.items() if key != "method"}
        found[name] = row(row.Options.model_validate(given))
    return found
