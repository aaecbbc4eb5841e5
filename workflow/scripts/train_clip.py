"""Train a small CLIP model on the images and captions of an embedded world."""

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
    """Write the model folder and the loss history; copies of an image count once."""
    from mmh.io.image_shards import read_images
    from mmh.io.table_files import read_table, write_csv
    from mmh.io.tables import CAPTIONS, TRAIN
    from mmh.models.latent import clip, word_tokenizer
    from mmh.worlds.sets.captioned_digits import key_of, vocabulary

    x, _ = read_images(images)
    rows = read_table(table, TRAIN)
    texts = read_table(captions, CAPTIONS)["text"]
    once = (rows["train"] == rows["group"]).to_numpy()
    words = vocabulary(texts)
    tokenizer = word_tokenizer.save(model, words, length=options["tokens"])
    network, losses = clip.train(
        x[once],
        texts[once].tolist(),
        tokenizer,
        seed=seed,
        exchanged=sorted({key_of(text) for text in texts}),
        progress=progress(options["steps"]),
        **{key: value for key, value in options.items() if key != "tokens"},
    )
    clip.save(model, network, words)
    write_csv(losses, history)


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
