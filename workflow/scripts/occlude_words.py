"""Measure what the images of one span of prompts lose if one word is replaced."""

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
    progress: Any,
) -> None:
    """Write a row for each prompt and word; `inputs`: prompts, model, images, captions, descriptor."""
    from mmh.attributed.occlusion import occlude_span, similarity_to
    from mmh.io.table_files import read_table, write_table
    from mmh.io.tables import OCCLUSION, PROMPTS
    from mmh.mitigated.reading import instruments, read_truth
    from mmh.models.latent.folder import load_folder
    from mmh.prompts.lists import prompts_of_span
    from mmh.worlds.sets.caption_words import shared_words
    from mmh.worlds.sets.wordings import GRAMMAR

    truth = read_truth(inputs["prompts"], inputs["images"], inputs["captions"])
    tools, _ = instruments(truth, inputs["descriptor"], [], options["embedding"], device)
    texts = prompts_of_span(inputs["prompts"], prompt_set, span)
    table = occlude_span(
        load_folder(inputs["model"], device=device, **options.get("load", {})),
        texts,
        prompt_set=prompt_set,
        options=options,
        grammar=GRAMMAR if options["by"] == "grammar" else None,
        others=shared_words(read_table(inputs["prompts"], PROMPTS)["text"]),
        similar=similarity_to(truth, tools["embedded"], prompt_set),
        seed=seed,
        progress=progress(GRAMMAR.longest, unit="word"),
    )
    write_table(table, out, OCCLUSION)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            vars(run.input),
            run.output.table,
            prompt_set=run.wildcards.prompt_set,
            span=run.wildcards.span,
            options=run.params.options,
            seed=run.params.seed,
            device=run.device,
            progress=run.progress,
        )
