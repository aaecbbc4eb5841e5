"""Fetch the images of a list, each in bounded time, and say in a ledger what became of each address."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    table: Path,
    files: Sequence[Path],
    out: Path,
    *,
    store: Path,
    options: dict[str, Any],
    fetching: dict[str, Any],
    offline: bool,
    progress: Callable[..., Callable[[int], None]] | None,
) -> None:
    """Fill the folder of images and its journal; write the ledger of one list."""
    from mmh.fetch.ledger import attrition, ledger_table
    from mmh.fetch.options import FetchOptions
    from mmh.fetch.url_images import fetch_images, store_images
    from mmh.images.image_lists import embedded_images, is_embedded
    from mmh.io.table_files import read_table, write_table
    from mmh.io.tables import IMAGE_LIST, LEDGER

    listed = read_table(table, IMAGE_LIST)
    limits = FetchOptions.model_validate(fetching)
    urls = listed["url"].tolist()
    within = [url for url in urls if is_embedded(url)]
    records: dict[str, dict[str, Any]] = {}
    for path in files if within else ():
        images = embedded_images(path, options["columns"]["image"], within)
        records |= store_images(images, store, max_pixels=limits.max_pixels)
    if not within:
        tell = progress(len(set(urls)), unit="image") if progress else None
        records = fetch_images(
            urls, store, options=limits, offline=offline, again=limits.again, progress=tell
        )
    rules = {key: options[key] for key in ("placeholder_count", "placeholders")}
    ledger = ledger_table(listed, records, **rules)
    counts = attrition(ledger)
    print(f"{counts['ok']} of {counts['asked']} images: {counts['statuses']}")
    write_table(ledger, out, LEDGER)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.table,
            run.input.files,
            run.output.ledger,
            store=Path(run.params.store),
            options=run.params.options,
            fetching=run.params.untracked.fetching,
            offline=run.params.untracked.offline,
            progress=run.progress,
        )
