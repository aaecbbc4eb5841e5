"""Draw how well metrics of prompts tell memorized ones, beside controls that see the text alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    evaluation: Path,
    prompts: Path,
    prompt_scores: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    *,
    options: dict[str, Any],
) -> None:
    """Draw the figure: ROC curves, and the AUC by metric, steps and number of generations.

    Parameters
    ----------
    evaluation, prompts : path
        `evaluation.csv`, `prompts.parquet`.
    prompt_scores : list of path
        Long tables of the prompts' scores.
    pdf, png, csv : path
        Files to write.
    options : dict
        `pair`: sets of memorized and of other prompts; `curves`: detectors and at most one control whose ROC
        curves are drawn; optionally `metrics` (rows of these only), `steps`, `generations`, `folds` and
        `resamples` as in the evaluation, `seed`, `anchors` (`estimator`, `auc`, `source` of each), `listed`
        (how many prompts the list of a set names), `experiment` and `paper` for the title.
    """
    import pandas as pd

    from mmh.detection.prompt_detectors import SCORE_COLUMNS
    from mmh.plotting import detection, style
    from mmh.prompts.lists import read_columns, read_prompts
    from mmh.stats import roc

    pair, seed = options["pair"], options.get("seed", 0)
    rows = detection.read_rows(evaluation, pair, options.get("metrics", ()))
    anchors = detection.checked_anchors(options.get("anchors", ()), rows)
    scores, positive, families = detection.curve_scores(
        read_prompts(prompts),
        pd.concat([read_columns(path, SCORE_COLUMNS) for path in prompt_scores], ignore_index=True),
        pair,
        options["curves"],
        seed=seed,
        **{key: options[key] for key in ("steps", "generations", "folds") if key in options},
    )
    curves = roc.roc_table(scores, positive, families, seed=seed, resamples=options.get("resamples", 1000))
    fig = detection.detection_figure(
        rows,
        curves,
        anchors,
        pair=pair,
        listed=options.get("listed", {}),
        title=style.heading(
            options.get("paper"),
            "memorized prompts told from others while images are drawn",
            options.get("experiment"),
        ),
    )
    style.save(fig, pdf, png)
    parts = {"auc": rows, "anchor": anchors, "roc": curves}
    style.write_numbers([part.assign(kind=kind) for kind, part in parts.items() if len(part)], csv)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.evaluation,
            run.input.prompts,
            run.input.prompt_scores,
            run.output.pdf,
            run.output.png,
            run.output.csv,
            options=run.params.options,
        )
