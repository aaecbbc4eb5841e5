"""Compute the singular values of the scores around each image of one span (normal bundle, paper Eq. 7)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

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
    store: Any = None,
) -> None:
    """Write the spectra of one span; the threshold is a later, cheap step."""
    import numpy as np

    from mmh.io.files import read_column, read_span, write_arrays
    from mmh.job.chunks import blockwise
    from mmh.lid.normal_bundle import normal_bundle_groups
    from mmh.models.loading import class_score, load_model

    x, ids = read_span(images, span, items)
    loaded = load_model(model, device=device)
    score = class_score(loaded, read_column(images, "class", ids))

    def decompose(rows: np.ndarray) -> dict[str, np.ndarray]:
        spectrum, left_out = normal_bundle_groups(
            score.select(rows),
            x[rows],
            options["t"],
            groups=options["groups"],
            copies=options["copies"],
            seed=seed,
            ids=ids[rows],
            batch_size=options["batch_size"],
        )
        return {"spectrum": spectrum, "left_out": left_out}

    # An image's spectrum depends on no other's; five of 32 x 32 pixels take a GPU about a minute.
    blocks = np.split(np.arange(len(ids)), range(5, len(ids), 5))
    found = blockwise(decompose, blocks, progress=progress, store=store)
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
        **found,
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
            store=run.chunks,
        )
