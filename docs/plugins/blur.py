"""A kind of model whose score is known: that of the training images, blurred."""

import json

from mmh.models.base import Kind, SamplingOptions
from mmh.options import base as options
from mmh.options.base import Field


class Blur(Kind):
    """The training images under Gaussian noise of one width."""

    name = "blur"
    folders = (("model.json", "Blur"),)  # how `load_model` knows its folders: the key `class` of model.json

    class Options(options.Options):
        """Training images, blurred."""

        width: float = Field(gt=0)
        """standard deviation, in units of the pixels' range of 2"""

    class Sampling(SamplingOptions):
        """Langevin steps."""

        steps: int = Field(ge=1)
        """steps of a chain"""


def make(folder, options, *, inputs, seed, progress):
    """Write the folder; give the history of the losses, a table."""
    import pandas as pd
    from safetensors.numpy import save_file

    from mmh.io.image_shards import read_images

    x, _ = read_images(inputs["images"])
    folder.mkdir()
    save_file({"x": x}, folder / "weights.safetensors")
    (folder / "model.json").write_text(json.dumps({"class": "Blur", "width": options.width}))
    return pd.DataFrame({"step": [0], "loss": [0.0]})


def load(folder, *, device):
    """Give an object with `classes`, `attention`, `score_model`, `sample` and `latents`."""
    import numpy as np
    import torch
    from safetensors.torch import load_file

    from mmh.compute import rng
    from mmh.diffusion.schedule import Schedule
    from mmh.diffusion.score_model import ScoreModel

    centres = load_file(folder / "weights.safetensors")["x"].to(device).flatten(1)
    width, shape = json.loads((folder / "model.json").read_text())["width"], (1, 8, 8)
    schedule = Schedule.edm(0.005, 3.0)

    def noise(z, sigma):  # eps = -sigma times the score of the noised images
        variance = width**2 + sigma**2
        near = torch.softmax(-(torch.cdist(z.flatten(1), centres) ** 2) / (2 * variance), dim=1)
        return sigma / variance * (z - (near @ centres).view_as(z))

    class Loaded:
        classes = None

        def attention(self):
            return "none"

        def score_model(self):
            return ScoreModel.from_function(lambda z, t: noise(z, schedule.sigma(t)), shape, schedule)

        def sample(self, ids, *, seed, batch_size, steps, progress=None):
            z = 3.0 * torch.as_tensor(rng.normal(seed, "initial-noise", np.asarray(ids), shape))
            for sigma in np.geomspace(3.0, 0.005, steps):
                z = z - 0.5 * sigma * noise(z.to(device), sigma).cpu()
            return z.numpy()

        def latents(self, ids, *, seed):
            return {}

    return Loaded()
