"""Say what the text of prompt lists alone gives away, and how far the prompts are independent."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    lists: dict[str, tuple[Path, str]],
    prompts: Path | None,
    out: Path,
    report: Path,
    *,
    options: dict[str, Any],
    seed: int,
) -> None:
    """Write the table of the text-only controls, and the report on families and repetitions.

    Parameters
    ----------
    lists : dict
        File and column of each list, by its name.
    prompts : path, optional
        ``prompts.parquet``, in place of lists; its families are taken as they are.
    out, report : path
        CSV and JSON to write.
    options : dict
        Options of `detection.audit.audit`; and `families`, those of `prompts.prompt_families`.
    seed : int
        Root seed of the run; decides on folds.

    Raises
    ------
    InputError
        If a list is malformed, or a pair names an unknown list.
    """
    from mmh.detection.audit import audit
    from mmh.io.files import write_json
    from mmh.io.table_files import write_csv
    from mmh.prompts.lists import describe, prompt_table, read_prompt_list, read_prompts

    options = dict(options)
    families = options.pop("families", {})
    if prompts is None:
        texts = {name: read_prompt_list(path, column=column) for name, (path, column) in lists.items()}
        table = prompt_table(texts, **families)
    else:
        table = read_prompts(prompts)
    write_csv(audit(table, seed=seed, **options), out, digits=6)
    write_json(report, describe(table))


if __name__ == "__main__":
    with job(snakemake) as run:
        columns = {name: entry["column"] for name, entry in run.params.lists.items()}
        main(
            dict(zip(columns, zip(run.input.lists, columns.values(), strict=True), strict=True)),
            getattr(run.input, "prompts", None) or None,  # an empty list where there is none
            run.output.audit,
            run.output.report,
            options=run.params.options,
            seed=run.params.seed,
        )
