"""Train a small diffusers UNet on the digits with DDPM's loss."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    images: Path, model: Path, history: Path, *, options: dict[str, Any], seed: int, progress: Any
) -> None:
    """Write the model folder and the loss history."""
    from mmh.io.files import read_images, write_csv
    from mmh.io.saving import save_unet
    from mmh.models.unet import train

    x, _ = read_images(images)
    settings = {key: value for key, value in options.items() if key != "kind"}
    network, scheduler, losses = train(x, seed=seed, progress=progress(options["steps"]), **settings)
    save_unet(model, network, scheduler)
    write_csv(losses, history)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.images,
            run.output.model,
            run.output.history,
            options=run.params.options,
            seed=run.params.seed,
            progress=run.progress,
        )
