"""Answer which training images a model memorizes: a ranked table, tests against a null, and one page."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    train: Path,
    samples: list[Path],
    holdout: list[Path],
    scores: Path | list[Path],
    embeddings: dict[str, list[Path]],
    model: Path,
    page: Path,
    table: Path,
    *,
    folder: str | None,
    options: dict[str, Any],
    seed: int,
    record: dict[str, Any],
) -> None:
    """Write the page and the table; `holdout`, `scores` and `embeddings` are empty where there are none."""
    from mmh.audit.facts import facts, file_names, unseen_images
    from mmh.audit.image_answer import answer_images
    from mmh.audit.image_page import image_page
    from mmh.audit.reading import read_evidence
    from mmh.compute.rng import generator
    from mmh.io.files import atomic
    from mmh.io.table_files import write_csv

    given = read_evidence(train, samples, holdout, scores, embeddings, options)
    level, rng = options["level"], generator(seed, "audit", 0)
    answer = answer_images(given, neighbours=options["neighbours"], level=level, rng=rng)
    names = file_names(folder, len(given.train))
    answer.table.insert(1, "file", [names[row] for row in answer.table["train"]])
    write_csv(answer.table, table, digits=6)
    how = {"level": level, "shown": options["shown"]}
    how["facts"] = facts(model, [train, *samples, *holdout], seed=seed)
    how["unseen"] = unseen_images(len(given.samples), given.lid is not None, given.alike is not None)
    with atomic(page) as partial:
        partial.write_text(image_page(answer, given.train, given.samples, names, **how), encoding="utf-8")
    record |= {"answer": answer.sentence, "found": answer.found}
    record["sets"] = {kind: vars(test) for kind, test in answer.sets.items()}


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            run.input.train,
            run.input.samples,
            run.input.holdout,
            run.input.scores or [],
            {key: value for key, value in vars(run.input).items() if key.endswith("_embeddings")},
            run.input.model,
            run.output.page,
            run.output.table,
            folder=run.params.folder,
            options=run.params.options,
            seed=run.params.seed,
            record=run.record,
        )
