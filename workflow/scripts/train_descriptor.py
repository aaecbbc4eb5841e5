"""Train a small copy descriptor by SSCD's recipe on the embedded digits and export it as TorchScript."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(descriptor: Path, history: Path, *, options: dict[str, Any], seed: int, progress: Any) -> None:
    """Write the TorchScript file and the loss history."""
    from mmh.io.table_files import write_csv
    from mmh.retrieval.descriptor import save, train
    from mmh.worlds.sets import digits, mnist

    settings = {key: value for key, value in options.items() if key not in ("source", "images")}
    kind, _, side = options.get("images", "digits").partition("-")
    images = mnist.images(int(side)) if kind == "mnist" else digits.images()
    network, losses = train(images, seed=seed, progress=progress(options["steps"]), **settings)
    save(network, descriptor)
    write_csv(losses, history)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.output.descriptor,
            run.output.history,
            options=run.params.options,
            seed=run.params.seed,
            progress=run.progress,
        )
