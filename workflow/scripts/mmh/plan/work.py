"""What the cost of a score follows from: how many items of which size, by which network, and where."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mmh.compute.network_cost import (
    START,
    Need,
    Network,
    batch_rows,
    flipd_calls,
    half,
    network_calls,
    network_mb,
)
from mmh.io.spans import span_range
from mmh.models.base import KINDS, Kind, dimension
from mmh.plan.experiment import Experiment, network
from mmh.plan.text_cost import parts, pipeline_mb

if TYPE_CHECKING:
    from mmh.scores.base import Score

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Work:
    """One job of an estimator, as its cost sees it.

    Attributes
    ----------
    config : mapping
        The checked configuration.
    wildcards : mapping
        `experiment`, `item_set`, `estimator`, and `span` unless the job is of a whole set.
    gpu : bool
        Whether it has one.
    """

    config: Config
    wildcards: Mapping[str, str]
    gpu: bool = False

    @property
    def entry(self) -> Config:
        """The experiment."""
        found: Config = self.config["experiments"][self.wildcards["experiment"]]
        return found

    @property
    def model(self) -> Config:
        """Options of its model."""
        found: Config = self.entry["model"]
        return found

    @property
    def kind(self) -> type[Kind]:
        """Its kind."""
        return KINDS[self.model["kind"]]

    @property
    def options(self) -> Config:
        """What the configuration says of the estimator."""
        found: Config = self.entry["estimators"][self.wildcards["estimator"]]
        return found

    @cached_property
    def n_set(self) -> int:
        """Items of the whole set."""
        return Experiment(self.config, self.wildcards["experiment"]).n_items(self.wildcards["item_set"])

    @property
    def n(self) -> int:
        """Items of the job."""
        return len(span_range(self.wildcards["span"])) if "span" in self.wildcards else self.n_set

    @property
    def dim(self) -> int:
        """Values of an item."""
        return dimension(self.entry)

    @property
    def pixels(self) -> int:
        """Bytes of an image that a text-to-image model decodes."""
        return parts(self.entry).image

    @property
    def network(self) -> Network:
        """Cost of a row of the model's network."""
        return network(self.entry)

    @property
    def batch_rows(self) -> int:
        """Rows of a batch."""
        return batch_rows({"batch_size": "auto", **self.options})

    @property
    def start(self) -> float:
        """Seconds until the first network call."""
        return START[self.gpu]

    @property
    def images_mb(self) -> float:
        """Memory of all items of the set, as float32."""
        return self.n_set * self.dim * 4e-6

    @property
    def read_mb(self) -> float:
        """Memory of the span's items, of the file of a set that they are picked from, and of what is read."""
        samples = self.wildcards["item_set"] == "samples"
        shard = self.entry.get("sampling", {}).get("shard_size", 0) if samples else 0
        return (0.0 if samples else self.images_mb) + (3 * self.n + shard) * self.dim * 4e-6

    def need(self, seconds: float, mem_mb: float) -> Need:
        """Wall time and memory."""
        return Need(seconds, mem_mb)

    def calls(self, rows: float, calls: float, batch: int, *, precision: float = 1.0) -> float:
        """Seconds of so many network calls over each of some rows."""
        return network_calls(self.network, rows, batch, calls, gpu=self.gpu, precision=precision)

    def trace_calls(self, trace: int | str) -> float:
        """Forward calls that a value with the trace of the network's Jacobian is worth."""
        return flipd_calls(trace, self.dim, gpu=self.gpu)

    def network_mb(self, batch_mb: float) -> float:
        """Memory of a process with the network and a batch."""
        return network_mb(self.network, self.gpu, batch_mb)

    def of_network(self, score: type["Score"]) -> Need:
        """Need of network calls for each item, as many as the estimator says."""
        size, net = self.batch_rows, self.network
        precision = half(self.entry) if self.gpu else 1.0
        seconds = self.start + self.calls(self.n, score.calls(self), size, precision=precision)
        if score.needs == "captions":  # with the text encoder and the decoder, which are loaded with it
            held = pipeline_mb(self.entry, self.gpu, 2 * size * net.row_mb)
            return Need(seconds, held + self.n * self.dim * 12e-6)
        row_mb = net.graph_mb if score.derivatives else net.row_mb
        return Need(seconds, self.network_mb(size * row_mb) + self.read_mb)

    def of_decoder(self) -> Need:
        """Need of decoding all latents."""
        vae, size = parts(self.entry).vae, self.batch_rows
        seconds = self.start + network_calls(vae, self.n, size, 1, gpu=self.gpu)
        held = self.n * (self.pixels * 2e-6 + self.dim * 8e-6)
        return Need(seconds, pipeline_mb(self.entry, self.gpu, size * vae.row_mb) + held)

    def of_images(self) -> Need:
        """Need of a pass over images without a network."""
        return Need(2 + self.n * (5e-5 + self.dim * 1e-7), 150 + 2.2 * self.images_mb)

    def of_spectra(self) -> Need:
        """Need of counting the singular values of all items."""
        values = self.n * self.dim * (self.options.get("groups", 0) + 1)
        return Need(2 + values * 1e-7, 150 + 3 * values * 8e-6)
