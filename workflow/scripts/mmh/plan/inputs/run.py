"""What a whole run makes, and the tables at its end."""

from mmh.models.base import KINDS
from mmh.plan.experiment import Experiment
from mmh.plan.inputs.base import Inputs, Wildcards
from mmh.plan.inputs.sources import Sources
from mmh.worlds.base import WORLDS

RUNTIME = "results/runtime.csv"


class Run(Inputs):
    """What stands under ``run``."""

    @property
    def experiments(self) -> list[Experiment]:
        """The experiments, in their order."""
        return [Experiment(self.config, name) for name in self.config["run"]]

    @property
    def embedded(self) -> list[str]:
        """Names of the experiments, run or not, that need no file or folder from elsewhere."""
        fetching = {name for users in Sources(self.config).users.values() for name in users}
        return [
            name
            for name, entry in self.config["experiments"].items()
            if name not in fetching
            and not Experiment(self.config, name).listed_sources
            and ("data" not in entry or WORLDS[entry["data"]["world"]].made != "import")
            and ("model" not in entry or KINDS[entry["model"]["kind"]].made == "train")
        ]

    def targets(self) -> list[str]:
        """Everything that plain ``snakemake`` makes: figures and tables of the experiments under ``run``."""
        files = ["results/summary.txt", "results/run_records.csv", RUNTIME] if self.config["run"] else []
        for experiment in self.experiments:
            files += [*experiment.figures, *experiment.result_tables]
        return files

    def finished(self, wildcards: Wildcards) -> list[str]:
        """All of it but the table of run times."""
        return [file for file in self.targets() if file != RUNTIME]

    def evaluations(self, wildcards: Wildcards) -> list[str]:
        """Evaluations of all experiments."""
        return self._tables("evaluation.csv")

    def claims(self, wildcards: Wildcards) -> list[str]:
        """Claims tested on all experiments."""
        return self._tables("claims.csv")

    def _tables(self, name: str) -> list[str]:
        files = [file for experiment in self.experiments for file in experiment.result_tables]
        return [file for file in files if file.endswith(name)]

    def labels(self, wildcards: Wildcards) -> list[str]:
        """Labels of the experiments that have any."""
        labelled = [experiment for experiment in self.experiments if experiment.entry.get("labels")]
        return [f"{experiment.folder}/labels.parquet" for experiment in labelled]

    def sheets(self, wildcards: Wildcards) -> list[str]:
        """The pairs that people are asked about, of every experiment that they label."""
        asked = [experiment for experiment in self.experiments if experiment.judged_by_people]
        return [f"{experiment.folder}/label_sheet.parquet" for experiment in asked]

    def generations(self, wildcards: Wildcards) -> list[str]:
        """Matches of the generations of the experiments that sample prompts."""
        sampled = [experiment for experiment in self.experiments if experiment.entry.get("prompts")]
        return [f"{experiment.folder}/generation_matches.parquet" for experiment in sampled]

    def numerics(self, wildcards: Wildcards) -> list[str]:
        """Files whose run records say how scores were computed."""
        return [file for experiment in self.experiments for file in experiment.numerics_files]
