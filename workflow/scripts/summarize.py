"""Write the table that ends a run: what was memorized, AUCs with intervals, claims, where to look."""

from pathlib import Path
from typing import TYPE_CHECKING

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    evaluations: list[Path],
    raters: list[Path],
    claims: Path | list[Path],
    labels: list[Path],
    sheets: list[Path],
    generations: list[Path],
    out: Path,
) -> None:
    """Write plain text of at most 110 columns."""
    from mmh.io.files import atomic
    from mmh.reporting.summary import claim_lines, evaluation_lines, generation_lines, label_lines

    lines = ["", "What the models memorized (samples by label)", *label_lines(labels, sheets)]
    lines += generation_lines(generations)
    lines += [
        "",
        "How well each score tells memorized samples (AUC with 95 % interval, given this one model)",
        *evaluation_lines(evaluations, raters),
    ]
    lines += ["", *claim_lines(claims)]
    lines += ["", "Report   results/report.html", "Figures  results/<experiment>/figures/", ""]
    with atomic(out) as partial:
        partial.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.evaluations,
            run.input.raters,
            run.input.claims,
            run.input.labels,
            run.input.sheets,
            run.input.generations,
            run.output.summary,
        )
