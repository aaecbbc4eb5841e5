"""An estimator of images: how far pixels lie from their mean. A number for each image, from images alone."""

from mmh.options import base as options
from mmh.options.base import Field
from mmh.scores.base import SpanScore


class Contrast(SpanScore):
    """Mean of a power of the deviations; small values speak for memorization, as these images are simple."""

    name, needs, random = "contrast", "images", False
    label, unit = "contrast", "1"

    class Options(options.Options):
        """Contrast."""

        power: float = Field(2.0, gt=0)
        """exponent of the deviations"""

    @classmethod
    def of_rows(cls, setting, rows):
        """Compute the items of one batch."""
        x = setting.x[rows].reshape(len(rows), -1)
        deviations = abs(x - x.mean(axis=1, keepdims=True)) ** setting.options.power
        return {"value": deviations.mean(axis=1).astype(float)}
