"""Train a small latent text-to-image model: autoencoder first, then text encoder and UNet together."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    images: Path,
    table: Path,
    captions: Path,
    model: Path,
    history: Path,
    *,
    options: dict[str, Any],
    seed: int,
    progress: Any,
) -> None:
    """Write the pipeline folder and the loss histories of both parts."""
    import pandas as pd
    import torch

    from mmh.io.files import read_images, read_table, write_csv
    from mmh.io.tables import CAPTIONS, TRAIN
    from mmh.models import text_training, vae_training, word_tokenizer
    from mmh.worlds.digits_text import vocabulary

    x, _ = read_images(images)
    rows = read_table(table, TRAIN)
    texts = read_table(captions, CAPTIONS)["text"].tolist()
    first = options["vae"]["steps"]
    report = progress(first + options["steps"])

    once = (rows["train"] == rows["group"]).to_numpy()
    vae, vae_losses = vae_training.train(x[once], seed=seed, progress=report, **options["vae"])
    latents = vae_training.latents(vae, torch.from_numpy(x)).numpy()

    words = vocabulary(texts)
    tokenizer = word_tokenizer.save(model / "tokenizer", words, length=options["tokens"])
    settings = {key: value for key, value in options.items() if key not in ("kind", "vae", "tokens")}
    unet, encoder, scheduler, losses = text_training.train(
        latents,
        texts,
        tokenizer,
        seed=seed,
        progress=lambda step, **values: report(first + step, **values),
        **settings,
    )
    text_training.save(model, vae=vae, text_encoder=encoder, unet=unet, scheduler=scheduler, words=words)
    parts = {"vae": vae_losses, "unet": losses}
    write_csv(pd.concat(parts, names=["part"]).reset_index("part"), history)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.images,
            run.input.table,
            run.input.captions,
            run.output.model,
            run.output.history,
            options=run.params.options,
            seed=run.params.seed,
            progress=run.progress,
        )
