"""Count how often attacks bring training images back past mitigations, beside chance."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    inputs: dict[str, Any],
    out: Path,
    table: Path,
    *,
    options: dict[str, Any],
    device: str,
    record: dict[str, Any],
    progress: Any,
) -> None:
    """Write ``elicited.parquet``, a row for each image, and ``re_elicitation.csv``.

    `inputs`: prompts, elicited, mitigated, images, captions and descriptor, as the rule names them.
    """
    from mmh.elicited.table import chance_threshold, elicitation_table, measured
    from mmh.io.table_files import read_table, write_csv, write_table
    from mmh.io.tables import ELICITED, MITIGATED
    from mmh.mitigated.reading import instruments, read_truth

    plain = read_table(inputs["mitigated"], MITIGATED)
    how = (options["reference"], options["control"], options["percentile"])
    record["threshold"] = threshold = chance_threshold(plain, *how)
    truth = read_truth(inputs["prompts"], inputs["images"], inputs["captions"])
    tools, _ = instruments(truth, inputs["descriptor"], [], options, device)
    files = inputs["elicited"]
    found = measured(files, truth, tools["embedded"], threshold, progress(len(files)))
    write_table(found, out, ELICITED)
    said = {key: options[key] for key in ("control", "least_excess", "most_chance")}
    write_csv(elicitation_table(found, threshold=threshold, **said), table, digits=6)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            vars(run.input),
            run.output.images,
            run.output.table,
            options=run.params.options,
            device=run.device,
            record=run.record,
            progress=run.progress,
        )
