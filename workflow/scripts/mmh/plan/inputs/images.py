"""The images that jobs read, how samples are drawn, and how images are embedded and searched."""

from typing import Any

from mmh.io.spans import SELECTED, span_range, spans
from mmh.plan.inputs.base import Inputs, Wildcards, chosen, without


class Images(Inputs):
    """Samples, training images and sets of real images."""

    def files(self, wildcards: Wildcards) -> list[str]:
        """Files that hold the images of a job's item set; of its span alone, where that is all it needs."""
        span = getattr(wildcards, "span", None)  # of a whole set there is none
        ids = None if span is None or wildcards.item_set == SELECTED else span_range(span)
        experiment = self.experiment(wildcards)
        name = getattr(wildcards, "estimator", None)
        if name is not None and experiment.score(name).whole:
            ids = None
        return experiment.image_files(wildcards.item_set, ids)

    def samples(self, wildcards: Wildcards) -> list[str]:
        """Files that hold the samples."""
        return self.experiment(wildcards).image_files("samples")

    def captions(self, wildcards: Wildcards) -> str | list[str]:
        """Captions of an image set with captions; nothing for other items."""
        experiment = self.experiment(wildcards)
        captioned = wildcards.item_set in experiment.captioned_sets
        return f"{experiment.folder}/image_sets/{wildcards.item_set}.parquet" if captioned else []

    def sampling(self, wildcards: Wildcards) -> dict[str, Any]:
        """How a sample is drawn."""
        options = self.experiment(wildcards).entry["sampling"]
        return without(options, "n_samples", "shard_size", "calibration")

    def encoding(self, wildcards: Wildcards) -> dict[str, Any]:
        """How an image is encoded to latents."""
        experiment = self.experiment(wildcards)
        return {"batch_size": experiment.entry["latents"]["batch_size"], **experiment.loading}

    def embedding(self, wildcards: Wildcards) -> dict[str, Any]:
        """How an image is embedded by the copy descriptor."""
        return chosen(self.experiment(wildcards).entry["retrieval"], "preprocess", "batch_size")

    def embeddings(self, wildcards: Wildcards) -> dict[str, list[str]]:
        """Embeddings of the samples and of the training images, span by span."""
        experiment = self.experiment(wildcards)
        size = experiment.entry["retrieval"]["shard_size"]
        return {
            f"{items}_embeddings": [
                f"{experiment.folder}/embeddings/{items}/{span}.npz"
                for span in spans(experiment.n_items(items), size)
            ]
            for items in ("samples", "train")
        }

    def search(self, wildcards: Wildcards) -> dict[str, Any]:
        """How the closest training images are found."""
        options = self.experiment(wildcards).entry["retrieval"]
        return without(options, "descriptor", "preprocess", "batch_size", "shard_size")
