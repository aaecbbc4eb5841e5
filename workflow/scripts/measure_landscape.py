"""Compute density, score and sharpness over the plane, and along the samples' way: learned beside exact."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    model: Path,
    field: Path,
    states: Path,
    *,
    data: dict[str, Any],
    sampling: dict[str, Any],
    n_samples: int,
    options: dict[str, Any],
    seed: int,
    device: str,
    plugins: Sequence[str] = (),
) -> None:
    """Write both tables; the samples are those of `sample_images`.

    Parameters
    ----------
    model, field, states : path
        Model folder; tables to write, by `mmh.landscape.plane.FIELD` and `STATES`.
    data, sampling : dict
        Options of the world, and of the sampler.
    n_samples : int
        Samples with ids from 0.
    options : dict
        `shown`, `sigmas`, `reach`, `side` of the figure.
    seed, device, plugins
        Of the job.
    """
    import numpy as np

    from mmh.io.table_files import write_table
    from mmh.landscape import plane
    from mmh.models.base import KINDS
    from mmh.models.edm.sampling import trajectories
    from mmh.models.loading import load_model
    from mmh.rows import load_plugins
    from mmh.worlds.sets import two_modes

    load_plugins(plugins, KINDS)
    loaded: Any = load_model(model, device=device)
    score, ids = loaded.score_model(), np.arange(n_samples, dtype=np.int64)
    law, size = two_modes.oracle(data, score.schedule), sampling["batch_size"]
    x, seen = trajectories(loaded.network, ids, at=options["sigmas"], seed=seed, **sampling)
    grid = {"sigmas": options["shown"], "reach": options["reach"], "side": options["side"]}
    write_table(plane.field(score, law, x, **grid, batch_size=size), field, plane.FIELD)
    ends = two_modes.modes(x, law)
    write_table(plane.states_table(score, law, seen, ends, ids=ids, batch_size=size), states, plane.STATES)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.model,
            run.output.field,
            run.output.states,
            data=run.params.data,
            sampling=run.params.sampling,
            n_samples=run.params.n_samples,
            options=run.params.options,
            seed=run.params.seed,
            device=run.device,
            plugins=run.params.untracked.plugins,
        )
