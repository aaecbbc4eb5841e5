"""Fetch one declared file: from the drop folder if it lies there, else from its addresses in turn."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    name: str,
    source: dict[str, Any],
    out: Path,
    *,
    part: Path,
    dropped: Path,
    offline: bool,
    record: dict[str, Any],
    progress: Callable[..., Callable[[int], None]] | None,
) -> None:
    """Put the whole, checked file at `out` and say in `record` where it came from."""
    from mmh.fetch.sources import fetch

    print(f"{name}: licence {source.get('licence')}")
    record.update(fetch(name, source, part, dropped=dropped, offline=offline, progress=progress))
    part.replace(out)


if __name__ == "__main__":
    with job(snakemake) as run:
        final = run.final["file"]
        main(
            run.wildcards.source,
            run.params.untracked.row,
            run.output.file,
            part=final.with_name(f"{final.name}.part"),  # not an output: Snakemake would delete it on failure
            dropped=final.parent.parent / "drop" / final.name,
            offline=run.params.untracked.offline,
            record=run.record,
            progress=run.progress,
        )
