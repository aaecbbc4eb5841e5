"""Draw one figure from saved tables."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmh.job.frame import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    files: dict[str, Path | list[Path]],
    outputs: dict[str, Path],
    *,
    figure: str,
    options: dict[str, Any],
    about: dict[str, Any],
    plugins: list[str],
) -> None:
    """Write `pdf`, `png` and `csv`; the rest is what the figure asks for: `mmh.figures.base`."""
    from mmh.figures.base import FIGURES, About
    from mmh.metrics.base import METRICS
    from mmh.rows import load_plugins

    load_plugins(plugins, FIGURES, METRICS)
    row = FIGURES[figure]
    row.draw(**files, **outputs, options=row.Options.model_validate(options), about=About(**about))


if __name__ == "__main__":
    with job(snakemake) as run:
        main(
            vars(run.input),
            vars(run.output),
            figure=run.wildcards.figure,
            options=run.params.options,
            about=run.params.about,
            plugins=run.params.untracked.plugins,
        )
