"""The size of a generation's PNG: a control that needs no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.metrics.base import Metric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mmh.metrics.base import Array


class Png(Metric):
    """Bits of the PNG."""

    name, printed, large = "png", "PNG size", False
    needs, control = "image", True

    def see_images(self, images: NDArray[np.uint8]) -> Array:
        """Its bits."""
        import numpy as np

        from mmh.compute.complexity import png_bits

        return png_bits(np.moveaxis(images, 1, -1)).astype(np.float64)
