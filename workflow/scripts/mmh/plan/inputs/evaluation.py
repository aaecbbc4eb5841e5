"""Tables that detectors are evaluated on, that verdicts are made of, and that claims are tested on."""

from typing import Any

from mmh.claims.base import CLAIMS
from mmh.detection.options import Combination, FieldTable
from mmh.digest.reach import Root
from mmh.evaluation.options import Verdicts
from mmh.io.spans import SELECTED
from mmh.metrics.base import METRICS, asked_metrics
from mmh.models.base import dimension
from mmh.plan.experiment import Config
from mmh.plan.inputs.base import Inputs, Wildcards, chosen
from mmh.rows import root_of


class Evaluation(Inputs):
    """What stands under ``evaluation``, ``detection``, ``verdicts``, ``paired`` and ``claims``."""

    def calibration(self, wildcards: Wildcards) -> int:
        """How many of the first samples are never evaluated."""
        return int(self.experiment(wildcards).entry.get("sampling", {}).get("calibration", 0))

    def resamples(self, wildcards: Wildcards) -> int:
        """Bootstrap resamples of the claims."""
        return self.experiment(wildcards).resamples

    def large(self, wildcards: Wildcards) -> list[str]:
        """Evaluated scores of samples whose large values speak for memorization."""
        experiment = self.experiment(wildcards)
        options = experiment.entry["evaluation"]
        return experiment.large([*options["estimators"], *options.get("baselines", [])])

    def detection(self, wildcards: Wildcards) -> dict[str, Any]:
        """How detectors are evaluated; scores that the configuration does not call large are so by method."""
        experiment = self.experiment(wildcards)
        options = dict(experiment.entry["detection"])
        if "images" in options:
            images = options["images"]
            large = experiment.large([*images["estimators"], *images["baselines"]])
            said = images.get("large")
            options["images"] = {**images, "large": large if said is None else said}
        return options

    def control_scores(self, wildcards: Wildcards) -> str:
        """Scores of the experiment that this one is compared with."""
        return f"{self._control(wildcards)}/scores.parquet"

    def control_train(self, wildcards: Wildcards) -> str:
        """Training set of the experiment that this one is compared with."""
        return f"{self._control(wildcards)}/data/train.parquet"

    def _control(self, wildcards: Wildcards) -> str:
        return f"results/{self.experiment(wildcards).entry['paired']['control']}"

    def swept_spectra(self, wildcards: Wildcards) -> list[str]:
        """Spectra of the samples by the estimator whose percentiles are swept."""
        experiment = self.experiment(wildcards)
        name = experiment.entry["figures"]["percentile_curve"]["estimator"]
        sets = [items for items in experiment.estimators[name]["items"] if items in ("samples", SELECTED)]
        return [file for items in sets[:1] for file in experiment.spectra_files(items, name)]

    def sweep(self, wildcards: Wildcards) -> dict[str, Any]:
        """How percentiles are swept."""
        experiment = self.experiment(wildcards)
        options = experiment.entry["figures"]["percentile_curve"]
        row: Any = experiment.score(options["estimator"])
        return {
            "side": "above" if row.above else "below",
            "structural_zeros": row.zeros,
            "percentiles": options["percentiles"],
        }

    def cuts(self, wildcards: Wildcards) -> dict[str, float]:
        """The cuts that planted labels have."""
        return chosen(self.experiment(wildcards).entry["labels"], "exact_distance", "not_distance")

    def other_cuts(self, wildcards: Wildcards) -> list[list[float]]:
        """The cuts that the figure shows beside them."""
        options = self.experiment(wildcards).entry["figures"]["auc_by_cut"]
        return [*([cut, cut] for cut in options["cuts"]), *options.get("gaps", [])]

    def scored(self, wildcards: Wildcards) -> dict[str, list[str]]:
        """The scores that are evaluated."""
        return chosen(self.experiment(wildcards).entry["evaluation"], "estimators", "baselines")

    def verdict_tables(self, wildcards: Wildcards) -> dict[str, str]:
        """Pairs of models are judged on the paired images, other experiments on their labelled samples."""
        experiment = self.experiment(wildcards)
        if experiment.entry.get("paired"):
            return {"paired": f"{experiment.folder}/paired.csv"}
        names = ("scores", "labels", "matches", "data/train")
        return {name.rpartition("/")[2]: f"{experiment.folder}/{name}.parquet" for name in names}

    def verdict_options(self, wildcards: Wildcards) -> dict[str, Any]:
        """How items are judged, with all defaults."""
        return Verdicts.model_validate(self.experiment(wildcards).entry["verdicts"]).model_dump()

    def claim_tables(self, wildcards: Wildcards) -> dict[str, str | list[str]]:
        """The tables that the claims asked of an experiment are tested on."""
        experiment = self.experiment(wildcards)
        entry, folder = experiment.entry, experiment.folder
        tables: dict[str, str | list[str]] = {}
        if entry.get("estimators"):
            tables["scores"] = f"{folder}/scores.parquet"
        if entry.get("evaluation"):
            tables |= {name: f"{folder}/{name}.parquet" for name in ("labels", "matches")}
            tables |= {"evaluation": f"{folder}/evaluation.csv", "train": f"{folder}/data/train.parquet"}
        if entry.get("detection"):
            tables |= {"evaluation": f"{folder}/evaluation.csv", "image_sets": experiment.caption_tables}
        if entry.get("paired"):
            tables["paired"] = f"{folder}/paired.csv"
        if entry.get("accuracy", {}).get("conditioned"):
            tables["conditioned"] = f"{folder}/conditioned.csv"
        if entry.get("data", {}).get("world") == "von-mises":
            images = f"{folder}/data/train.npz"
            tables |= {"images": images, "samples": experiment.image_files("samples")}
        if entry.get("mitigation"):
            tables["mitigated"] = f"{folder}/mitigated.parquet"
        if entry.get("rewriting"):
            tables["rewritten"] = f"{folder}/rewriting.parquet"
        if entry.get("attribution"):
            tables["words"] = f"{folder}/attributions.parquet"
        if entry.get("copies"):
            tables |= {name: f"{folder}/{name}.csv" for name in ("balls", "duplicates")}
        if _of_prompts(entry):
            tables |= {"prompts": f"{folder}/prompts.parquet", "prompt_scores": experiment.prompt_score_files}
        return tables

    def definition_tables(self, wildcards: Wildcards) -> dict[str, str]:
        """What groups the samples of an experiment, and their LID."""
        experiment = self.experiment(wildcards)
        names = ["labels", "matches"] if experiment.entry.get("labels") else []
        names += ["scores"] if experiment.entry["definitions"].get("lid") else []
        return {name: f"{experiment.folder}/{name}.parquet" for name in names}

    def tested_by(self, wildcards: Wildcards) -> list[Root]:
        """Code of the claims that are asked of an experiment, and of the metrics whose signs they ask for."""
        entry = self.experiment(wildcards).entry
        rows = [CLAIMS[name] for name in entry["claims"]["check"]]
        metrics = asked_metrics(entry["prompts"]) if _of_prompts(entry) else ()
        return [root_of(row) for row in (*rows, *(METRICS[name] for name in metrics))]

    def claim_options(self, wildcards: Wildcards) -> dict[str, Any]:
        """The claims that are asked of an experiment, and their options alone: others stand beside them."""
        section = self.experiment(wildcards).entry["claims"]
        options = (key for name in section["check"] for key in CLAIMS[name].Options.model_fields)
        return chosen(section, "check", *dict.fromkeys(options))

    def detection_tables(self, wildcards: Wildcards) -> dict[str, str | list[str]]:
        """Tables that detectors are evaluated on; nothing for what an experiment does not evaluate."""
        experiment = self.experiment(wildcards)
        options, folder = experiment.entry["detection"], experiment.folder
        images, prompts = "images" in options, "prompts" in options
        return {
            "scores": f"{folder}/scores.parquet" if images else [],
            "image_sets": experiment.caption_tables if images else [],
            "prompts": f"{folder}/prompts.parquet" if prompts else [],
            "prompt_scores": experiment.prompt_score_files if prompts else [],
        }

    def combination(self, wildcards: Wildcards) -> dict[str, Any]:
        """Which detectors are combined, at the steps and generations that are evaluated."""
        entry = self.experiment(wildcards).entry
        options = Combination.model_validate(entry["combination"]).model_dump()
        return options | chosen(entry["detection"]["prompts"], "steps", "generations")

    def combined(self, wildcards: Wildcards) -> str | list[str]:
        """The table of combined detectors, where there is one."""
        experiment = self.experiment(wildcards)
        return f"{experiment.folder}/combination.csv" if experiment.entry.get("combination") else []

    def field(self, wildcards: Wildcards) -> dict[str, Any]:
        """What costs follow from, and whose published values stand beside."""
        entry = self.experiment(wildcards).entry
        options = FieldTable.model_validate(entry["field"]).model_dump()
        return options | {"steps": entry["prompts"]["steps"], "dim": dimension(entry)}

    def metrics(self, wildcards: Wildcards) -> dict[str, Any]:
        """Metrics of prompts, with all their options."""
        asked = asked_metrics(self.experiment(wildcards).entry["prompts"])
        return {name: taken.model_dump(mode="json") for name, taken in asked.items()}


def _of_prompts(entry: Config) -> bool:
    """Whether a claim is asked that reads metrics of prompts, of an experiment that has some."""
    asked = [CLAIMS[name] for name in entry.get("claims", {}).get("check", ())]
    read = any("prompt_scores" in (*row.tables, *row.perhaps) for row in asked)
    return bool(entry.get("prompts")) and read
