"""Train an MLP with EDM preconditioning on points of a law whose exact score is known."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    model: Path,
    history: Path,
    *,
    law: dict[str, Any],
    schedule: dict[str, float],
    options: dict[str, Any],
    seed: int,
    progress: Any,
) -> None:
    """Write the model folder and the loss history; `sigma_data` is measured on the training points."""
    import numpy as np

    from mmh.diffusion.schedule import Schedule
    from mmh.io.table_files import write_csv
    from mmh.models.edm.model import save
    from mmh.models.edm.training import train
    from mmh.oracles import laws

    known = laws.make(law, Schedule.linear_vp(**schedule), seed=seed)
    settings = {key: value for key, value in options.items() if key != "n_train"}
    points, _ = known.draw(options["n_train"], "training")
    network, losses = train(
        points.astype(np.float32),
        seed=seed,
        progress=progress(options["steps"]),
        sigma_data=float(points.std()),
        **settings,
    )
    save(model, network)
    write_csv(losses, history)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.output.model,
            run.output.history,
            law=run.params.law,
            schedule=run.params.schedule,
            options=run.params.options,
            seed=run.params.seed,
            progress=run.progress,
        )
