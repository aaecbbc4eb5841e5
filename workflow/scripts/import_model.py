"""Copy or fetch a model folder, and see that it can be loaded, runs, and denoises."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    model: Path,
    *,
    kind: str,
    options: dict[str, Any],
    form: dict[str, int],
    images: Path | None = None,
    offline: bool,
    plugins: Sequence[str] = (),
) -> dict[str, Any]:
    """Write the model folder, try the model out, and return what was found, for the run record."""
    from mmh.models.base import KINDS
    from mmh.models.denoising import try_folder
    from mmh.models.loading import load_model
    from mmh.models.trial import try_model
    from mmh.rows import load_plugins

    load_plugins(plugins, KINDS)
    row = KINDS[kind]
    found: dict[str, Any] = row.make(model, row.read(options), offline=offline)
    name = str(options.get("path") or options.get("id") or kind)
    found |= try_model(load_model(model), form, name=name)
    return found | try_folder(model, images, name=name)


if __name__ == "__main__":
    with job(snakemake) as run:
        found = main(
            run.output.model,
            kind=run.params.kind,
            options=run.params.options,
            form=run.params.form,
            images=getattr(run.input, "images", None),
            offline=run.params.untracked.offline,
            plugins=run.params.untracked.plugins,
        )
        run.record.update(found)
