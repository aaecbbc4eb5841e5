"""Attack a mitigation on one span of prompts, and sample what came out after each budget."""

from collections.abc import Sequence
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
    method: str,
    options: dict[str, Any],
    attacking: dict[str, Any],
    seed: int,
    device: str,
    record: dict[str, Any],
    progress: Any,
    store: Any = None,
    plugins: Sequence[str] = (),
) -> None:
    """Write images; `inputs`: prompts, model, images and captions, as the rule names them."""
    from mmh.elicited.sampling import elicit_span, training_image_of
    from mmh.io.arrays import write_arrays
    from mmh.mitigated.reading import read_truth
    from mmh.mitigations.base import MITIGATIONS, made
    from mmh.models.latent.folder import load_folder
    from mmh.prompts.lists import prompts_of_span
    from mmh.rows import load_plugins

    load_plugins(plugins, MITIGATIONS)
    truth = read_truth(inputs["prompts"], inputs["images"], inputs["captions"])
    texts = prompts_of_span(inputs["prompts"], prompt_set, span)
    arrays, record["numerics"] = elicit_span(
        load_folder(inputs["model"], device=device, **attacking.get("load", {})),
        texts,
        made(method, options),
        training_image_of(truth, prompt_set, texts.index.to_numpy()),
        prompt_set=prompt_set,
        options=attacking,
        seed=seed,
        progress=progress,
        store=store,
    )
    write_arrays(out, **arrays)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            vars(run.input),
            run.output.images,
            prompt_set=run.wildcards.prompt_set,
            span=run.wildcards.span,
            method=run.params.method,
            options=run.params.options,
            attacking=run.params.attacking,
            seed=run.params.seed,
            device=run.device,
            record=run.record,
            progress=run.progress,
            store=run.chunks,
            plugins=run.params.untracked.plugins,
        )
