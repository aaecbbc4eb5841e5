"""Compute AUC and TPR of detectors on image sets and on prompts, with gains over the controls."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    scores: Path | None,
    image_sets: list[Path],
    prompts: Path | None,
    prompt_scores: list[Path],
    out: Path,
    *,
    options: dict[str, Any],
    seed: int,
    plugins: Sequence[str] = (),
) -> None:
    """Write ``evaluation.csv``: rows of image sets, then rows of prompts.

    Parameters
    ----------
    scores : path, optional
        ``scores.parquet`` with the scores of the image sets; none where only prompts are evaluated.
    image_sets : list of path
        ``<set>.parquet`` of each set.
    prompts : path, optional
        ``prompts.parquet``; none where only image sets are evaluated.
    prompt_scores : list of path
        Long tables of the prompts' scores.
    out : path
        CSV to write.
    options : dict
        As for `detection_table.evaluate_detection`; `images` and `prompts` are absent where not wanted.
    plugins : sequence of str
        Files with metrics of one's own.

    Raises
    ------
    InputError
        If a table is malformed, or a set, a score or a prompt is missing.
    """
    import pandas as pd

    from mmh.detection.detection_table import evaluate_detection
    from mmh.detection.prompt_detectors import SCORE_COLUMNS
    from mmh.io.table_files import read_table, write_csv
    from mmh.io.tables import ALL_SCORES
    from mmh.metrics.base import METRICS
    from mmh.prompts.lists import read_columns, read_prompts
    from mmh.rows import load_plugins

    load_plugins(plugins, METRICS)
    of_images, of_prompts = None, None
    if scores is not None and "images" in options:
        sets = {path.stem: read_columns(path, ("item", "caption", "family")) for path in image_sets}
        of_images = read_table(scores, ALL_SCORES), sets
    if prompts is not None and "prompts" in options:
        table = pd.concat([read_columns(path, SCORE_COLUMNS) for path in prompt_scores], ignore_index=True)
        of_prompts = read_prompts(prompts), table
    write_csv(evaluate_detection(of_images, of_prompts, options=options, seed=seed), out, digits=6)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            getattr(run.input, "scores", None) or None,  # an empty list where there is none
            run.input.image_sets,
            getattr(run.input, "prompts", None) or None,
            run.input.prompt_scores,
            run.output.evaluation,
            options=run.params.options,
            seed=run.params.seed,
            plugins=run.params.untracked.plugins,
        )
