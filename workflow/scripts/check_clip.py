"""Say which slots of the captions a small CLIP model reads, on images that it was not trained on."""

from pathlib import Path
from typing import TYPE_CHECKING

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    images: Path,
    table: Path,
    captions: Path,
    model: Path,
    out: Path,
    *,
    held_out: int,
    device: str,
) -> None:
    """Write ``clip_slots.csv``; with no image held out, of all images, which its column `seen` says."""
    from mmh.io.image_shards import read_images
    from mmh.io.table_files import read_table, write_csv
    from mmh.io.tables import CAPTIONS, TRAIN
    from mmh.models.latent.clip_similarity import similarity_by, slot_accuracy, to_bytes
    from mmh.worlds.sets.wordings import GRAMMAR

    x, _ = read_images(images)
    rows = read_table(table, TRAIN)
    texts = read_table(captions, CAPTIONS)["text"]
    places = (rows["train"] == rows["group"]).to_numpy().nonzero()[0][-held_out:]
    agree = similarity_by(model, device=device)
    found = slot_accuracy(agree, to_bytes(x[places]), texts[places].tolist(), GRAMMAR)
    write_csv(found.assign(seen=held_out == 0), out, digits=6)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.images,
            run.input.table,
            run.input.captions,
            run.input.model,
            run.output.slots,
            held_out=run.params.held_out,
            device=run.device,
        )
