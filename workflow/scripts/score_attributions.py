"""Score attributions: how well they name the words that drive memorization."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    prompts: Path,
    attributions: Sequence[Path],
    occlusion: Sequence[Path],
    words: Path,
    out: Path,
    *,
    tune: int,
    known: bool,
) -> None:
    """Write ``attributions.parquet``, a value for each word, and ``attribution.csv``."""
    import pandas as pd

    from mmh.attributed.scores import prompt_scores, summary, with_truth, word_values
    from mmh.io.table_files import read_table, write_csv, write_table
    from mmh.io.tables import ATTRIBUTED, OCCLUSION, PROMPTS, WORD_VALUES
    from mmh.worlds.sets.wordings import GRAMMAR

    table = pd.concat([read_table(path, ATTRIBUTED) for path in attributions], ignore_index=True)
    fall = pd.concat([read_table(path, OCCLUSION) for path in occlusion]) if occlusion else None
    grammar = GRAMMAR if known else None
    asked = read_table(prompts, PROMPTS).set_index(["prompt_set", "prompt"])["family"].to_dict()
    held = with_truth(word_values(table), fall, grammar, families=asked, tune=tune)
    write_table(held, words, WORD_VALUES)
    write_csv(summary(prompt_scores(table, fall, grammar), asked, tune), out, digits=6)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.prompts,
            run.input.attributions,
            run.input.occlusion,
            run.output.words,
            run.output.table,
            tune=run.params.tune,
            known=run.params.known,
        )
