"""Compute the singular values of the scores around each image of one span (normal bundle, paper Eq. 7)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    images: list[Path],
    model: Path,
    out: Path,
    *,
    span: str,
    items: str,
    options: dict[str, Any],
    seed: int,
    device: str,
    record: dict[str, Any],
    progress: Any,
) -> None:
    """Write the spectra of one span; the threshold is a later, cheap step."""
    import numpy as np

    from mmh.io import read_column, read_span, write_arrays
    from mmh.lid.normal_bundle import normal_bundle_groups
    from mmh.models import class_score, load_model

    x, ids = read_span(images, span, items)
    loaded = load_model(model, device=device)
    score = class_score(loaded, read_column(images, "class", ids))
    report = progress(len(ids))
    step = 25  # images between two progress lines; an image's spectrum does not depend on it
    parts = []
    for start in range(0, len(ids), step):
        rows = np.arange(start, min(start + step, len(ids)))
        parts.append(
            normal_bundle_groups(
                score.select(rows),
                x[rows],
                options["t"],
                groups=options["groups"],
                copies=options["copies"],
                seed=seed,
                ids=ids[rows],
                batch_size=options["batch_size"],
            )
        )
        report(min(start + step, len(ids)))
    record["numerics"] = {
        "method": f"normal bundle, {options['copies']} copies, float64 Gram matrix",
        "dtype": str(score.dtype).removeprefix("torch."),
        "attention": loaded.attention(),
        "items": len(ids),
        "non_finite": 0,  # anything else stops the job
    }
    index = score.schedule.index(options["t"])
    write_arrays(
        out,
        spectrum=np.concatenate([part[0] for part in parts]),
        left_out=np.concatenate([part[1] for part in parts]),
        id=ids,
        index=np.array([-1 if index is None else index]),
        sigma=np.array([float(score.schedule.sigma(options["t"]))]),
    )


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.images,
            run.input.model,
            run.output.spectra,
            span=run.wildcards.span,
            items=run.wildcards.item_set,
            options=run.params.options,
            seed=run.params.seed,
            device=run.device,
            record=run.record,
            progress=run.progress,
        )
