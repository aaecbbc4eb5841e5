"""Draw the norm of the guided score against that of the CFG vector on real images (paper Fig. 3)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    scores: Path,
    image_sets: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    *,
    options: dict[str, Any],
) -> None:
    """Draw the figure: as many memorized images as others, and the correlation of the two norms.

    Parameters
    ----------
    scores : path
        `scores.parquet`.
    image_sets : list of path
        Tables of the image sets, ``image_sets/<set>.parquet``.
    pdf, png, csv : path
        Files to write.
    options : dict
        `sets`: two names, the memorized one first; `guided`, `difference`: estimators of the two norms;
        `each`: images drawn of each set; optionally `guidance` (scale, printed), `seed` of the draw and of
        the bootstrap, `experiment` and `paper` for the title.
    """
    import pandas as pd

    from mmh.evaluation import image_sets as sets
    from mmh.io.files import read_table
    from mmh.io.tables import ALL_SCORES
    from mmh.plotting import norms, set_panels, style

    names, seed = options["sets"], options.get("seed", 0)
    x, y = options["difference"], options["guided"]
    rows = read_table(scores, ALL_SCORES)
    scored = sets.side_by_side(rows, sets.read_sets(image_sets), names, [x, y]).dropna()
    drawn = norms.draw_images(scored, names, options["each"], seed)
    found = pd.concat(
        [
            norms.correlations(table, names, x, y, which=which, seed=seed)
            for which, table in (("drawn", drawn), ("scored", scored))
        ],
        ignore_index=True,
    )
    level = rows.loc[rows["estimator"] == y, "t"].iloc[0]
    settings = [rf"$\lambda$ = {options['guidance']:g}"] if "guidance" in options else []
    settings += [] if pd.isna(level) else [f"$t$ = {level:.3g}"]
    fig = norms.norms_figure(
        drawn,
        found,
        set_panels.set_looks(names),
        x=x,
        y=y,
        settings=", ".join(settings),
        title=style.heading(
            options.get("paper", "3"), "guided score and CFG vector", options.get("experiment")
        ),
    )
    style.save(fig, pdf, png)
    points = drawn.rename(columns={"items": "set", x: "cfg_vector", y: "guided_score"})
    style.write_numbers([points.assign(kind="image"), found.assign(kind="correlation")], csv)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.scores,
            run.input.image_sets,
            run.output.pdf,
            run.output.png,
            run.output.csv,
            options=run.params.options,
        )
