"""Training of a text-to-image pipeline: autoencoder first, then text encoder and UNet together."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from mmh.compute.optimisation import Report
from mmh.io.image_shards import read_images
from mmh.io.table_files import read_table
from mmh.io.tables import CAPTIONS, TRAIN
from mmh.models.latent import training, vae, word_tokenizer
from mmh.options.base import Options
from mmh.worlds.sets.caption_words import vocabulary


def make(
    folder: Path,
    options: Options,
    *,
    inputs: Mapping[str, Path],
    seed: int,
    progress: Callable[[int], Report],
) -> pd.DataFrame:
    """Train on an experiment's captioned images and write the pipeline folder; see `Kind.maker`.

    The history has the losses of both parts, by the column `part`.
    """
    x, _ = read_images(inputs["images"])
    rows = read_table(inputs["table"], TRAIN)
    texts = read_table(inputs["captions"], CAPTIONS)["text"].tolist()
    settings = options.model_dump()
    first = settings["vae"]["steps"]
    report = progress(first + settings["steps"])

    once = (rows["train"] == rows["group"]).to_numpy()
    autoencoder, vae_losses = vae.train(x[once], seed=seed, progress=report, **settings.pop("vae"))
    latents = vae.latents(autoencoder, torch.from_numpy(x)).numpy()

    words = vocabulary(texts)
    tokenizer = word_tokenizer.save(folder / "tokenizer", words, length=settings.pop("tokens"))

    def later(step: int, **values: Any) -> None:
        report(first + step, **values)

    unet, encoder, scheduler, losses = training.train(
        latents, texts, tokenizer, seed=seed, progress=later, **settings
    )
    training.save(folder, vae=autoencoder, text_encoder=encoder, unet=unet, scheduler=scheduler, words=words)
    parts = {"vae": vae_losses, "unet": losses}
    return pd.concat(parts, names=["part"]).reset_index("part")
