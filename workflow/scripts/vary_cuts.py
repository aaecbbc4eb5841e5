"""Evaluate every score by the labels of other cuts, and say what the distance behind them decides anyway."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    scores: Path,
    matches: Path,
    train: Path,
    distances: Path,
    outputs: dict[str, Path],
    *,
    pairs: list[list[float]],
    cuts: dict[str, Any],
    calibration: int,
    large: list[str],
    options: dict[str, Any],
) -> None:
    """Write ``cuts.csv``, ``distance.csv`` and ``matched.csv``; samples below ``calibration`` are left out.

    Parameters
    ----------
    scores, matches, train, distances : path
        `scores.parquet`, `matches.parquet`, `data/train.parquet`, `labels/distances.parquet`.
    outputs : dict of path
        `cuts`, `order` and `matched`, to write.
    pairs : list of (float, float)
        Cuts to evaluate at.
    cuts : dict
        `exact_distance` and `not_distance`, as configured.
    calibration : int
        The first sample ids, which chose t0.
    large : list of str
        Scores whose large values speak for memorization.
    options : dict
        `estimators` and `baselines` of the evaluation.
    """
    from mmh.evaluation.cuts import Planted
    from mmh.io.table_files import read_table, write_csv
    from mmh.io.tables import ALL_SCORES, MATCHES, PLANTED, TRAIN

    world = Planted(
        read_table(scores, ALL_SCORES),
        read_table(matches, MATCHES),
        read_table(train, TRAIN),
        read_table(distances, PLANTED),
        **cuts,
        **options,
        large=large,
        exclude=range(calibration),
    )
    write_csv(world.vary_cuts(pairs), outputs["cuts"], digits=6)
    write_csv(world.order_within(), outputs["order"], digits=6)
    write_csv(world.matched(), outputs["matched"], digits=6)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.scores,
            run.input.matches,
            run.input.train,
            run.input.distances,
            {"cuts": run.output.cuts, "order": run.output.order, "matched": run.output.matched},
            pairs=run.params.pairs,
            cuts=run.params.cuts,
            calibration=run.params.calibration,
            large=run.params.large,
            options=run.params.options,
        )
