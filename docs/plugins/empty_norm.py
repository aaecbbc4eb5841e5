"""A metric of prompts: the norm of the noise that is predicted without a caption, at every step."""

from mmh.metrics.base import Metric


class EmptyNorm(Metric):
    """Small for memorized prompts, or so one may ask."""

    name, printed, large = "empty_norm", "norm without caption", False

    def see(self, step):
        """Give the value of each row at one step."""
        return step.squared(step.empty) ** 0.5
