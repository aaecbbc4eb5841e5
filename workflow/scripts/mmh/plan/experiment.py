"""One experiment of the configuration: how many items its sets have, and which files hold them.

How many spans there are follows from counts and shard sizes in the configuration, so the whole plan is known
before any job runs.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from mmh.compute.network_cost import Network
from mmh.io.spans import SELECTED, overlapping, spans
from mmh.models.base import KINDS, Kind, dimension
from mmh.scores.base import SCORES, Score
from mmh.worlds.base import WORLDS, World

Config = Mapping[str, Any]

DOWNLOADS = "resources/downloads"


class Experiment:
    """One entry of ``experiments`` in the configuration.

    Parameters
    ----------
    config : mapping
        The whole configuration: an image set may belong to another experiment.
    name : str

    Attributes
    ----------
    config, name
        As given.
    entry : mapping
        What stands under its name.
    folder : str
        Of its results.
    """

    def __init__(self, config: Config, name: str) -> None:
        self.config, self.name = config, name
        self.entry: Config = config["experiments"][name]
        self.folder = f"results/{name}"

    @property
    def n_train(self) -> int:
        """Number of training images."""
        return self.world.n_train(self.entry["data"])

    @property
    def world(self) -> type[World]:
        """Its world."""
        return WORLDS[self.entry["data"]["world"]]

    @property
    def kind(self) -> type[Kind]:
        """The kind of its model."""
        return KINDS[self.entry["model"]["kind"]]

    def n_items(self, items: str, subset: str | None = None) -> int:
        """Number of items in a set.

        Parameters
        ----------
        items : str
            ``samples``, ``selected``, ``train`` or an image set of the experiment.
        subset : str, optional
            ``calibration``: only the first samples, those used to choose t0.

        Returns
        -------
        int
        """
        if items == "samples":
            return int(self.entry["sampling"]["calibration" if subset == "calibration" else "n_samples"])
        if items == SELECTED:
            return int(self.entry["candidates"]["total"])
        if items == "train":
            return self.n_train
        other = self.entry["image_sets"][items]
        if "experiment" in other:
            return Experiment(self.config, other["experiment"]).n_items(other["items"])
        if "n" in other:
            return int(other["n"])
        return self.world.set_size(self.entry["data"], items)

    def image_files(self, items: str, ids: range | None = None) -> list[str]:
        """Files that hold the images of an item set.

        Parameters
        ----------
        items : str
        ids : range, optional
            Only the shards that hold one of these ids.

        Returns
        -------
        list of str
        """
        if items == "samples":
            n, size = self.n_items(items), int(self.entry["sampling"]["shard_size"])
            chosen = spans(n, size) if ids is None else overlapping(ids, n, size)
            return [f"{self.folder}/samples/{span}.npz" for span in chosen]
        if items == SELECTED:
            return [f"{self.folder}/selected.npz"]
        if items == "train":
            return [f"{self.folder}/data/train.npz"]
        other = self.entry["image_sets"][items]
        if "experiment" in other:
            return Experiment(self.config, other["experiment"]).image_files(other["items"], ids)
        n, size = self.n_items(items), int(self.entry["latents"]["shard_size"])
        chosen = spans(n, size) if ids is None else overlapping(ids, n, size)
        return [f"{self.folder}/latents/{items}/{span}.npz" for span in chosen]

    @property
    def captioned_sets(self) -> list[str]:
        """Names of the sets of real images with captions, in the order of the configuration."""
        sets = self.entry.get("image_sets", {})
        return [name for name, options in sets.items() if "experiment" not in options]

    @property
    def caption_tables(self) -> list[str]:
        """Tables beside the image sets with captions."""
        return [f"{self.folder}/image_sets/{name}.parquet" for name in self.captioned_sets]

    @property
    def listed_sources(self) -> list[str]:
        """Names of the fetched files that list images or prompts, some of them twice."""
        names = []
        for options in self.entry.get("image_sets", {}).values():
            names += [*options.get("files", []), *options.get("captions", [])]
        return names + [options["file"] for options in self.entry.get("prompt_lists", {}).values()]

    @property
    def loading(self) -> dict[str, Any]:
        """How a text-to-image model is loaded, as an option of a job; nothing for other models."""
        latents = self.entry.get("latents")
        keys = ("dtype", "attention_slicing", "vae_tiling")
        return {"load": {key: latents[key] for key in keys}} if latents else {}

    @property
    def generation_files(self) -> list[str]:
        """Generations of the prompts, span by span, by set in the order of the configuration."""
        return self._prompt_files("generations", "npz")

    @property
    def prompt_score_files(self) -> list[str]:
        """Metrics of the prompts, span by span."""
        return self._prompt_files("prompt_scores", "parquet")

    def _prompt_files(self, folder: str, suffix: str, section: str = "prompts") -> list[str]:
        options = self.entry.get(section, {"sets": {}})
        folders = [f"{folder}/{name}" for name in options.get("mitigations", ())] or [folder]
        return [
            f"{self.folder}/{where}/{name}/{span}.{suffix}"
            for where in folders
            for name, n in options["sets"].items()
            for span in spans(int(n), int(options["shard_size"]))
        ]

    @property
    def mitigated_files(self) -> list[str]:
        """Generations with each mitigation, by mitigation and set in the order of the configuration."""
        return self._prompt_files("mitigated", "npz", "mitigation")

    @property
    def iterate_files(self) -> list[str]:
        """Generations on the way of each descent on the embedded prompt, by mitigation and set."""
        return self._prompt_files("iterates", "npz", "optimisation")

    @property
    def rewritten_files(self) -> list[str]:
        """Generations of rewritten prompts, span by span."""
        return self._prompt_files("rewritten", "npz", "rewriting")

    @property
    def attribution_files(self) -> list[str]:
        """Attributions of prompts to tokens, span by span."""
        return self._prompt_files("attributions", "parquet", "attribution")

    @property
    def estimators(self) -> Config:
        """Options of the estimators by name."""
        return self.entry.get("estimators", {})  # type: ignore[no-any-return]

    def score(self, estimator: str) -> type[Score]:
        """Row of an estimator's method."""
        return SCORES[self.estimators[estimator]["method"]]

    @property
    def scores(self) -> list[tuple[str, str]]:
        """All pairs (items, estimator) that are computed, ratios excluded."""
        computed = {name: o["items"] for name, o in self.estimators.items() if not self.is_ratio(name)}
        return [(items, name) for name, sets in computed.items() for items in sets]

    def is_ratio(self, estimator: str) -> bool:
        """Whether a score follows from others."""
        return self.score(estimator).shape == "ratio"

    def axis(self, estimator: str) -> str:
        """What stands on an axis of a score's values."""
        row = self.score(estimator)
        return row.axis or row.unit

    def large(self, names: Iterable[str]) -> list[str]:
        """Those of some scores whose large values speak for memorization."""
        return [name for name in names if name in self.estimators and self.score(name).large]

    def score_spans(self, items: str, estimator: str) -> list[str]:
        """Spans in which a score of an item set is computed."""
        options = self.estimators[estimator]
        return spans(self.n_items(items, options.get("subset")), int(options["shard_size"]))

    def spectra_files(self, items: str, estimator: str) -> list[str]:
        """Spectra of an item set, span by span."""
        folder = f"{self.folder}/spectra/{items}/{estimator}"
        return [f"{folder}/{span}.npz" for span in self.score_spans(items, estimator)]

    @property
    def score_files(self) -> list[str]:
        """Score tables to put together: one for each span, or one for an item set, by the method."""
        return [file for items, name in self.scores for file in self._tables(items, name)]

    @property
    def numerics_files(self) -> list[str]:
        """Score tables and spectra whose run records say how scores were computed."""
        files = []
        for items, name in self.scores:
            row = self.score(name)
            if row.numerics:
                first = self.spectra_files if row.shape == "spectra" else self._tables
                files += first(items, name)
        return files

    def _tables(self, items: str, estimator: str) -> list[str]:
        folder = f"{self.folder}/scores/{items}/{estimator}"
        if self.score(estimator).shape != "span":
            return [f"{folder}.parquet"]
        return [f"{folder}/{span}.parquet" for span in self.score_spans(items, estimator)]

    @property
    def judged_by_people(self) -> bool:
        """Whether only candidates are labelled: figures then have ranks to show while there are no labels."""
        return "candidates" in self.entry and self.entry.get("labels", {}).get("source") == "files"

    @property
    def candidate_file(self) -> str | list[str]:
        """The list of candidates, where people judge them."""
        return f"{self.folder}/candidates.parquet" if self.judged_by_people else []

    @property
    def prompt_images(self) -> str:
        """Where the training images of prompts are."""
        where = self.entry["prompts"]["images"]
        name = "data/train" if where == "train" else f"image_sets/{where}"
        return f"{self.folder}/{name}.npz"

    @property
    def attrition_files(self) -> list[str]:
        """How many images of each list were asked for, and how many could be had."""
        sets = self.entry.get("image_sets", {}).items()
        return [f"{self.folder}/image_sets/{name}.counts.json" for name, one in sets if "files" in one]

    @property
    def has_generator(self) -> bool:
        """Whether its model is a GAN's generator."""
        return "model" in self.entry and self.kind.gives == "generator"

    @property
    def resamples(self) -> int:
        """Bootstrap resamples of the claims: those of the evaluation."""
        return int(self.entry.get("evaluation", {}).get("resamples", 1000))

    @property
    def law_files(self) -> list[str]:
        """Errors of the estimators on each law, in the order of the configuration."""
        return [f"{self.folder}/accuracy/{law}.csv" for law in self.entry["accuracy"]["laws"]]

    @property
    def figures(self) -> list[str]:
        """Figures that it asks for."""
        return [f"{self.folder}/figures/{name}.pdf" for name in self.entry.get("figures", {})]

    @property
    def result_tables(self) -> list[str]:
        """``evaluation.csv``, ``claims.csv`` and the like, where it asks for them."""
        same = ["claims", "definitions", "accuracy", "verdicts", "prompt_audit", "combination", "field"]
        same += ["mitigation", "re_elicitation", "optimisation", "attribution", "rewriting"]
        named = {"evaluation": "evaluation", "detection": "evaluation"} | {key: key for key in same}
        keys = [table for key, table in named.items() if self.entry.get(key)]
        keys += ["evaluation_raters"] if self.entry.get("evaluation") else []
        keys += ["cuts", "distance", "matched"] if "auc_by_cut" in self.entry.get("figures", {}) else []
        keys += ["audit"] if self.entry.get("image_answer") or self.entry.get("prompt_answer") else []
        return [f"{self.folder}/{key}.csv" for key in keys]


def network(entry: Config) -> Network:
    """Cost of a row of an experiment's network."""
    model = entry["model"]
    return KINDS[model["kind"]].network(model, dimension(entry), latents="latents" in entry)
