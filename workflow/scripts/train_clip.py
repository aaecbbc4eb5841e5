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
    from mmh.worlds.sets.caption_words import made_up, vocabulary
    from mmh.worlds.sets.wordings import GRAMMAR

    x, _ = read_images(images)
    rows = read_table(table, TRAIN)
    texts = read_table(captions, CAPTIONS)["text"]
    once = (rows["train"] == rows["group"]).to_numpy()
    words = vocabulary(texts)
    tokenizer = word_tokenizer.save(model, words, length=options["tokens"])
    known = {key: value for key, value in options.items() if key not in ("tokens", "alike", "held_out")}
    places = once.nonzero()[0]
    places = places[: len(places) - options.get("held_out", 0)]
    read, slots = texts[places].tolist(), options.get("alike", [])
    network, losses = clip.train(
        x[places],
        read,
        tokenizer,
        seed=seed,
        exchanged=made_up(texts),
        alike=[tuple(GRAMMAR.read(text)[slot] for slot in slots) for text in read] if slots else None,
        progress=progress(options["steps"]),
        **known,
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
