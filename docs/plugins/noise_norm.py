"""An estimator of the score: the norm of the noise that a diffusion model predicts in an item."""

from mmh.options.base import NoiseLevel
from mmh.scores.base import NetworkOptions, SpanScore


class NoiseNorm(SpanScore):
    """Norm of the predicted noise at the noise level t, at the item's own mode (no noise is drawn)."""

    name, needs = "noise-norm", "score"
    label, unit = "norm of the predicted noise", "1"

    class Options(NetworkOptions):
        """Norm of the predicted noise."""

        t: NoiseLevel
        """noise level"""

    @classmethod
    def of_rows(cls, setting, rows):
        """Compute one whole batch: an item is always in the same row of it, which keeps its last bits."""
        import torch

        score, t = setting.score.select(rows), setting.t
        z = score.schedule.psi(t) * torch.as_tensor(setting.x[rows])
        with torch.no_grad():
            noise = score.eps(z, t).double().flatten(1)
        return {"value": noise.norm(dim=1).cpu().numpy()}
