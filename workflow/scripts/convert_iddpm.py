"""Convert OpenAI's improved-diffusion checkpoint to a diffusers folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(checkpoint: Path, model: Path, *, sha256: str | None = None) -> dict[str, Any]:
    """Write the model folder; return what was found, for the run record."""
    from dataclasses import asdict

    from mmh.checkpoints.iddpm import load_iddpm

    network = load_iddpm(checkpoint, sha256=sha256)
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
        run.record.update(
            main(
                run.input.checkpoint,
                run.output.model,
                sha256=getattr(run.params, "options", {}).get("sha256"),
            )
        )
