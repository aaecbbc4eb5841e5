"""How unlike the generations of a prompt are: after Carlini et al. (2023), without any training image.

With T_n a statistic of a prompt's first n generations, generation n gets n T_n - (n - 1) T_(n-1), and T_1
is 0. So the mean over the first n generations, which is what detectors average, is T_n itself, for every n.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mmh.errors import InputError
from mmh.metrics.base import Metric
from mmh.options import base as options
from mmh.options.base import Field

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mmh.metrics.base import Array
    from mmh.options.entries import Entry


class SeedDiversity(Metric):
    """Mean over pairs of generations of their root mean square difference, values from 0 to 1."""

    name, printed, large = "seed_diversity", "diversity of seeds", False
    needs, generations = "image", 2

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Find prompts with one generation: there is no pair."""
        yield from super().check(options, experiment, where)
        if experiment.section("prompts")["generations"] < cls.generations:
            yield f"{where}: compares generations of a prompt; set prompts.generations to 2 at least"

    def see_generations(self, images: NDArray[np.uint8]) -> Array:
        """Share each statistic out over the generations."""
        import numpy as np

        values = np.zeros(images.shape[:2])
        total = np.zeros(len(images))
        for n in range(1, images.shape[1]):
            new = images[:, n].astype(np.float64) / 255
            total += sum(self.distance(new, images[:, g].astype(np.float64) / 255) for g in range(n))
            # n + 1 generations have n (n + 1) / 2 pairs
            values[:, n] = (n + 1) * total / (n * (n + 1) / 2) - values[:, :n].sum(1)
        return values

    def distance(self, one: Array, other: Array) -> Array:
        """Distance of images (n, 3, H, W) of values from 0 to 1."""
        import numpy as np

        return np.sqrt(np.square(one - other).mean(axis=(1, 2, 3)))


class TiledL2(SeedDiversity):
    """Mean over pairs of generations of the largest root mean square difference of their tiles.

    Small differences of one tile do not hide behind a large plain background, as they do in the whole image.
    """

    name, printed = "tiled_l2", "tiled l2"

    class Options(options.Options):
        """How images are cut."""

        tiles: int = Field(default=4, ge=1)
        """tiles along each side; 4 cuts 512 x 512 into tiles of 128 x 128, as Carlini et al. do"""

    def distance(self, one: Array, other: Array) -> Array:
        """The largest over the tiles."""
        import numpy as np

        cut, (n, _, height, width) = self.options.tiles, one.shape
        if height % cut or width % cut:
            raise InputError(
                f"prompts.metrics.tiled_l2.tiles: images of {height} x {width} cannot be cut into "
                f"{cut} x {cut} equal tiles; use a divisor of both"
            )
        squares = np.square(one - other).reshape(n, -1, cut, height // cut, cut, width // cut)
        return np.sqrt(squares.mean(axis=(1, 3, 5)).max(axis=(1, 2)))
