"""Sample one span of prompts on the way of a descent on their embedding."""

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
    *,
    prompt_set: str,
    span: str,
    method: str,
    options: dict[str, Any],
    sampling: dict[str, Any],
    seed: int,
    device: str,
    record: dict[str, Any],
    progress: Any,
    store: Any = None,
    plugins: Sequence[str] = (),
) -> None:
    """Write generations; `sampling`: at, generations, steps, guidance, metric, batch sizes, load."""
    from mmh.io.arrays import write_arrays
    from mmh.mitigated.iterates import sample_iterates_span
    from mmh.mitigations.base import MITIGATIONS, made
    from mmh.mitigations.embedding import EmbeddingDescent
    from mmh.models.latent.folder import load_folder
    from mmh.prompts.lists import prompts_of_span
    from mmh.rows import load_plugins

    load_plugins(plugins, MITIGATIONS)
    descent = made(method, options)
    assert isinstance(descent, EmbeddingDescent)  # the configuration is checked for it
    arrays, record["numerics"] = sample_iterates_span(
        load_folder(model, device=device, **sampling.get("load", {})),
        prompts_of_span(prompts, prompt_set, span),
        descent,
        prompt_set=prompt_set,
        options=sampling,
        seed=seed,
        progress=progress,
        store=store,
    )
    write_arrays(out, **arrays)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.prompts,
            run.input.model,
            run.output.generations,
            prompt_set=run.wildcards.prompt_set,
            span=run.wildcards.span,
            method=run.params.method,
            options=run.params.options,
            sampling=run.params.sampling,
            seed=run.params.seed,
            device=run.device,
            record=run.record,
            progress=run.progress,
            store=run.chunks,
            plugins=run.params.untracked.plugins,
        )
