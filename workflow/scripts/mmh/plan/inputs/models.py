"""Training sets and models: where they come from, how they are made, and which of them first."""

import math
from types import SimpleNamespace
from typing import Any

from mmh.digest.reach import Root
from mmh.models.base import KINDS, dimension
from mmh.models.edm_mlp import EdmMlp
from mmh.plan.experiment import DOWNLOADS, Experiment
from mmh.plan.inputs.base import Inputs, Wildcards
from mmh.rows import root_of

EARLY, QUICK = 1_000_000, 60  # a priority above any training's seconds; seconds of a training that goes first


class Models(Inputs):
    """The sections `data` and `model`, each of which names a row and gives it options."""

    def world(self, wildcards: Wildcards) -> str:
        """Name of the world."""
        return self.experiment(wildcards).world.name

    def data(self, wildcards: Wildcards) -> dict[str, Any]:
        """Options of the world, defaults filled in."""
        experiment = self.experiment(wildcards)
        return _plain(experiment.world.read(experiment.entry["data"]))

    def form_of_images(self, wildcards: Wildcards) -> dict[str, int]:
        """Size and channels of the images that a model is imported for; empty where the data say neither."""
        data = self.experiment(wildcards).entry.get("data", {})
        return {key: int(data[key]) for key in ("size", "channels") if "size" in data and key in data}

    def kind(self, wildcards: Wildcards) -> str:
        """Kind of the model."""
        return self.experiment(wildcards).kind.name

    def options(self, wildcards: Wildcards) -> dict[str, Any]:
        """Options of the model, defaults filled in."""
        experiment = self.experiment(wildcards)
        return _plain(experiment.kind.read(experiment.entry["model"]))

    def source_of_data(self, wildcards: Wildcards) -> str:
        """The file or folder that holds the data."""
        data = self.experiment(wildcards).entry["data"]
        return f"{DOWNLOADS}/{data['source']}" if "source" in data else str(data["path"])

    def checkpoint(self, wildcards: Wildcards) -> str:
        """The file that holds the model."""
        return f"{DOWNLOADS}/{self.experiment(wildcards).entry['model']['source']}"

    def training_files(self, wildcards: Wildcards) -> dict[str, str]:
        """Files of the training set that a training reads."""
        experiment = self.experiment(wildcards)
        names = {"images": "train.npz", "table": "train.parquet", "captions": "captions.parquet"}
        return {key: f"{experiment.folder}/data/{names[key]}" for key in experiment.kind.reads}

    def images_at_hand(self, wildcards: Wildcards) -> dict[str, str]:
        """The training images on which somebody's network is tried; none where there are none, or latents."""
        experiment = self.experiment(wildcards)
        if "data" not in experiment.entry or experiment.world.made == "none" or "latents" in experiment.entry:
            return {}
        if experiment.kind.gives != "score":
            return {}
        return {"images": f"{experiment.folder}/data/train.npz"}

    def imported_files(self, wildcards: Wildcards) -> dict[str, list[str]]:
        """Files that an import copies; none of a model that is on the hub."""
        experiment = self.experiment(wildcards)
        files = experiment.kind.files(experiment.kind.read(experiment.entry["model"]))
        return {"files": files} if files else {}

    def drawn_by(self, wildcards: Wildcards) -> list[Root]:
        """Code that makes or reads the data."""
        return [root_of(self.experiment(wildcards).world)]

    def made_by(self, wildcards: Wildcards) -> list[Root]:
        """Code that makes the model folder; an import loads it as well, but only to check it."""
        return [root_of(self.experiment(wildcards).kind)]

    def loaded_by(self, wildcards: Wildcards) -> list[Root]:
        """Code that loads the model folder, and draws samples."""
        kind = self.experiment(wildcards).kind
        return [root_of(row) for row in [KINDS[name] for name in kind.loads] or [kind]]

    def learned_by(self, wildcards: Wildcards) -> list[Root]:
        """Code that loads the networks that are trained on laws."""
        return [root_of(EdmMlp)]

    def fetched_data(self, wildcards: Wildcards) -> SimpleNamespace:
        """What the data's job is told that is not compared between runs."""
        return self._untracked(wildcards, "data")

    def fetched_model(self, wildcards: Wildcards) -> SimpleNamespace:
        """What the model's job is told that is not compared between runs."""
        return self._untracked(wildcards, "model")

    def longest_first(self, wildcards: Wildcards) -> int:
        """Priority of a training and of its data: the seconds that it takes, or that of a first figure."""
        experiment = self.experiment(wildcards)
        return early(experiment) or math.ceil(_training_seconds(experiment))

    def _untracked(self, wildcards: Wildcards, section: str) -> SimpleNamespace:
        source = self.experiment(wildcards).entry[section].get("source")
        return SimpleNamespace(
            sha256=self.config["sources"][source]["sha256"] if source else None,
            offline=self.config["offline"],
            plugins=self.config.get("plugins", []),
        )


def _plain(options: Any) -> dict[str, Any]:
    values: dict[str, Any] = options.model_dump(mode="json", exclude_none=True)
    return values


def early(experiment: Experiment) -> int:
    """Priority of the steps to a first figure: above trainings, where the model takes seconds to train."""
    return EARLY if 0 < _training_seconds(experiment) < QUICK else 0


def _training_seconds(experiment: Experiment) -> float:
    if "model" not in experiment.entry or experiment.kind.made != "train":
        return 0.0
    model, dim = experiment.entry["model"], dimension(experiment.entry)
    return experiment.kind.cost_of_making(model, points=experiment.n_train, dim=dim).seconds
