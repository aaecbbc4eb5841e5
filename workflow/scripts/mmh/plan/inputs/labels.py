"""Labels of the samples: planted ones, or those of people who look at the candidates."""

from pathlib import Path

from mmh.errors import InputError
from mmh.labels.options import LabelSheet
from mmh.plan.inputs.base import Inputs, Wildcards


class Labels(Inputs):
    """What stands under ``labels``, ``candidates`` and ``label_sheet``."""

    def files(self, wildcards: Wildcards) -> list[str]:
        """The files of labels, one for each rater."""
        experiment = self.experiment(wildcards)
        if experiment.entry["labels"]["source"] == "planted":
            return [f"{experiment.folder}/labels/planted.csv"]
        files = label_files(Path("resources", "labels", experiment.name))
        # Where candidates are listed, an experiment that nobody has labelled yet still has figures.
        if not files and not experiment.judged_by_people:
            raise InputError(
                f"resources/labels/{experiment.name}: holds no label file (*.csv); put one there, or set "
                f"experiments.{experiment.name}.labels.source to planted"
            )
        return [str(file) for file in files]

    def distances(self, wildcards: Wildcards) -> str | list[str]:
        """The distances that planted labels follow from."""
        experiment = self.experiment(wildcards)
        planted = experiment.entry["labels"]["source"] == "planted"
        return f"{experiment.folder}/labels/distances.parquet" if planted else []

    def sheet(self, wildcards: Wildcards) -> str | list[str]:
        """The pairs that people were asked about."""
        experiment = self.experiment(wildcards)
        return f"{experiment.folder}/label_sheet.parquet" if experiment.judged_by_people else []

    def disagreements(self, wildcards: Wildcards) -> str | list[str]:
        """The pairs of a second round of labelling: a copy, as the import writes the list anew."""
        experiment = self.experiment(wildcards)
        if LabelSheet.model_validate(experiment.entry.get("label_sheet", {})).only == "all":
            return []
        kept = Path("resources", "labels", experiment.name, "second_round", "disagreements.csv")
        if not kept.is_file():
            raise InputError(
                f"{kept}: missing; a second round asks about a kept list: run `mkdir -p {kept.parent} && "
                f"cp {experiment.folder}/disagreements.csv {kept.parent}/` while "
                f"experiments.{experiment.name}.label_sheet.only is all"
            )
        return str(kept)


def label_files(folder: Path) -> list[Path]:
    """Find the label files of a folder.

    Parameters
    ----------
    folder : path
        It need not exist. What systems and programs leave beside files (``._anna.csv``, ``~$anna.csv``,
        ``.DS_Store``, ``desktop.ini``), notes (``README``, ``README.txt``, ``*.md``) and sub-folders are
        passed over.

    Returns
    -------
    list of Path
        Its CSV files, in the order of their names.

    Raises
    ------
    InputError
        If there are files of another kind: labels could be in them.
    """
    if not folder.is_dir():
        return []
    files = sorted(path for path in folder.iterdir() if not _aside(path))
    other = [path.name for path in files if path.suffix.lower() != ".csv"]
    if other:
        names = ", ".join(other[:5]) + (" and more" if len(other) > 5 else "")
        raise InputError(
            f"{folder}: holds {names}, and label files are CSV (*.csv, in UTF-8); save labels as CSV, or "
            "move what is no label file elsewhere"
        )
    return files


def _aside(path: Path) -> bool:
    name = path.name.lower()
    return (
        path.is_dir()
        or name.startswith((".", "~$"))
        or name.endswith((".md", "~"))
        or name in ("readme", "readme.txt")
        or name in ("desktop.ini", "thumbs.db")
    )
