"""Metrics of prompts, taken while their images are sampled with guidance: a file each, with a class.

The class says what is asked of a metric: its sign, the steps that it sees and what it needs there. A whole
one, which ``prompts: metrics: [cfg_norm, empty_norm]`` asks for:

    from mmh.metrics.base import Metric

    class EmptyNorm(Metric):
        name, printed, large = "empty_norm", "norm without caption", False

        def see(self, step):
            return step.squared(step.empty) ** 0.5

Sampling, batches, memory, the table of scores, the evaluation and its figure are done for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from mmh.options import base as options
from mmh.options.base import Named
from mmh.rows import Row, Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mmh.metrics.seen import Seen

    Array = NDArray[np.float64]

Needs = Literal["calls", "graph", "attention", "image"]
DEFAULT = ("cfg_norm_squared", "cfg_norm", "score_norm_squared", "flipd", "png")
"""What is taken where ``prompts: metrics`` is not given."""


class Metric(Row):
    """A metric of prompts.

    Attributes
    ----------
    printed : str
        Its name in figures; its name in the configuration if empty.
    large : bool
        Whether large values speak for memorization, instead of small ones.
    until : float or None
        The largest t of a step that it sees; None: it sees all steps.
    needs : {"calls", "graph", "attention", "image"}
        What it needs besides the noises of a step, which sampling has: nothing; their derivatives with
        respect to the latents; the cross-attention maps of the caption. Or it sees the finished image alone.
    looks_back : bool
        Whether it compares a step with the one before; it sees no first step.
    generations : int
        The least number of a prompt's generations that it says something of.
    control : bool
        Whether it needs no network, and is one of the controls that detectors must beat.
    shared : tuple of str
        Its options that are those of the section `prompts` where its own entry does not give them.
    """

    printed: ClassVar[str] = ""
    large: ClassVar[bool] = True
    until: ClassVar[float | None] = None
    needs: ClassVar[Needs] = "calls"
    looks_back: ClassVar[bool] = False
    generations: ClassVar[int] = 1
    control: ClassVar[bool] = False
    shared: ClassVar[tuple[str, ...]] = ()

    def __init__(self, options: Any = None) -> None:
        self.options: Any = self.Options() if options is None else options

    @classmethod
    def chooses(cls) -> bool:
        """Whether its option `steps` says at which steps it is taken."""
        return "steps" in cls.Options.model_fields

    def sees(self, t: float, number: int) -> bool:
        """Whether it is taken at a step: of this noise level, and of this number, from 0."""
        chosen = self.options.steps if self.chooses() else None
        within = (self.until is None or t <= self.until) and (number > 0 or not self.looks_back)
        return self.needs != "image" and within and (chosen is None or number + 1 in chosen)

    @classmethod
    def share(cls, options: Any, steps: int) -> float:
        """Share of so many steps that it sees; t falls evenly from 1 to 0."""
        chosen = options.steps if cls.chooses() else None
        return (cls.until or 1.0) if chosen is None else len(chosen) / steps

    def see(self, step: Seen) -> Array:
        """Give the value of each row at one step, float64 (n,)."""
        raise NotImplementedError(self.name)

    def see_images(self, images: NDArray[np.uint8]) -> Array:
        """Give the value of each finished image (n, 3, H, W), float64 (n,); for `needs` "image"."""
        raise NotImplementedError(self.name)

    def see_generations(self, images: NDArray[np.uint8]) -> Array:
        """Give the value of each image (prompts, generations, 3, H, W), float64 (prompts, generations).

        Of a metric that compares the generations of a prompt; all others see each image by itself.
        """
        return self.see_images(images.reshape(-1, *images.shape[2:])).reshape(images.shape[:2])

    @classmethod
    def network_rows(cls, options: Any, dim: int) -> tuple[int, int]:
        """Rows of the network, forward and backward, for a step of a trajectory, besides sampling's two."""
        return 0, 0

    @classmethod
    def cost(cls, options: Any, dim: int, trace_calls: Callable[[int | str], float]) -> float:
        """Calls of the network that a step it sees is worth to it, for each row, besides sampling's own.

        Parameters
        ----------
        options : Options
            Its options.
        dim : int
            Values of a latent.
        trace_calls : callable
            Number of products with the Jacobian, or "exact", to the calls that they and one pass are worth.
        """
        return 0.0

    @classmethod
    def same_work(cls, options: Any) -> object:
        """Say what it computes in common with metrics of an equal answer; None: nothing. For the cost."""
        return None


METRICS = Table("metric of prompts", "mmh.metrics", Metric)


def in_order(names: Iterable[str]) -> list[str]:
    """Metrics in the order of tables: those of all steps, those of the last steps, those of the image."""
    known = METRICS.among(names)
    return sorted(known, key=lambda name: (known[name].needs == "image", known[name].until is not None))


def _all_names() -> list[str]:
    return in_order(METRICS.rows())


MetricName = Annotated[str, Named("metric", names=_all_names)]
"""A metric of prompts."""


def asked_metrics(prompts: Mapping[str, Any]) -> dict[str, options.Options]:
    """Give the metrics that are asked for, with their options.

    Parameters
    ----------
    prompts : mapping
        The section `prompts`, whose key `metrics` is a list of names, or maps names to options.

    Returns
    -------
    dict of str to Options
        In the order of tables.
    """
    asked = prompts.get("metrics", DEFAULT)
    given = asked if isinstance(asked, Mapping) else {name: {} for name in asked}
    rows = {name: METRICS[name] for name in given}
    return {
        name: rows[name].Options.model_validate(
            {key: prompts[key] for key in rows[name].shared if key in prompts} | given[name]
        )
        for name in in_order(rows)
    }


def made(asked: Mapping[str, Mapping[str, Any]]) -> list[Metric]:
    """Make metrics from their options, by name, in the order of tables."""
    rows = {name: METRICS[name] for name in asked}
    return [rows[name](rows[name].Options.model_validate(dict(asked[name]))) for name in in_order(rows)]
