"""Every labelled pair, generated above its match, by label and retrieval metric (paper Figs. 12-18)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmh.figures.base import About, Figure, Files, group_files
from mmh.options import base as options
from mmh.options.base import Field

if TYPE_CHECKING:
    from pathlib import Path

    from mmh.plan.experiment import Experiment


class MemorizedPairs(Figure):
    """Every labelled pair, generated above its match, by label and retrieval metric (paper Figs. 12-18)."""

    name = "memorized_pairs"
    papers = ("Figs. 12-15", "Figs. 16-18")
    paper = "Figs. 12-18"
    shows = "labelled pairs by label and metric"
    caption = (
        "Figs. 12-15 (diffusion model), 16-18 (GAN). Labelled pairs, generated over match, by label and "
        "retrieval metric, closest first. "
        "While nobody has labelled the candidates, groups are their ranks, and the figure says so."
    )
    needs = ("retrieval", "labels")
    cost = (10, 300, 2.2, 0.5)

    class Options(options.Options):
        """Options of the figure."""

        per_class: int = Field(ge=1)
        """pairs shown per class and metric"""

    @classmethod
    def paper_of(cls, experiment: Experiment) -> str:
        """The paper has some for a diffusion model and some for the GAN."""
        return cls.papers[experiment.has_generator]

    @classmethod
    def reads(cls, experiment: Experiment) -> dict[str, Any]:
        """The numbers in the title."""
        return {"number": cls.paper_of(experiment).removeprefix("Figs. ")}

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        return {
            **group_files(experiment),
            "samples": experiment.image_files("samples"),
            "train": f"{experiment.folder}/data/train.npz",
        }

    @staticmethod
    def draw(  # type: ignore[override]
        *,
        labels: Path,
        matches: Path,
        candidates: Path | list[Path],
        samples: list[Path],
        train: Path,
        pdf: Path,
        png: Path,
        csv: Path,
        options: MemorizedPairs.Options,
        about: About,
    ) -> None:
        """Draw the figure; each block shows its closest pairs first, and says how many there are."""
        from mmh.evaluation.groups import read_candidates
        from mmh.plotting import groups, style
        from mmh.plotting.images import choice, pairs

        compared, most = groups.read_groups(labels, matches, candidates, lists=True), options.per_class
        if compared.labelled:
            blocks, totals = choice.labelled_pairs(labels, matches, most)
        else:
            blocks, totals = choice.ranked_pairs(read_candidates(labels, candidates), matches, most)
        images = choice.images_of(blocks["sample"], blocks["train"], samples, train)
        title = style.heading(
            about.more["number"],
            f"{'labelled' if compared.labelled else 'closest'} pairs, sample above match",
            about.experiment,
        )

        def sheet(pieces: list[pairs.Piece]) -> Any:
            looks, warning = compared.looks, compared.note
            return pairs.pairs_figure(pieces, totals, *images, looks, title=title, warning=warning)

        pieces = pairs.pieces_of(blocks, compared.looks)
        pages = pairs.paginate(pieces)
        if len(pages) == 1:
            style.save(sheet(pieces), pdf, png)
        else:
            style.save_sheet(sheet(pieces), map(sheet, pages), pdf, png)
        style.write_numbers(compared.numbers(blocks), csv)
