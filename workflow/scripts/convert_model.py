"""Convert a checkpoint to a model folder, and see that it denoises; nothing of the code in it is run."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    checkpoint: Path,
    model: Path,
    *,
    kind: str,
    options: dict[str, Any],
    images: Path | None = None,
    sha256: str | None = None,
    plugins: Sequence[str] = (),
) -> dict[str, Any]:
    """Write the model folder, try the model out, and return what was found, for the run record."""
    from mmh.fetch.file_digest import check_digest
    from mmh.models.base import KINDS
    from mmh.models.denoising import try_folder
    from mmh.rows import load_plugins

    load_plugins(plugins, KINDS)
    check_digest(checkpoint, sha256)
    row = KINDS[kind]
    found: dict[str, Any] = row.make(checkpoint, model, row.read(options))
    if row.gives == "score":
        found |= try_folder(model, images, name=str(checkpoint))
    for key, value in found.items():
        print(f"{key} {value}")
    return found


if __name__ == "__main__":
    with job(snakemake) as run:
        found = main(
            run.input.checkpoint,
            run.output.model,
            kind=run.params.kind,
            options=run.params.options,
            images=getattr(run.input, "images", None),
            sha256=run.params.untracked.sha256,
            plugins=run.params.untracked.plugins,
        )
        run.record.update(found)
