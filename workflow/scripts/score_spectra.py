"""Compute the singular values that one estimator counts, at one span of items."""

from collections.abc import Sequence
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
    method: str,
    span: str,
    items: str,
    options: dict[str, Any],
    load: dict[str, Any],
    seed: int,
    device: str,
    record: dict[str, Any],
    progress: Any,
    store: Any = None,
    plugins: Sequence[str] = (),
) -> None:
    """Write the spectra of one span; nothing stands for captions that it needs not."""
    from mmh.io.arrays import write_arrays
    from mmh.models.base import KINDS
    from mmh.rows import load_plugins
    from mmh.scores.base import SCORES
    from mmh.scores.setting import read_setting
    from mmh.scores.steps import score_spectra

    load_plugins(plugins, SCORES, KINDS)
    score: Any = SCORES[method]
    how: dict[str, Any] = {"options": options, "load": load, "seed": seed, "device": device}
    setting = read_setting(score, images, captions, model, span=span, items=items, **how)
    arrays, record["numerics"] = score_spectra(score, setting, progress=progress, store=store)
    write_arrays(out, **arrays)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.images,
            run.input.captions,
            run.input.model,
            run.output.spectra,
            method=run.params.method,
            span=run.wildcards.span,
            items=run.wildcards.item_set,
            options=run.params.options,
            load=run.params.load,
            seed=run.params.seed,
            device=run.device,
            record=run.record,
            progress=run.progress,
            store=run.chunks,
            plugins=run.params.untracked.plugins,
        )
