"""Estimate LID by every estimator at points of one law of known dimension, from its exact score."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    out: Path,
    model: Path | None = None,
    *,
    law: dict[str, Any],
    options: dict[str, Any],
    seed: int,
    device: str,
    record: dict[str, Any],
    progress: Any,
) -> None:
    """Write one row per point, estimator, score and noise level.

    Parameters
    ----------
    out : path
        CSV file to write, with the columns of `mmh.oracles.accuracy.POINT_COLUMNS`.
    model : path, optional
        Folder of a network trained on the law, which is then asked too.
    law : dict
        Options of the law and its numbers of points.
    options : dict
        `schedule`, `t` and `estimators`.
    seed : int
        Root seed.
    device : str
        Where the network is put; exact scores stay on the CPU.
    record : dict
        Gets the counts that are written beside the table.
    progress : callable
        Makes the progress lines.
    """
    from mmh.diffusion.schedule import Schedule
    from mmh.io.table_files import write_csv
    from mmh.models.loading import load_model
    from mmh.oracles import accuracy, laws

    known = laws.make(law, Schedule.linear_vp(**options["schedule"]), seed=seed)
    learned = None if model is None else load_model(model, device=device).score_model()
    table = accuracy.measure(
        known,
        law,
        options["estimators"],
        options["t"],
        seed=seed,
        learned=learned,
        report=progress(len(options["t"]), "level"),
    )
    record.update(ambient=known.dim, items=law["items"], levels=options["t"])
    write_csv(table, out)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.output.points,
            getattr(run.input, "model", None),
            law=run.params.law,
            options=run.params.options,
            seed=run.params.seed,
            device=run.device,
            record=run.record,
            progress=run.progress,
        )
