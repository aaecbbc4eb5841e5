"""Train a small StyleGAN2 on the digits, conditional on their class if the data set has classes."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    images: Path, model: Path, history: Path, *, options: dict[str, Any], seed: int, progress: Any
) -> None:
    """Write the model folder and the loss history."""
    from mmh.io.files import read_column, read_images, write_csv
    from mmh.models.gan import train
    from mmh.models.generator_model import GeneratorModel

    x, ids = read_images(images)
    labels = read_column(images, "class", ids)
    settings = {key: value for key, value in options.items() if key != "kind"}
    generator, losses = train(x, labels, seed=seed, progress=progress(options["steps"]), **settings)
    GeneratorModel(generator).save(model)
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
