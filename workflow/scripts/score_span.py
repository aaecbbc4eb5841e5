"""Compute one estimator at one span of items: a number for each."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    images: list[Path],
    captions: Path | list[Path],
    model: Path | list[Path],
    out: Path,
    *,
    method: str,
    span: str,
    items: str,
    estimator: str,
    options: dict[str, Any],
    load: dict[str, Any],
    seed: int,
    device: str,
    record: dict[str, Any],
    progress: Any,
    store: Any = None,
    plugins: Sequence[str] = (),
) -> None:
    """Write the long score table of one span; nothing stands for captions or a model that it needs not."""
    from mmh.io.table_files import write_table
    from mmh.io.tables import SCORES
    from mmh.models.base import KINDS
    from mmh.rows import load_plugins
    from mmh.scores import base
    from mmh.scores.setting import read_setting
    from mmh.scores.steps import score_span

    load_plugins(plugins, base.SCORES, KINDS)
    score: Any = base.SCORES[method]
    setting = read_setting(
        score,
        images,
        captions,
        model,
        span=span,
        items=items,
        options=options,
        load=load,
        seed=seed,
        device=device,
    )
    table, record["numerics"] = score_span(score, setting, estimator, progress=progress, store=store)
    write_table(table, out, SCORES)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.images,
            run.input.captions,
            run.input.model,
            run.output.scores,
            method=run.params.method,
            span=run.wildcards.span,
            items=run.wildcards.item_set,
            estimator=run.wildcards.estimator,
            options=run.params.options,
            load=run.params.load,
            seed=run.params.seed,
            device=run.device,
            record=run.record,
            progress=run.progress,
            store=run.chunks,
            plugins=run.params.untracked.plugins,
        )
