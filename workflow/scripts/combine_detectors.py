"""Say which detectors of prompts add to others, by fits that have not seen the prompts they score."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    prompts: Path,
    prompt_scores: list[Path],
    out: Path,
    *,
    options: dict[str, Any],
    seed: int,
    plugins: Sequence[str] = (),
) -> None:
    """Write ``combination.csv``; `options` as of `mmh.detection.combination`, fits as mappings."""
    import pandas as pd

    from mmh.detection.combination import Fit, combination
    from mmh.detection.prompt_detectors import SCORE_COLUMNS
    from mmh.io.table_files import write_csv
    from mmh.metrics.base import METRICS
    from mmh.prompts.lists import read_columns, read_prompts
    from mmh.rows import load_plugins

    load_plugins(plugins, METRICS)
    scores = pd.concat([read_columns(path, SCORE_COLUMNS) for path in prompt_scores], ignore_index=True)
    fits = {name: Fit(fit["by"], tuple(fit["of"])) for name, fit in options["fits"].items()}
    table = combination(read_prompts(prompts), scores, seed=seed, **(options | {"fits": fits}))
    write_csv(table, out, digits=6)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.prompts,
            run.input.prompt_scores,
            run.output.table,
            options=run.params.options,
            seed=run.params.seed,
            plugins=run.params.untracked.plugins,
        )
