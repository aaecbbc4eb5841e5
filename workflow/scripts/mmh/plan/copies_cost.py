"""What the jobs need that compare a model with the law that it learned. Standard library only."""

from collections.abc import Callable, Mapping
from typing import Any

from mmh.compute.network_cost import START, Need, network_calls, network_mb
from mmh.models.base import KINDS
from mmh.plan.experiment import network

Config = Mapping[str, Any]
Wildcards = Mapping[str, str]


def _measure_copies(config: Config, wildcards: Wildcards, gpu: bool) -> Need:
    entry = config["experiments"][wildcards["experiment"]]
    net, n, size = network(entry), entry["copies"]["n_samples"], entry["sampling"]["batch_size"]
    calls = KINDS[entry["model"]["kind"]].calls(entry["sampling"])
    seconds = START[gpu] + network_calls(net, n, size, calls, gpu=gpu)
    return Need(seconds, network_mb(net, gpu, size * net.row_mb) + 1e-4 * n)


MODELLED: dict[str, Callable[[Config, Wildcards, bool], Need]] = {"measure_copies": _measure_copies}

# As in `mmh.plan.cost`.
FIXED: dict[str, tuple[float, float, float, float]] = {
    "apply_definitions": (20, 400, 4, 4),
    "condition_laws": (10, 400, 0, 0),
}
