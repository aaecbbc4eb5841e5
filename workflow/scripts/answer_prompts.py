"""Answer which prompts a model memorizes: a ranked table, tests against control prompts, and one page."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    prompts: Path,
    scores: list[Path],
    generations: list[Path],
    model: Path,
    page: Path,
    table: Path,
    *,
    options: dict[str, Any],
    seed: int,
    record: dict[str, Any],
    plugins: Sequence[str] = (),
) -> None:
    """Write the page and the table; `generations` are those of the prompts that are asked about."""
    import pandas as pd

    from mmh.audit.facts import facts
    from mmh.audit.prompt_answer import answer_prompts
    from mmh.audit.prompt_page import prompt_page
    from mmh.compute.rng import generator
    from mmh.io.arrays import read_arrays
    from mmh.io.files import atomic
    from mmh.io.table_files import read_table, write_csv
    from mmh.io.tables import PROMPT_SCORES
    from mmh.metrics.base import METRICS
    from mmh.prompts.lists import read_prompts
    from mmh.rows import load_plugins

    load_plugins(plugins, METRICS)
    options = dict(options)
    level, shown = options["level"], options.pop("shown")
    values = pd.concat([read_table(path, PROMPT_SCORES) for path in scores], ignore_index=True)
    rng = generator(seed, "audit", 0)
    answer = answer_prompts(read_prompts(prompts), values, rng=rng, **options)
    write_csv(answer.table, table, digits=6)
    wanted = set(answer.table["prompt"].head(shown))
    images: dict[int, Any] = {}
    for path in generations:
        drawn, of = read_arrays(path, "image", "prompt")
        images |= {int(prompt): drawn[of == prompt] for prompt in wanted & set(of.tolist())}
    said = facts(model, [prompts, *generations], seed=seed, what="prompts")
    with atomic(page) as partial:
        text = prompt_page(answer, images, level=level, shown=shown, facts=said)
        partial.write_text(text, encoding="utf-8")
    record |= {"answer": answer.sentence, "found": answer.found}
    record["set"] = vars(answer.whole) if answer.whole else None


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.prompts,
            run.input.scores,
            run.input.generations,
            run.input.model,
            run.output.page,
            run.output.table,
            options=run.params.options,
            seed=run.params.seed,
            record=run.record,
            plugins=run.params.untracked.plugins,
        )
