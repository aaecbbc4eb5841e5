"""The PNG size of images in bits: the simple baseline, and the divisor of Fig. 8."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmh.scores.base import Config, SetScore

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mmh.scores.base import Places


class Png(SetScore):
    """Bits of the PNG file of each image; small for memorized samples, as these are simple.

    Formula: 8 times the bytes of the PNG file, filters and compression fixed.

    Source: the paper's proxy of complexity, Fig. 8.

    Cost: one compression for each image.

    Fails: it knows no model: a simple image that is not memorized reads as low as a memorized one.
    """

    name, label, unit, random = "png", "PNG size", "bits", False

    @classmethod
    def has_stderr(cls, options: Config) -> bool:
        """Nothing in it is estimated."""
        return False

    @classmethod
    def of_set(
        cls, x: NDArray[Any], ids: Places, options: Any, seed: int, record: dict[str, Any]
    ) -> dict[str, Any]:
        """Measure all images."""
        import numpy as np

        from mmh.compute.complexity import png_bits, to_uint8

        return {"value": png_bits(np.moveaxis(to_uint8(x), 1, -1)).astype(float), "dtype": "uint8"}
