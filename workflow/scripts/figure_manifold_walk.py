"""Draw one memorized training image and generations from its caption, side by side (paper Fig. 2)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    matches: Path,
    prompts: Path,
    images: Path,
    generations: list[Path],
    scores: Path,
    image_sets: list[Path],
    pdf: Path,
    png: Path,
    csv: Path,
    *,
    options: dict[str, Any],
) -> None:
    """Draw the figure; the prompt is the median one of its set by similarity, unless the options name one.

    Parameters
    ----------
    matches, prompts : path
        `generation_matches.parquet`, `prompts.parquet`.
    images : path
        Images under the ids that `matches` calls `train`: `data/train.npz`, or an image set.
    generations : list of path
        ``generations/<prompt_set>/<span>.npz`` of the prompt set.
    scores, image_sets : path, list of path
        `scores.parquet` and the tables of the image sets, for the training image's LID.
    pdf, png, csv : path
        Files to write.
    options : dict
        `prompt_set`; `items`: the image set that holds the training images; `estimator`: their LID;
        `generations`: how many are shown; optionally `prompt` (a number in the set), `similarity` (its
        printed name), `experiment` and `paper` for the title.
    """
    import numpy as np

    from mmh.evaluation import image_sets as sets
    from mmh.io.files import read_table
    from mmh.io.tables import ALL_SCORES
    from mmh.plotting import set_panels, style, walk
    from mmh.prompts.lists import read_columns, read_prompts

    name, estimator = options["prompt_set"], options["estimator"]
    chosen = walk.choose(
        read_columns(matches, walk.MATCHES),
        read_prompts(prompts),
        name,
        count=options["generations"],
        prompt=options.get("prompt"),
    )
    rows = read_table(scores, ALL_SCORES)
    lid, error = walk.lid_of_caption(
        rows, sets.read_sets(image_sets), options["items"], chosen.text, estimator
    )
    digits = 1 if abs(lid) < 100 else 0
    spread = f" ± {error:.{digits}f}" if np.isfinite(error) else ""
    fig = walk.walk_figure(
        chosen,
        walk.training_image(images, chosen.train),
        walk.generated_images(generations, chosen.prompt, chosen.shown["generation"].tolist()),
        below=f"LID {lid:.{digits}f}{spread}" if np.isfinite(lid) else "LID not estimated",
        similarity=options.get("similarity", "SSCD similarity"),
        title=style.heading(
            options.get("paper", "2"),
            f"a memorized image and {len(chosen.shown)} generations from its caption; LID by "
            f"{set_panels.score_names(rows, [estimator])[estimator]}",
            options.get("experiment"),
        ),
    )
    style.save(fig, pdf, png)
    style.write_numbers(walk.numbers(chosen, name, lid, error), csv)


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.matches,
            run.input.prompts,
            run.input.images,
            run.input.generations,
            run.input.scores,
            run.input.image_sets,
            run.output.pdf,
            run.output.png,
            run.output.csv,
            options=run.params.options,
        )
