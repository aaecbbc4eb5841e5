"""Estimate LID_theta of one span of images by FLIPD (paper Eq. 6), at one noise level or several."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    images: list[Path],
    captions: Path | list[Path],
    model: Path,
    out: Path,
    *,
    span: str,
    items: str,
    estimator: str,
    options: dict[str, Any],
    seed: int,
    device: str,
    record: dict[str, Any],
    progress: Any,
    store: Any = None,
) -> None:
    """Write the long score table of one span; `captions`: the table of a captioned image set, or nothing."""
    from functools import partial

    import numpy as np
    import pandas as pd

    from mmh.compute.job_batches import blockwise_in_fitting_batches
    from mmh.images.captions import image_score
    from mmh.io.files import read_present, read_span, write_table
    from mmh.io.tables import SCORES
    from mmh.lid.flipd import flipd_estimate
    from mmh.models.loading import load_model

    x, ids = read_present(images, span) if captions else read_span(images, span, items)
    loaded = load_model(model, device=device, **options.get("load", {}))
    score = image_score(loaded, images, captions, ids, options.get("condition"))
    dtype, levels = str(score.dtype).removeprefix("torch."), np.atleast_1d(options["t"]).tolist()
    probes = None if options["trace"] == "exact" else int(options["trace"])
    probe, n, empty = options.get("probe", "gaussian"), len(ids), np.empty(0)
    how = {"probes": probes, "probe": probe, "seed": seed}

    def estimate(level: float, rows: np.ndarray, numbers: np.ndarray, size: int) -> dict[str, np.ndarray]:
        result = flipd_estimate(score.select(rows), x[rows], level, ids=numbers, batch_size=size, **how)
        stderr = np.full(len(rows), np.nan) if result.stderr is None else result.stderr
        return {"value": result.value, "stderr": stderr}

    computes = [partial(estimate, level) for level in levels]
    job_is = {"device": score.device, "progress": progress, "store": store}
    found, size = blockwise_in_fitting_batches(options["batch_size"], computes, ids, **job_is)
    tables = [
        pd.DataFrame(
            {
                "item": ids,
                "estimator": estimator,
                "t": t,
                "index": score.schedule.index(t),
                "sigma": float(score.schedule.sigma(t)),
                **{key: found.get(key, empty)[level * n : (level + 1) * n] for key in ("value", "stderr")},
                "probes": probes,
                "seed": None if probes is None else seed,
                "dtype": dtype,
            }
        )
        for level, t in enumerate(levels)
    ]
    record["numerics"] = {
        "method": "FLIPD, exact trace" if probes is None else f"FLIPD, {probes} {probe} probes",
        "dtype": dtype,
        "attention": loaded.attention(),
        "items": n,
        "batch_size": size,
        "non_finite": 0,  # anything else stops the job
    }
    write_table(pd.concat(tables, ignore_index=True), out, SCORES)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.images,
            run.input.captions,
            run.input.model,
            run.output.scores,
            span=run.wildcards.span,
            items=run.wildcards.item_set,
            estimator=run.wildcards.estimator,
            options=run.params.options,
            seed=run.params.seed,
            device=run.device,
            record=run.record,
            progress=run.progress,
            store=run.chunks,
        )
