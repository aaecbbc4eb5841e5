"""Estimate the norm of the guided score, or of the CFG vector, at one span of captioned images (Fig. 3)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    latents: list[Path],
    captions: Path,
    model: Path,
    out: Path,
    *,
    span: str,
    estimator: str,
    options: dict[str, Any],
    device: str,
    record: dict[str, Any],
    progress: Any,
    store: Any = None,
) -> None:
    """Write the long score table of one span; `options`: t, of, guidance, batch_size, load."""
    import numpy as np
    import pandas as pd

    from mmh.compute.job_batches import blockwise_in_fitting_batches
    from mmh.images.captions import read_captions
    from mmh.io.files import read_present, write_table
    from mmh.io.tables import SCORES
    from mmh.models.text_to_image import load_folder
    from mmh.scores.score_norms import score_norms

    x, ids = read_present(latents, span)
    texts = read_captions(captions, ids)
    loaded = load_folder(model, device=device, **options.get("load", {}))
    score, null = loaded.score_model(), loaded.null()
    how = {name: options[name] for name in ("t", "of", "guidance")}

    def norms(rows: np.ndarray, numbers: np.ndarray, size: int) -> dict[str, np.ndarray]:
        c = loaded.embed([texts[row] for row in rows], ids=numbers)
        return {"value": score_norms(score, x[rows], c, null, ids=numbers, batch_size=size, **how)}

    found, size = blockwise_in_fitting_batches(
        options["batch_size"], [norms], ids, device=score.device, progress=progress, store=store
    )
    dtype = str(score.dtype).removeprefix("torch.")
    table = pd.DataFrame({"item": ids, "estimator": estimator, "t": float(options["t"])})
    table["index"] = score.schedule.index(float(options["t"]))
    table["sigma"] = float(score.schedule.sigma(float(options["t"])))
    table["value"] = found.get("value", np.empty(0))
    table["stderr"], table["probes"], table["seed"], table["dtype"] = None, None, None, dtype
    record["numerics"] = {
        "method": f"norm of the {options['of']} score",
        "dtype": dtype,
        "attention": loaded.attention(),
        "items": len(ids),
        "batch_size": size,
        "non_finite": 0,  # anything else stops the job
    }
    write_table(table, out, SCORES)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.latents,
            run.input.captions,
            run.input.model,
            run.output.scores,
            span=run.wildcards.span,
            estimator=run.wildcards.estimator,
            options=run.params.options,
            device=run.device,
            record=run.record,
            progress=run.progress,
            store=run.chunks,
        )
