"""Sample one span of prompts by guided DDIM, and take metrics on the way (one pass)."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    prompts: Path,
    model: Path,
    out: Path,
    scores: Path,
    *,
    prompt_set: str,
    span: str,
    options: dict[str, Any],
    seed: int,
    device: str,
    record: dict[str, Any],
    progress: Any,
    store: Any = None,
    plugins: Sequence[str] = (),
) -> None:
    """Write generations and scores; `options`: generations, steps, guidance, metrics, batch sizes, load."""
    from mmh.io.arrays import write_arrays
    from mmh.io.table_files import write_table
    from mmh.io.tables import PROMPT_SCORES
    from mmh.metrics.base import METRICS, made
    from mmh.models.latent.folder import load_folder
    from mmh.prompts.lists import prompts_of_span
    from mmh.prompts.span import sample_span
    from mmh.rows import load_plugins

    load_plugins(plugins, METRICS)
    arrays, table, record["numerics"] = sample_span(
        load_folder(model, device=device, **options.get("load", {})),
        prompts_of_span(prompts, prompt_set, span),
        made(options["metrics"]),
        prompt_set=prompt_set,
        options=options,
        seed=seed,
        progress=progress,
        store=store,
    )
    write_table(table, scores, PROMPT_SCORES)
    write_arrays(out, **arrays)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.prompts,
            run.input.model,
            run.output.generations,
            run.output.scores,
            prompt_set=run.wildcards.prompt_set,
            span=run.wildcards.span,
            options=run.params.options,
            seed=run.params.seed,
            device=run.device,
            record=run.record,
            progress=run.progress,
            store=run.chunks,
            plugins=run.params.untracked.plugins,
        )
