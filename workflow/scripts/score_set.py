"""Compute one estimator at a whole item set: from its images, or by counting its spectra."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    images: list[Path],
    spectra: list[Path],
    candidates: Path | list[Path],
    out: Path,
    *,
    method: str,
    estimator: str,
    options: dict[str, Any],
    seed: int,
    record: dict[str, Any],
    plugins: Sequence[str] = (),
) -> None:
    """Write the long score table; `images` or `spectra` is empty, and `candidates` where all have spectra."""
    from mmh.io.table_files import write_table
    from mmh.io.tables import SCORES
    from mmh.rows import load_plugins
    from mmh.scores import base
    from mmh.scores.steps import count_spectra, score_set

    load_plugins(plugins, base.SCORES)
    score: Any = base.SCORES[method]
    how: dict[str, Any] = {"options": options, "seed": seed, "record": record}
    if spectra:
        table = count_spectra(score, spectra, candidates, estimator, **how)
    else:
        table = score_set(score, images, estimator, **how)
    write_table(table, out, SCORES)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.images,
            run.input.spectra,
            run.input.candidates,
            run.output.scores,
            method=run.params.method,
            estimator=run.wildcards.estimator,
            options=run.params.options,
            seed=run.params.seed,
            record=run.record,
            plugins=run.params.untracked.plugins,
        )
