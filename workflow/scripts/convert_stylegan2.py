"""Convert a StyleGAN2-ADA pickle to a model folder; nothing of the code in the pickle is run."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(checkpoint: Path, model: Path, *, sha256: str | None, record: dict[str, Any]) -> None:
    """Write the model folder of the averaged generator."""
    from mmh.checkpoints.stylegan2 import load_stylegan2
    from mmh.fetch.file_digest import check_digest

    check_digest(checkpoint, sha256)
    generator = load_stylegan2(checkpoint)
    generator.save(model)
    record["source"] = generator.source


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.checkpoint,
            run.output.model,
            sha256=run.params.untracked.sha256,
            record=run.record,
        )
