"""Convert a checkpoint to a model folder; nothing of the code in it is run."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    checkpoint: Path, model: Path, *, kind: str, sha256: str | None, plugins: Sequence[str] = ()
) -> dict[str, Any]:
    """Write the model folder; return what was found, for the run record."""
    from mmh.fetch.file_digest import check_digest
    from mmh.models.base import KINDS
    from mmh.rows import load_plugins

    load_plugins(plugins, KINDS)
    check_digest(checkpoint, sha256)
    found: dict[str, Any] = KINDS[kind].make(checkpoint, model)
    for key, value in found.items():
        print(f"{key} {value}")
    return found


if __name__ == "__main__":
    with job(snakemake) as run:
        found = main(
            run.input.checkpoint,
            run.output.model,
            kind=run.params.kind,
            sha256=run.params.untracked.sha256,
            plugins=run.params.untracked.plugins,
        )
        run.record.update(found)
