"""Read lists of prompts into one table, with near-duplicates as families."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    lists: list[Path], out: Path, *, columns: dict[str, str], wanted: dict[str, int], families: dict[str, Any]
) -> None:
    """Write ``prompts.parquet``.

    Parameters
    ----------
    lists : list of path
        One file per set.
    out : path
        Parquet to write.
    columns : dict of str to str
        Name of each set, in the order of the files, and the column of its file.
    wanted : dict of str to int
        How many prompts the configuration says that a set has.
    families : dict
        Options of `prompts.prompt_families`.

    Raises
    ------
    InputError
        If a list is malformed or has another number of prompts.
    """
    from mmh.errors import InputError
    from mmh.io.table_files import write_table
    from mmh.io.tables import PROMPTS
    from mmh.prompts.lists import prompt_table, read_prompt_list

    texts = {}
    for path, (name, column) in zip(lists, columns.items(), strict=True):
        texts[name] = read_prompt_list(path, column=column)
        if wanted.get(name, len(texts[name])) != len(texts[name]):
            raise InputError(
                f"{path}: holds {len(texts[name])} prompts where prompts.sets.{name} in config.yaml says "
                f"{wanted[name]}; correct the number there, or the file"
            )
    write_table(prompt_table(texts, **families), out, PROMPTS)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.lists,
            run.output.prompts,
            columns=run.params.columns,
            wanted=run.params.wanted,
            families=run.params.families,
        )
