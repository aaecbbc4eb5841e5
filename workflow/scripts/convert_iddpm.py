"""Convert OpenAI's improved-diffusion checkpoint to a diffusers folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(checkpoint: Path, model: Path, *, sha256: str | None) -> dict[str, Any]:
    """Write the model folder; return what was found, for the run record."""
    from dataclasses import asdict

    from mmh.checkpoints.iddpm import load_iddpm
    from mmh.fetch.file_digest import check_digest

    check_digest(checkpoint, sha256)
    network = load_iddpm(checkpoint)
    parameters = sum(p.numel() for p in network.unet.parameters())
    found = {
        "sha256": network.sha256,
        "architecture": asdict(network.architecture),
        "parameters": parameters,
        "attention": network.attention(),
    }
    for key, value in found.items():
        print(f"{key} {value}")
    network.save(model)
    return found


if __name__ == "__main__":
    with job(snakemake) as run:
        found = main(run.input.checkpoint, run.output.model, sha256=run.params.untracked.sha256)
        run.record.update(found)
