"""What a whole run makes, and the tables at its end."""

from mmh.models.base import KINDS
from mmh.plan.experiment import Experiment
from mmh.plan.inputs.base import Inputs, Wildcards
from mmh.plan.inputs.sources import Sources
from mmh.worlds.base import WORLDS

CLAIMS = "results/claims.csv"
"""Claims of a run of several experiments."""


class Run(Inputs):
    """What stands under ``run``."""

    @property
    def experiments(self) -> list[Experiment]:
        """The experiments, in their order."""
        return [Experiment(self.config, name) for name in self.config["run"]]

    def either(self, together: str, alone: str) -> str:
        """A table over all experiments of the run, or that of a run of one, in its own folder.

        So a run of one experiment leaves the summary of the others as it is. Both stand in the rule, where
        ``make status`` reads them.
        """
        names = self.config["run"]
        return alone.format(experiment=names[0]) if len(names) == 1 else together

    @property
    def summary(self) -> str:
        """The table that ends the run."""
        return self.either("results/summary.txt", "results/{experiment}/summary.txt")

    @property
    def run_records(self) -> str:
        """How every score was computed."""
        return self.either("results/run_records.csv", "results/{experiment}/run_records.csv")

    @property
    def runtime(self) -> str:
        """Time and memory of every job."""
        return self.either("results/runtime.csv", "results/{experiment}/runtime.csv")

    @property
    def all_claims(self) -> str:
        """All claims of the run, adjusted; of one experiment beside the claims as they were tested."""
        return self.either(CLAIMS, "results/{experiment}/claims_adjusted.csv")

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
        files = [self.summary, self.run_records, self.runtime] if self.config["run"] else []
        for experiment in self.experiments:
            files += [*experiment.figures, *experiment.result_tables]
        return files

    def finished(self, wildcards: Wildcards) -> list[str]:
        """All of it but the table of run times."""
        return [file for file in self.targets() if file != self.runtime]

    def evaluations(self, wildcards: Wildcards) -> list[str]:
        """Evaluations of all experiments."""
        return self._tables("evaluation.csv")

    def raters(self, wildcards: Wildcards) -> list[str]:
        """Evaluations by other labels, of the experiments that have any."""
        return self._tables("evaluation_raters.csv")

    def claims(self, wildcards: Wildcards) -> list[str]:
        """Claims tested on all experiments."""
        return self._tables("/claims.csv")

    def claims_of_all(self, wildcards: Wildcards) -> str | list[str]:
        """All claims of the run together, if any are tested."""
        return self.all_claims if self.claims(wildcards) else []

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
        sampled = [e for e in self.experiments if e.entry.get("prompts", {}).get("images")]
        return [f"{experiment.folder}/generation_matches.parquet" for experiment in sampled]

    def numerics(self, wildcards: Wildcards) -> list[str]:
        """Files whose run records say how scores were computed."""
        return [file for experiment in self.experiments for file in experiment.numerics_files]
