"""Attribute the memorization of one span of prompts to their tokens."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    prompts: Path,
    model: Path,
    captions: Path | Sequence[Path],
    out: Path,
    *,
    prompt_set: str,
    span: str,
    options: dict[str, Any],
    seed: int,
    device: str,
    progress: Any,
    plugins: Sequence[str] = (),
) -> None:
    """Write a row for each prompt, attribution, level and token; `captions`: of the training set, if any."""
    from collections import Counter

    from mmh.attributed.span import attribute_span
    from mmh.attributions.base import ATTRIBUTIONS, made
    from mmh.io.table_files import read_table, write_table
    from mmh.io.tables import ATTRIBUTED, CAPTIONS, PROMPTS
    from mmh.models.latent.folder import load_folder
    from mmh.prompts.lists import prompts_of_span
    from mmh.rows import load_plugins

    load_plugins(plugins, ATTRIBUTIONS)
    known = captions if isinstance(captions, Path) else None
    read = read_table(known, CAPTIONS) if known else read_table(prompts, PROMPTS)
    texts = prompts_of_span(prompts, prompt_set, span)
    table = attribute_span(
        load_folder(model, device=device, **options.get("load", {})),
        texts,
        made(options["attributions"]),
        prompt_set=prompt_set,
        options=options,
        counts=Counter(word for text in read["text"] for word in text.lower().split()),
        seed=seed,
        progress=progress(len(texts) * options["generations"], unit="trajectory"),
    )
    write_table(table, out, ATTRIBUTED)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.prompts,
            run.input.model,
            run.input.captions,
            run.output.table,
            prompt_set=run.wildcards.prompt_set,
            span=run.wildcards.span,
            options=run.params.options,
            seed=run.params.seed,
            device=run.device,
            progress=run.progress,
            plugins=run.params.untracked.plugins,
        )
