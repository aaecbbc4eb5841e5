"""Peak memory of one estimator, as JSON; run in a process of its own by `tests.bench.measures`."""

from __future__ import annotations

import json
import sys

import numpy as np
import torch

from mmh.compute import rng
from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.lid import local_pca, normal_bundle_spectrum
from tests.bench.timing import peak_rise


def main() -> None:
    """Print {"dim", "rise"}: the dimension and by how many bytes resident memory rose at most."""
    torch.set_num_threads(1)
    what, n = sys.argv[1], int(sys.argv[2])
    if what == "normal-bundle":
        dim = 1536
        model = ScoreModel.from_function(lambda z, t: z, (dim,), Schedule.linear_vp())
        small = ScoreModel.from_function(lambda z, t: z, (64,), Schedule.linear_vp())
        normal_bundle_spectrum(small, torch.zeros((1, 64)), 0.05)  # loads what is loaded on first use
        rise = peak_rise(lambda: normal_bundle_spectrum(model, torch.zeros((1, dim)), 0.05))
    else:
        dim, k = 768, 100
        random = rng.generator(0, "bench-pca")
        points = random.standard_normal((n, dim), dtype=np.float32)
        neighbours = (np.ones((n, k)), np.stack([random.choice(n, k, replace=False) for _ in range(n)]))
        few = (np.ones((8, 4)), np.tile(np.arange(4), (8, 1)))
        local_pca(points[:8], k=4, radius=None, neighbours=few)
        rise = peak_rise(lambda: local_pca(points, k=k, radius=None, neighbours=neighbours))
    print(json.dumps({"dim": dim, "rise": rise}))


if __name__ == "__main__":
    main()
