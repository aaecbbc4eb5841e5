"""Draw examples of each label above their matches, with LID_θ (paper Fig. 5a)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    scores: Path,
    labels: Path,
    matches: Path,
    candidates: Path | list[Path],
    samples: list[Path],
    train: Path,
    pdf: Path,
    png: Path,
    csv: Path,
    *,
    options: dict[str, Any],
) -> None:
    """Draw the figure: exact | reconstructive | not memorized with the lowest LID_θ.

    Parameters
    ----------
    scores, labels, matches : path
        `scores.parquet`, `labels.parquet`, `matches.parquet`.
    candidates : path, list of path
        `candidates.parquet`, which is drawn while nobody has labelled, or nothing.
    samples, train : paths, path
        Image shards of the samples, and `data/train.npz`.
    pdf, png, csv : path
        Files to write.
    options : dict
        `estimator`: name on the samples; `columns`: pairs per label; optionally `experiment` and `paper` for
        the title, and `calibration`: the first sample ids, which are left out.
    """
    from mmh.evaluation import selection
    from mmh.plotting import choice, groups, pairs, style, tables

    name = options["estimator"]
    compared = groups.read_groups(labels, matches, candidates, lists=True)
    frame = selection.grouped_samples(
        scores, compared.rows, [name], calibration=options.get("calibration", 0)
    )
    chosen = choice.choose_examples(frame, options["columns"], compared.looks)
    fig = pairs.examples_figure(
        chosen,
        frame["label"].value_counts(),
        *choice.images_of(chosen["item"], chosen["train"], samples, train),
        compared.looks,
        columns=options["columns"],
        title=style.heading(
            options.get("paper", "5a"),
            rf"samples above their match; below, $\widehat{{\mathrm{{LID}}}}_\theta$ by "
            f"{tables.panel_names(frame, [name])[name]}",
            options.get("experiment"),
        ),
        warning=compared.note,
    )
    style.save(fig, pdf, png)
    style.write_numbers(compared.numbers(chosen), csv)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.scores,
            run.input.labels,
            run.input.matches,
            run.input.candidates,
            run.input.samples,
            run.input.train,
            run.output.pdf,
            run.output.png,
            run.output.csv,
            options=run.params.options,
        )
