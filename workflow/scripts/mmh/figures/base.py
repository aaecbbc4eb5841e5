"""What a figure says of itself; the table of all figures.

A figure is drawn from saved tables in seconds, without torch. Adding one is adding a module here, the panels
that it needs in `mmh.plotting`, and a line under `figures` in the configuration::

    class Volume(Figure):
        name = "volume"
        paper = "Fig. 9"
        shows = "log-volume by label"
        caption = "Fig. 9. Log-volume of the samples by label."
        needs = ("estimators",)

        class Options(options.Options):
            estimator: EstimatorName
            \"\"\"Name of an estimator.\"\"\"

        @classmethod
        def inputs(cls, experiment):
            return {"scores": f"{experiment.folder}/scores.parquet"}

        @staticmethod
        def draw(*, scores, pdf, png, csv, options, about):
            ...
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from mmh.rows import Row, Table

if TYPE_CHECKING:
    from mmh.plan.experiment import Experiment

Files = dict[str, str | list[str]]


@dataclass(frozen=True)
class About:
    """What a figure is told of its experiment.

    Attributes
    ----------
    experiment : str
        Its name, for the title.
    calibration : int
        The first sample ids, which choose t0 and are shown in no other figure.
    names : dict of str to str
        Printed name of each estimator.
    more : dict
        What `Figure.reads` takes from elsewhere in the configuration.
    """

    experiment: str | None = None
    calibration: int = 0
    names: dict[str, str] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)


class Figure(Row):
    """A figure.

    Attributes
    ----------
    paper : str
        Where it stands in the paper, such as ``Fig. 4``; empty for a figure of this project's own.
    shows : str
        What it shows, in a few words.
    caption : str
        Its caption in the report.
    needs : tuple of str
        Sections of the experiment that it cannot do without.
    world : str
        The only world that it is about; empty: any.
    cost : tuple of float
        Seconds, megabytes, and how many copies of all samples and of the training images are held.
    """

    paper: ClassVar[str] = ""
    shows: ClassVar[str] = ""
    caption: ClassVar[str] = ""
    needs: ClassVar[tuple[str, ...]] = ()
    world: ClassVar[str] = ""
    cost: ClassVar[tuple[float, float, float, float]] = (5, 300, 0, 0)

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from, by the names that `draw` takes; no files: an empty list."""
        raise NotImplementedError

    @classmethod
    def reads(cls, experiment: Experiment) -> dict[str, Any]:
        """Values from other sections of the configuration, which go into `About.more`."""
        return {}

    @classmethod
    def asks(cls, experiment: Experiment) -> list[type[Row]]:
        """Rows of other tables that it asks for by their names."""
        return []

    @classmethod
    def paper_of(cls, experiment: Experiment) -> str:
        """Where it stands in the paper, for this experiment."""
        return cls.paper

    @staticmethod
    def draw(*, options: Any, about: About, **files: Any) -> None:
        """Draw the figure: `files` are the inputs by name, and `pdf`, `png` and `csv` to write."""
        raise NotImplementedError


def group_files(experiment: Experiment) -> Files:
    """Files that `mmh.plotting.groups.read_groups` reads."""
    folder = experiment.folder
    return {
        "labels": f"{folder}/labels.parquet",
        "matches": f"{folder}/matches.parquet",
        "candidates": experiment.candidate_file,
    }


def set_files(experiment: Experiment) -> Files:
    """Files that `mmh.plotting.set_scores.read_scores` reads."""
    folder = experiment.folder
    return {
        "scores": f"{folder}/scores.parquet",
        "image_sets": experiment.caption_tables,
        "evaluation": f"{folder}/evaluation.csv",
        "counts": experiment.attrition_files,
    }


FIGURES: Table[Figure] = Table("figure", "mmh.figures", Figure)
