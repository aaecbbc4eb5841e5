"""Train a model on the training set of its experiment."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    inputs: dict[str, Path],
    model: Path,
    history: Path,
    *,
    kind: str,
    options: dict[str, Any],
    seed: int,
    progress: Any,
    plugins: Sequence[str] = (),
) -> None:
    """Write the model folder and the loss history."""
    from mmh.io.table_files import write_csv
    from mmh.models.base import KINDS
    from mmh.rows import load_plugins

    load_plugins(plugins, KINDS)
    row = KINDS[kind]
    losses = row.make(model, row.read(options), inputs=inputs, seed=seed, progress=progress)
    write_csv(losses, history)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            vars(run.input),
            run.output.model,
            run.output.history,
            kind=run.params.kind,
            options=run.params.options,
            seed=run.params.seed,
            progress=run.progress,
            plugins=run.params.untracked.plugins,
        )
