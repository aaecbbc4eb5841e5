"""Estimate LID_theta of one span of images by FLIPD (paper Eq. 6), at one noise level or several."""

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
    estimator: str,
    options: dict[str, Any],
    seed: int,
    device: str,
    record: dict[str, Any],
    progress: Any,
) -> None:
    """Write the long score table of one span."""
    import numpy as np
    import pandas as pd

    from mmh.io import read_column, read_span, write_table
    from mmh.lid.flipd import flipd_estimate
    from mmh.models import class_score, load_model

    x, ids = read_span(images, span, items)
    loaded = load_model(model, device=device)
    score = class_score(loaded, read_column(images, "class", ids))
    dtype = str(score.dtype).removeprefix("torch.")
    levels = options["t"] if isinstance(options["t"], list) else [options["t"]]
    probes = None if options["trace"] == "exact" else int(options["trace"])
    size, probe = options["batch_size"], options.get("probe", "gaussian")
    how = {"probes": probes, "probe": probe, "seed": seed, "batch_size": size}
    # Each block of ids is one batch; ids with gaps share batches, so they are computed together.
    whole = len(ids) < ids[-1] - ids[0] + 1
    blocks = np.split(np.arange(len(ids)), [] if whole else np.flatnonzero(np.diff(ids // size)) + 1)
    report, done = progress(len(levels) * len(ids), unit="image"), 0
    tables = []
    for t in levels:
        values, errors = np.zeros(len(ids)), np.full(len(ids), np.nan)
        for rows in blocks:
            result = flipd_estimate(score.select(rows), x[rows], t, ids=ids[rows], **how)
            values[rows] = result.value
            errors[rows] = np.nan if result.stderr is None else result.stderr
            done += len(rows)
            report(done)
        tables.append(
            pd.DataFrame(
                {
                    "item": ids,
                    "estimator": estimator,
                    "t": t,
                    "index": score.schedule.index(t),
                    "sigma": float(score.schedule.sigma(t)),
                    "value": values,
                    "stderr": errors,
                    "probes": probes,
                    "seed": None if probes is None else seed,
                    "dtype": dtype,
                }
            )
        )
    record["numerics"] = {
        "method": "FLIPD, exact trace" if probes is None else f"FLIPD, {probes} {probe} probes",
        "dtype": dtype,
        "attention": loaded.attention(),
        "items": len(ids),
        "non_finite": 0,  # anything else stops the job
    }
    write_table(pd.concat(tables, ignore_index=True), out, "scores")


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.images,
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
        )
