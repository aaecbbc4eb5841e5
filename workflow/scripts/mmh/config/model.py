"""The whole configuration: its top level, and the sections that an experiment may have."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from mmh.attributed.options import AttributionPlan
from mmh.audit.options import ImageAnswer, PromptAnswer
from mmh.claims.options import claim_forms
from mmh.compute.network_cost import LARGEST_JACOBIAN
from mmh.config import tables
from mmh.copying.options import Copies, Definitions
from mmh.detection.options import Combination, Detection, FieldTable
from mmh.elicited.options import ElicitationPlan
from mmh.evaluation.names import REFERENCE
from mmh.evaluation.options import Evaluation, Paired, Verdicts
from mmh.fetch.options import FetchOptions, Source
from mmh.images.options import image_set_blocks, image_set_kind
from mmh.labels.options import LabelFiles, LabelSheet, PlantedLabels
from mmh.mitigated.options import MitigationPlan, OptimisationPlan
from mmh.models.base import dimension
from mmh.models.options import Clip, Latents
from mmh.options.base import Alternative, Block, Blocks, ExperimentName, Field, Options, Unique
from mmh.options.entries import Config, Entry
from mmh.options.forms import described
from mmh.options.messages import Mistake, missing_key
from mmh.options.names import DISTANCES, OWN_ITEMS, known_names
from mmh.options.plugin_rows import mistakes_of
from mmh.oracles.options import Accuracy
from mmh.prompts.options import PromptAudit, PromptList, prompt_forms
from mmh.retrieval.options import Candidates, DownloadedDescriptor, Retrieval, TrainedDescriptor
from mmh.rewriting.options import RewritingPlan

NAME = re.compile(r"[a-z0-9][A-Za-z0-9_-]*")
_NAMED = [("prompts", "sets"), ("mitigation", "mitigations"), ("attribution", "attributions")]
_NAMED += [("rewriting", "choices"), ("accuracy", "laws")]
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _labels() -> Mapping[str, Alternative]:
    return {"planted": Alternative((PlantedLabels,)), "files": Alternative((LabelFiles,))}


def _descriptors() -> Mapping[str, Alternative]:
    return {"train": Alternative((TrainedDescriptor,)), "download": Alternative((DownloadedDescriptor,))}


def _claims() -> Mapping[str, Alternative]:
    return {"claims": Alternative(claim_forms())}


def _experiment() -> Mapping[str, Alternative]:
    return {"experiment": Alternative((Experiment,))}


ImageSet = Annotated[dict[str, Any], Block("", image_set_blocks, image_set_kind, "an image set")]
Estimator = Annotated[dict[str, Any], Block("method", tables.score_blocks, text="a score")]
Descriptor = Annotated[dict[str, Any], Block("source", _descriptors, text="a copy descriptor")]
Seed = Annotated[int, Field(ge=0, le=9223372036854775807)]
OneExperiment = Annotated[dict[str, Any], Block("", _experiment, lambda *_: "experiment", "one experiment")]


class Experiment(Options):
    """One experiment."""

    replicates: Annotated[list[Seed], Unique(), Field(min_length=2)] | None = None
    """Root seeds that `make replicates` trains it with, in place of `seed`; the data stay the same."""
    data: Annotated[dict[str, Any], Block("world", tables.world_blocks)] | None = None
    """The training set."""
    model: Annotated[dict[str, Any], Block("kind", tables.kind_blocks)] | None = None
    """The model."""
    sampling: Annotated[dict[str, Any], Block("", tables.sampling_blocks, tables.sampling_kind)] | None = None
    """Samples of the model."""
    image_sets: dict[str, ImageSet] | None = None
    """Images that are looked at besides samples and training images, by name."""
    retrieval: Retrieval | None = None
    """Retrieval of training images."""
    labels: Annotated[dict[str, Any], Block("source", _labels)] | None = None
    """Where labels come from."""
    estimators: dict[str, Estimator] | None = None
    """Scores of samples and images, by name."""
    evaluation: Evaluation | None = None
    """AUC and TPR of scores against labels."""
    paired: Paired | None = None
    """LID_* and LID_theta of two models at the same images."""
    figures: Annotated[dict[str, Any], Blocks(tables.figure_blocks)] | None = None
    """Figures, by name, with their options."""
    claims: Annotated[dict[str, Any], Block("", _claims, lambda *_: "claims")] | None = None
    """Claims of the papers to test."""
    copies: Copies | None = None
    """A model's mass in balls beside the law's, and duplicates in training sets: docs/theory.md."""
    definitions: Definitions | None = None
    """Earlier definitions of copying beside LID: docs/theory.md."""
    accuracy: Accuracy | None = None
    """Estimates of LID against the truth on laws of known dimension."""
    verdicts: Verdicts | None = None
    """OD-Mem, DD-Mem, not memorized or undecided, item by item."""
    candidates: Candidates | None = None
    """Samples to look at: LID is estimated on them only."""
    label_sheet: LabelSheet | None = None
    """The page on which people label."""
    latents: Latents | None = None
    """How a text-to-image model is run on real images."""
    prompts: Annotated[dict[str, Any], Block("", prompt_forms, lambda *_: "prompts")] | None = None
    """Prompts that are sampled and scored on the way."""
    prompt_lists: dict[str, PromptList] | None = None
    """Files of prompts, by the name of their set."""
    prompt_audit: PromptAudit | None = None
    """What the text of prompts alone gives away."""
    clip: Clip | None = None
    """A small CLIP model trained on the same pairs."""
    attribution: AttributionPlan | None = None
    """Prompts whose memorization is attributed to their words."""
    mitigation: MitigationPlan | None = None
    """Prompts that are sampled with mitigations."""
    re_elicitation: ElicitationPlan | None = None
    """Attacks on mitigations: docs/mitigation.md."""
    optimisation: OptimisationPlan | None = None
    """Prompts that are sampled on the way of a descent on their embedding."""
    rewriting: RewritingPlan | None = None
    """Prompts that are sampled with some of their words replaced."""
    image_answer: ImageAnswer | None = None
    """Which training images the model memorizes: docs/audit.md."""
    prompt_answer: PromptAnswer | None = None
    """Which prompts the model memorizes: docs/audit.md."""
    detection: Detection | None = None
    """AUC and TPR of detectors of memorized images and prompts."""
    combination: Combination | None = None
    """Which detectors of prompts add to others: docs/detectors.md."""
    field: FieldTable | None = None
    """All detectors of prompts beside what was published: docs/detectors.md."""


class Configuration(Options):
    """Configuration of the mmh pipeline."""

    run: Annotated[list[ExperimentName], Unique()]
    """Experiments that plain `snakemake` builds."""
    seed: Seed
    """Root seed."""
    threads: int = Field(ge=1, le=64)
    """Threads of each computing job."""
    offline: bool = False
    """Never use the network: take files from resources/drop."""
    plugins: Annotated[list[str], Unique()] = []
    """Python files with estimators, metrics, models, worlds or figures of one's own: docs/plugins.md."""
    sources: dict[str, Source] = {}
    """Files that are fetched, by file name."""
    descriptors: dict[
        str, Annotated[dict[str, Any], Block("source", _descriptors, text="a copy descriptor")]
    ] = {}
    """Copy descriptors, by name."""
    experiments: dict[
        str, Annotated[dict[str, Any], Block("", _experiment, lambda *_: "experiment", "one experiment")]
    ]
    """Experiments, by name."""
    fetching: FetchOptions = Field(default_factory=lambda: FetchOptions())
    """How images are fetched by their addresses."""


def structure_mistakes(config: Config) -> Iterator[Mistake]:
    """Sections that an experiment cannot do without.

    Parameters
    ----------
    config : mapping
        Perhaps malformed.

    Yields
    ------
    Mistake
    """
    experiments = config.get("experiments")
    for name, entry in experiments.items() if isinstance(experiments, Mapping) else ():
        if not isinstance(entry, Mapping) or "accuracy" in entry:
            continue
        path = ("experiments", name)
        for key in ("data", "model"):
            if key not in entry:
                yield missing_key(path, key, described(Experiment, key))
        world = entry["data"].get("world") if isinstance(entry.get("data"), Mapping) else None
        if (
            "sampling" not in entry
            and world in tables.WORLDS.rows()
            and tables.WORLDS[world].made in ("make", "import")
        ):
            yield missing_key(path, "sampling", f"an experiment on the world {world!r} needs samples")


def experiment_mistakes(experiment: Entry) -> Iterator[str]:
    """Find what contradicts itself in an experiment and belongs to no section alone.

    Parameters
    ----------
    experiment : Entry
        With well-formed sections.

    Yields
    ------
    str
        One message per mistake.
    """
    where, sampling = experiment.where, experiment.section("sampling")
    for name in experiment.section("image_sets"):
        if name in OWN_ITEMS:
            yield f"{where}.image_sets.{name}: the name stands for this experiment's own images; use another"
    if sampling:
        if sampling["calibration"] > sampling["n_samples"]:
            n = sampling["n_samples"]
            yield f"{where}.sampling.calibration: {sampling['calibration']} exceeds n_samples, {n}"
        if tables.KINDS[experiment.kind].Sampling is None:
            kind = experiment.kind
            yield f"{where}.sampling: a model of kind {kind!r} draws images of prompts alone; remove it"
        row, place = tables.KINDS[experiment.kind], f"{where}.sampling"
        yield from mistakes_of(row, lambda: row.check_sampling(sampling, place), place)
    captioned = known_names("image set", experiment.config, experiment)
    if captioned and not sampling and "latents" not in experiment.entry:
        yield f"{where}.latents: missing; image sets with captions are encoded as it says"
    if experiment.section("prompt_lists") and tables.WORLDS[experiment.world].sets:
        world = experiment.world
        yield f"{where}.prompt_lists: the world {world} has prompts of its own; remove the lists"
    yield from _too_many_products(experiment)
    if "replicates" in experiment.entry:
        yield from (f"{where}.replicates: {said}" for said in _no_replicates(experiment))


def _too_many_products(experiment: Entry) -> Iterator[str]:
    """Metrics of prompts that ask for a larger Krylov space than latents have dimensions."""
    metrics = experiment.section("prompts").get("metrics", ())
    asked = metrics.items() if isinstance(metrics, Mapping) else ()
    named = [(name, block["m"]) for name, block in asked if block and "m" in block]
    dim = dimension(experiment.entry) if named else 0
    for name, m in named:
        place = f"{experiment.where}.prompts.metrics.{name}.m"
        if m == "exact" and dim > LARGEST_JACOBIAN:
            yield f"{place}: exact is for up to {LARGEST_JACOBIAN} values, a latent has {dim}; name a number"
        elif m != "exact" and m > dim:
            yield f"{place}: {m} products, but a latent has {dim} values; at most so many"


def _no_replicates(experiment: Entry) -> Iterator[str]:
    """Why an experiment cannot be trained several times, or has nothing to show for it."""
    if not experiment.kind or tables.KINDS[experiment.kind].made != "train":
        yield "needs a model that is trained here; of others no training is random"
    if experiment.section("labels").get("source") == "files":
        yield "people labelled the samples of one training; those of another are others. Use planted labels"
    if not any(experiment.section(key) for key in ("evaluation", "detection", "claims")):
        yield (
            "needs evaluation, detection or claims, whose numbers are compared; the control of paired models "
            "is trained along with its experiment and needs no key"
        )


def name_mistakes(config: Config) -> Iterator[str]:
    """Refuse names that cannot be part of a path, or that stand for something else.

    Parameters
    ----------
    config : mapping
        Well formed.

    Yields
    ------
    str
        One message per mistake.
    """
    taken = {
        f"{name}{end}"
        for name in config.get("sources", {})
        for end in (".json", ".part", ".part.json", ".part.bad")
    }
    for name in config.get("sources", {}):
        if not FILE_NAME.fullmatch(name):
            yield f"sources.{name}: a source is named by its file: letters, digits, '.', '-' and '_' only"
        if name in taken:
            yield f"sources.{name}: is the name of a file that another source's download makes"
    named = [("descriptors", config.get("descriptors", {})), ("experiments", config["experiments"])]
    for experiment, entry in config["experiments"].items():
        where = f"experiments.{experiment}"
        for name in DISTANCES:
            if name in entry.get("estimators", {}):
                yield f"{where}.estimators.{name}: is a distance that retrieval gives; use another name"
        if REFERENCE in entry.get("estimators", {}):
            yield (
                f"{where}.estimators.{REFERENCE}: is the distance that planted labels follow from; "
                "use another name"
            )
        named += [
            (f"{where}.{key}", entry.get(key, {})) for key in ("estimators", "image_sets", "prompt_lists")
        ]
        named += [(f"{where}.{key}.{of}", entry.get(key, {}).get(of, {})) for key, of in _NAMED]
    for where, group in named:
        for name in group:
            if not NAME.fullmatch(name):
                yield f"{where}.{name}: a name is part of file paths: letters, digits, '-' and '_' only"
