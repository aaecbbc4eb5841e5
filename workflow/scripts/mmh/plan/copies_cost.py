"""What jobs need that compare a model with the law that it learned, or with itself. Standard library only."""

from collections.abc import Callable, Mapping
from typing import Any

from mmh.compute.network_cost import START, Need, flipd_calls, network_calls, network_mb
from mmh.models.base import KINDS, dimension
from mmh.plan.experiment import network

Config = Mapping[str, Any]
Wildcards = Mapping[str, str]


def _measure_copies(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    entry = config["experiments"][wildcards["experiment"]]
    net, n, size = network(entry), entry["copies"]["n_samples"], entry["sampling"]["batch_size"]
    calls = KINDS[entry["model"]["kind"]].calls(entry["sampling"])
    seconds = START[gpu] + network_calls(net, n, size, calls, gpu=gpu)
    return Need(seconds, network_mb(net, gpu, size * net.row_mb) + 1e-4 * n)


def _measure_identities(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    entry = config["experiments"][wildcards["experiment"]]
    options, net, dim = entry["figures"]["score_identities"], network(entry), dimension(entry)
    n, size = options["n"], options.get("batch_size", 50)
    calls = len(options["t"]) * flipd_calls("exact", dim=dim, gpu=gpu)
    seconds = START[gpu] + network_calls(net, n, size, calls, gpu=gpu)
    return Need(seconds, network_mb(net, gpu, size * net.graph_mb) + 40e-6 * n * dim**2)


MODELLED: dict[str, Callable[[Config, Wildcards, bool], Need]] = {
    "measure_copies": _measure_copies,
    "measure_identities": _measure_identities,
}

# As in `mmh.plan.cost`.
FIXED: dict[str, tuple[float, float, float, float]] = {
    "apply_definitions": (20, 400, 4, 4),
    "condition_laws": (10, 400, 0, 0),
    "measure_landscape": (20, 700, 0, 0),
}
