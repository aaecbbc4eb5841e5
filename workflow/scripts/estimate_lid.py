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

    from mmh.io import read_images, write_table
    from mmh.lid.flipd import flipd_estimate
    from mmh.models import load_model
    from mmh.plan import span_range

    x, ids = read_images(images, np.array(span_range(span)))
    score = load_model(model, device=device).score_model()
    levels = options["t"] if isinstance(options["t"], list) else [options["t"]]
    probes = None if options["trace"] == "exact" else int(options["trace"])
    report = progress(len(levels))
    tables = []
    for done, t in enumerate(levels, start=1):
        result = flipd_estimate(
            score, x, t, probes=probes, seed=seed, ids=ids, batch_size=options["batch_size"]
        )
        tables.append(
            pd.DataFrame(
                {
                    "item": ids,
                    "estimator": estimator,
                    "t": t,
                    "index": score.schedule.index(t),
                    "sigma": float(score.schedule.sigma(t)),
                    "value": result.value,
                    "stderr": result.stderr,
                    "probes": probes,
                    "seed": None if probes is None else seed,
                    "dtype": "float32",
                }
            )
        )
        report(done, t=t)
    record.update(
        trace="exact" if probes is None else f"{probes} Gaussian probes", items=len(ids), levels=levels
    )
    write_table(pd.concat(tables, ignore_index=True), out, "scores")


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.images,
            run.input.model,
            run.output.scores,
            span=run.wildcards.span,
            estimator=run.wildcards.estimator,
            options=run.params.options,
            seed=run.params.seed,
            device=run.device,
            record=run.record,
            progress=run.progress,
        )
