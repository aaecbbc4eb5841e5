"""Copy a local diffusers folder, or fetch one from the hub, and see that it can be loaded."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(out: Path, *, options: dict[str, Any], offline: bool, record: dict[str, Any]) -> None:
    """Write the model folder."""
    from mmh.fetch.hub import copy_pipeline, fetch_pipeline
    from mmh.models.loading import load_model

    if "path" in options:
        copy_pipeline(Path(options["path"]), out)
    else:
        mirrors = options.get("mirrors", ())
        record["fetched"] = fetch_pipeline(
            options["id"], options["revision"], out, offline=offline, mirrors=mirrors
        )
    model = load_model(out)
    score = model.score_model()
    record.update(shape=score.shape, schedule=score.schedule.kind, classes=model.classes)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.output.model,
            options=run.params.options,
            offline=run.params.untracked.offline,
            record=run.record,
        )
