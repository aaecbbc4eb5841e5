"""Put the claims of all experiments of a run together, each adjusted for how many there are."""

from pathlib import Path
from typing import TYPE_CHECKING

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(claims: list[Path], out: Path) -> None:
    """Write one table of all of them."""
    import pandas as pd

    from mmh.claims.table import of_run
    from mmh.io.table_files import write_csv

    tables = {path.parent.name: pd.read_csv(path, dtype={"claim": str}) for path in claims}
    write_csv(of_run(tables), out, digits=6)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(run.input.claims, run.output.claims)
