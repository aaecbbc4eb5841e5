"""Replace words of prompts, or put some in, by each choice and for each k, several times over."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    inputs: dict[str, Any],
    out: Path,
    *,
    options: dict[str, Any],
    seed: int,
    device: str,
    record: dict[str, Any],
    progress: Any,
) -> None:
    """Write ``rewrites.parquet``, a row for each rewriting; `inputs`: prompts, model, attributions, clip."""
    from mmh.choices.base import made
    from mmh.io.table_files import read_table, write_table
    from mmh.io.tables import PROMPTS, REWRITES, WORD_VALUES
    from mmh.models.latent.caption_tokens import token_texts, words_of
    from mmh.models.latent.folder import load_folder
    from mmh.prompts.lists import first_prompts
    from mmh.rewriters.base import made as rewriter_of
    from mmh.rewriting.asked import Prompt, all_rewrites

    loaded = load_folder(inputs["model"], device=device, **options.get("load", {}))
    prompts = []
    for name, n in options["sets"].items():
        texts = first_prompts(inputs["prompts"], name, n)
        cut = words_of(loaded, texts, f"prompt set {name}")
        prompts += [Prompt(name, i, text, tuple(cut[i].words)) for i, text in enumerate(texts)]
    rewriter = rewriter_of(**options["rewriter"]) if options["rewriter"] else None
    if rewriter is not None:
        rewriter.prepare(read_table(inputs["prompts"], PROMPTS)["text"].tolist())
    lost = None
    if inputs.get("clip"):
        from mmh.models.latent.clip_similarity import text_similarity_by

        near, least = text_similarity_by(inputs["clip"], device=device), options["meaning"]
        lost = lambda text, answer: bool(near([text], [answer])[0] < least)  # noqa: E731
    held = inputs["attributions"]
    table = all_rewrites(
        prompts,
        made(options["choices"]),
        rewriter,
        k=options["k"],
        repeats=options["repeats"],
        attempts=options["attempts"],
        seed=seed,
        words=read_table(held, WORD_VALUES) if held else None,
        vocabulary=token_texts(loaded),
        too_long=lambda text: bool(loaded.tokens([text])[1][0]),
        lost=lost,
        report=progress(len(options["choices"]), unit="choice"),
    )
    problems = table["problem"].str.replace(r"^keeps .*", "keeps a word", regex=True)
    record["problems"] = problems[problems != ""].value_counts().to_dict()
    write_table(table, out, REWRITES)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            vars(run.input),
            run.output.table,
            options=run.params.options,
            seed=run.params.seed,
            device=run.device,
            record=run.record,
            progress=run.progress,
        )
