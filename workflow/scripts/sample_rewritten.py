"""Sample the rewritings of one span of prompts by guided DDIM."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    inputs: dict[str, Any],
    out: Path,
    *,
    prompt_set: str,
    span: str,
    options: dict[str, Any],
    seed: int,
    device: str,
    record: dict[str, Any],
    progress: Any,
    store: Any = None,
) -> None:
    """Write generations; `inputs`: prompts, rewrites, model; `options`: generations, steps and the like."""
    from mmh.io.arrays import write_arrays
    from mmh.io.table_files import read_table
    from mmh.io.tables import REWRITES
    from mmh.mitigated.rewrites import rewrites_of_span, sample_rewrites_span
    from mmh.models.latent.folder import load_folder
    from mmh.prompts.lists import prompts_of_span
    from mmh.rewriting.asked import sampled

    texts = prompts_of_span(inputs["prompts"], prompt_set, span)
    rewrites = rewrites_of_span(read_table(inputs["rewrites"], REWRITES), texts, prompt_set)
    arrays, record["numerics"] = sample_rewrites_span(
        load_folder(inputs["model"], device=device, **options.get("load", {})),
        sampled(rewrites),
        prompt_set=prompt_set,
        options=options,
        seed=seed,
        progress=progress,
        store=store,
    )
    write_arrays(out, **arrays)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            vars(run.input),
            run.output.generations,
            prompt_set=run.wildcards.prompt_set,
            span=run.wildcards.span,
            options=run.params.options,
            seed=run.params.seed,
            device=run.device,
            record=run.record,
            progress=run.progress,
            store=run.chunks,
        )
