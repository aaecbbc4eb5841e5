"""Checks of the configuration, wildcards, and the input functions that rules share.

INPUTS: config.yaml, workflow/schemas/config.schema.json
OUTPUTS: none; every other file of this folder uses the functions below
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir, "workflow", "scripts")))

from mmh.plan import cost, files as plan
from mmh.config.check import check_config
from mmh.errors import InputError
from mmh.fetch.hub import FLAT, PATTERNS
from mmh.provenance import code_digest
from mmh.io.spans import span_range, spans
from mmh.worlds.catalogue import NAMES as EMBEDDED

try:
    check_config(
        config, json.loads(Path(workflow.basedir, "workflow", "schemas", "config.schema.json").read_text())
    )
except InputError as error:
    raise WorkflowError(str(error)) from None


wildcard_constraints:
    **plan.wildcard_patterns(config),


# A job's threads are part of its bytes; as a parameter, a change of them reruns the job (mmh.job.frame checks them).
compute_options = {"threads": config["threads"]}


def all_targets():
    return plan.targets(config)


def job_need(wildcards, rulename):
    """What the cost model expects of a job, on a GPU if the profile gives its rule a number of them."""
    gpu = workflow.get_rule(rulename).resources.get("gpu")
    given = gpu is not None and not gpu.is_evaluable() and int(gpu.value or 0) > 0
    return cost.need(config, rulename, dict(wildcards.items()), gpu=given)


def job_memory(wildcards, rulename, attempt):
    return cost.memory(job_need(wildcards, rulename), attempt)


def job_runtime(wildcards, rulename, attempt):
    return cost.runtime(job_need(wildcards, rulename), attempt)


def experiments_with(section, key, *values):
    """Pattern of the experiments whose `section` has one of `values` under `key`."""
    entries = config["experiments"].items()
    return "|".join(name for name, entry in entries if entry.get(section, {}).get(key) in values) or "(?!)"


def estimators_of(*methods):
    """Pattern of the estimators that use one of `methods`."""
    entries = [entry.get("estimators", {}) for entry in config["experiments"].values()]
    return (
        "|".join(
            sorted(
                {name for group in entries for name, options in group.items() if options["method"] in methods}
            )
        )
        or "(?!)"
    )


def trained_descriptors():
    """Pattern of the descriptors that are trained here."""
    names = [name for name, entry in config.get("descriptors", {}).items() if entry["source"] == "train"]
    return "|".join(names) or "(?!)"


def without(options, *keys):
    """A copy of `options` without the keys that do not change the bytes of a job's output."""
    return {key: value for key, value in options.items() if key not in keys}


def sampling_options(wildcards):
    options = config["experiments"][wildcards.experiment]["sampling"]
    return without(options, "n_samples", "shard_size", "calibration")


def embedding_options(wildcards):
    options = config["experiments"][wildcards.experiment]["retrieval"]
    return {key: options[key] for key in ("preprocess", "batch_size")}


def search_options(wildcards):
    options = config["experiments"][wildcards.experiment]["retrieval"]
    return without(options, "descriptor", "preprocess", "batch_size", "shard_size")


def estimator_options(wildcards):
    options = config["experiments"][wildcards.experiment]["estimators"][wildcards.estimator]
    return without(options, "method", "items", "subset", "shard_size")


def lid_options(wildcards):
    """An estimator's options, and how a text-to-image model is loaded where the experiment has one."""
    return {**estimator_options(wildcards), **loading(wildcards)}


def spectra_options(wildcards):
    return without(estimator_options(wildcards), "percentile")


def sample_files(wildcards):
    return plan.image_files(config, wildcards.experiment, "samples")


def source_options(wildcards):
    """A row of the table of sources, as an object: Snakemake compares plain values only."""
    needed_by = plan.source_users(config)[wildcards.source]
    row = {**config["sources"][wildcards.source], "needed_by": needed_by}
    return SimpleNamespace(row=row, offline=config.get("offline", False))


def declared_digest(section):
    """Params function: the digest of the file that an experiment's data or model comes from, not compared."""

    def digest(wildcards):
        name = config["experiments"][wildcards.experiment][section]["source"]
        return SimpleNamespace(sha256=config["sources"][name]["sha256"])

    return digest


def data_source(wildcards):
    return f"{plan.DOWNLOADS}/{config['experiments'][wildcards.experiment]['data']['source']}"


def model_source(wildcards):
    return f"{plan.DOWNLOADS}/{config['experiments'][wildcards.experiment]['model']['source']}"


def diffusers_folder(wildcards):
    """The files of a local diffusers folder that are there; nothing for a repository on the hub."""
    path = config["experiments"][wildcards.experiment]["model"].get("path")
    if not path:
        return {}
    files = [str(file) for pattern in (*PATTERNS, *FLAT) for file in sorted(Path(path).glob(pattern))]
    return {"files": files or [f"{path}/model_index.json"]}


def image_files(wildcards):
    whole = "span" not in wildcards.keys() or wildcards.item_set == plan.SELECTED
    ids = None if whole else span_range(wildcards.span)
    return plan.image_files(config, wildcards.experiment, wildcards.item_set, ids)


def shown_sample_files(wildcards):
    """Samples that `examples` chooses from: those that have its score."""
    entry = config["experiments"][wildcards.experiment]
    scored = entry["estimators"].get(entry["figures"]["examples"]["estimator"], {}).get("items", [])
    return plan.image_files(
        config, wildcards.experiment, plan.SELECTED if plan.SELECTED in scored else "samples"
    )


def embedding_files(wildcards):
    size = config["experiments"][wildcards.experiment]["retrieval"]["shard_size"]
    return {
        f"{items}_embeddings": [
            f"results/{wildcards.experiment}/embeddings/{items}/{span}.npz"
            for span in spans(plan.n_items(config, wildcards.experiment, items), size)
        ]
        for items in ("samples", "train")
    }


def descriptor_file(wildcards):
    return descriptor_path(config["experiments"][wildcards.experiment]["retrieval"]["descriptor"])


def descriptor_path(name):
    options = config["descriptors"][name]
    if options["source"] == "download":
        return f"{plan.DOWNLOADS}/{options['file']}"
    return f"results/descriptors/{name}.pt"


def spectra_files(wildcards):
    folder = f"results/{wildcards.experiment}/spectra/{wildcards.item_set}/{wildcards.estimator}"
    chosen = plan.score_spans(config, wildcards.experiment, wildcards.item_set, wildcards.estimator)
    return [f"{folder}/{span}.npz" for span in chosen]


def swept_spectra(wildcards):
    """Spectra of the samples by the estimator whose percentiles are swept."""
    entry = config["experiments"][wildcards.experiment]
    name = entry["figures"]["percentile_curve"]["estimator"]
    chosen = [items for items in entry["estimators"][name]["items"] if items in ("samples", plan.SELECTED)][
        :1
    ]
    return [
        f"results/{wildcards.experiment}/spectra/{items}/{name}/{span}.npz"
        for items in chosen
        for span in plan.score_spans(config, wildcards.experiment, items, name)
    ]


def sweep_options(wildcards):
    entry = config["experiments"][wildcards.experiment]
    options = entry["figures"]["percentile_curve"]
    jacobian = entry["estimators"][options["estimator"]]["method"] == "jacobian"
    return {
        "side": "above" if jacobian else "below",
        "structural_zeros": int(jacobian),  # z is normalised on entry
        "percentiles": options["percentiles"],
        "resamples": resamples(wildcards),
    }


def left_out_of_pool(wildcards):
    """The candidates, where they make up much of the images that have spectra."""
    selected = wildcards.item_set == plan.SELECTED
    return f"results/{wildcards.experiment}/candidates.parquet" if selected else []


def score_files(wildcards):
    return plan.score_files(config, wildcards.experiment)


def label_files(wildcards):
    if config["experiments"][wildcards.experiment]["labels"]["source"] == "planted":
        return [f"results/{wildcards.experiment}/labels/planted.csv"]
    files = sorted(Path("resources", "labels", wildcards.experiment).glob("*.csv"))
    # Where candidates are listed, an experiment that nobody has labelled yet still has figures.
    if not files and not judged_by_people(wildcards.experiment):
        raise WorkflowError(
            f"resources/labels/{wildcards.experiment}: holds no label file (*.csv); put one there, or set "
            f"experiments.{wildcards.experiment}.labels.source to planted"
        )
    return [str(file) for file in files]


def item_sets(wildcards):
    """Names of the item sets of the score tables, in the order of `score_files`."""
    return [Path(file).parts[3] for file in plan.score_files(config, wildcards.experiment)]


def judged_by_people(experiment):
    """Whether only candidates are labelled: figures then have ranks to show while there are no labels."""
    entry = config["experiments"][experiment]
    return "candidates" in entry and entry.get("labels", {}).get("source") == "files"


def candidate_file(wildcards):
    """The list of candidates, where people judge them."""
    listed = judged_by_people(wildcards.experiment)
    return f"results/{wildcards.experiment}/candidates.parquet" if listed else []


def sheet_file(wildcards):
    """The pairs that people were asked about."""
    return (
        f"results/{wildcards.experiment}/label_sheet.parquet"
        if judged_by_people(wildcards.experiment)
        else []
    )


def disagreement_file(wildcards):
    """The pairs of a second round of labelling: a copy, as the import writes the list anew."""
    only = config["experiments"][wildcards.experiment].get("label_sheet", {}).get("only", "all")
    if only == "all":
        return []
    kept = Path("resources", "labels", wildcards.experiment, "second_round", "disagreements.csv")
    if not kept.is_file():
        raise WorkflowError(
            f"{kept}: missing; a second round asks about a kept list: run `mkdir -p {kept.parent} && "
            f"cp results/{wildcards.experiment}/disagreements.csv {kept.parent}/` while "
            f"experiments.{wildcards.experiment}.label_sheet.only is all"
        )
    return str(kept)


def ratio_options(wildcards):
    """Estimators that are quotients of two others."""
    estimators = config["experiments"][wildcards.experiment].get("estimators", {})
    return {name: options for name, options in estimators.items() if options["method"] == plan.RATIO}


def calibration(wildcards):
    return config["experiments"][wildcards.experiment].get("sampling", {}).get("calibration", 0)


def control_file(name):
    """Input function: a file of the experiment that this one is compared with."""

    def control(wildcards):
        return f"results/{config['experiments'][wildcards.experiment]['paired']['control']}/{name}"

    return control


def figure_options(figure):
    """Params function: a figure's options with what every figure's title and selection need."""

    def options(wildcards):
        entry = config["experiments"][wildcards.experiment]
        common = {"experiment": wildcards.experiment}
        common |= {"calibration": entry["sampling"]["calibration"]} if "sampling" in entry else {}
        paired = {key: value for key, value in entry.get("paired", {}).items() if key.endswith("estimator")}
        law = {
            key: entry["data"][key]
            for key in ("concentration", "centre_weight")
            if key in entry.get("data", {})
        }
        extra = {"lid_paired": paired, "lid_scatter": law}.get(figure, {})
        return {**common, **extra, **entry["figures"][figure]}

    return options


def law_options(wildcards):
    """What defines a law, without how many of its points are looked at."""
    options = config["experiments"][wildcards.experiment]["accuracy"]["laws"][wildcards.law]
    return without(options, "items", "spectra_items")


def learned_score(wildcards):
    """The network that was trained on a law, where there is one."""
    learned = config["experiments"][wildcards.experiment]["accuracy"].get("learned", {})
    return (
        {"model": f"results/{wildcards.experiment}/learned/{wildcards.law}"}
        if wildcards.law in learned
        else {}
    )


def accuracy_options(wildcards):
    return without(config["experiments"][wildcards.experiment]["accuracy"], "laws", "learned", "resamples")


def accuracy_files(wildcards):
    return plan.accuracy_files(config, wildcards.experiment)


def ambient_dimensions(wildcards):
    laws = config["experiments"][wildcards.experiment]["accuracy"]["laws"]
    return {name: options["ambient"] for name, options in laws.items()}


def resamples(wildcards):
    """Bootstrap resamples of the claims: those of the evaluation."""
    return config["experiments"][wildcards.experiment].get("evaluation", {}).get("resamples", 1000)


def claim_tables(wildcards):
    """The tables that the claims asked of an experiment are tested on."""
    entry = config["experiments"][wildcards.experiment]
    folder = f"results/{wildcards.experiment}"
    tables = {}
    if entry.get("estimators"):
        tables["scores"] = f"{folder}/scores.parquet"
    if entry.get("evaluation"):
        tables |= {name: f"{folder}/{name}.parquet" for name in ("labels", "matches")}
        tables |= {"evaluation": f"{folder}/evaluation.csv", "train": f"{folder}/data/train.parquet"}
    if entry.get("detection"):
        tables |= {"evaluation": f"{folder}/evaluation.csv", "image_sets": caption_tables(wildcards)}
    if entry.get("paired"):
        tables["paired"] = f"{folder}/paired.csv"
    if entry["data"]["world"] == "von-mises":
        tables |= {
            "images": f"{folder}/data/train.npz",
            "samples": plan.image_files(config, wildcards.experiment, "samples"),
        }
    return tables


def verdict_tables(wildcards):
    """Pairs of models are judged on the paired images, other experiments on their labelled samples."""
    folder = f"results/{wildcards.experiment}"
    if config["experiments"][wildcards.experiment].get("paired"):
        return {"paired": f"{folder}/paired.csv"}
    return {name: f"{folder}/{name}.parquet" for name in ("scores", "labels", "matches")}


def evaluation_files(wildcards):
    return [file for file in plan.all_result_tables(config) if file.endswith("evaluation.csv")]


def claim_files(wildcards):
    return [file for file in plan.all_result_tables(config) if file.endswith("claims.csv")]


def labelled_files(wildcards):
    return [
        f"results/{name}/labels.parquet"
        for name in config["run"]
        if config["experiments"][name].get("labels")
    ]


def asked_files(wildcards):
    """The pairs that people are asked about, of every experiment that they label."""
    return [f"results/{name}/label_sheet.parquet" for name in config["run"] if judged_by_people(name)]


def numerics_files(wildcards):
    return [file for name in config["run"] for file in plan.numerics_files(config, name)]


def finished_files(wildcards):
    return [file for file in plan.targets(config) if file != "results/runtime.csv"]
