"""Mistakes in the section `accuracy` of config.yaml."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from mmh.config.check import check_config
from mmh.errors import InputError

ROOT = Path(__file__).parents[2]
CONFIG = json.loads(json.dumps(yaml.safe_load((ROOT / "config.yaml").read_text())))

LAWS = "accuracy/laws"
CASES = {
    "misspelt key of a law": (
        f"{LAWS}/sphere/radis",
        1.0,
        "accuracy.laws.sphere.radis: unknown key (did you mean 'radius'?)",
    ),
    "key of another kind": (f"{LAWS}/sphere/separation", 1.0, "accuracy.laws.sphere.separation: unknown key"),
    "unknown kind": (
        f"{LAWS}/sphere/kind",
        "spher",
        "accuracy.laws.sphere.kind: 'spher' is not allowed (did you mean 'sphere'?)",
    ),
    "sphere too large": (
        f"{LAWS}/sphere/dimension",
        8,
        "accuracy.laws.sphere.ambient: 8 dimensions are too few; use 9 or more",
    ),
    "subspace too large": (
        f"{LAWS}/subspaces/dimensions",
        [10, 101],
        "accuracy.laws.subspaces.ambient: 100 dimensions are too few; use 101 or more",
    ),
    "more spectra than points": (
        f"{LAWS}/sphere/spectra_items",
        61,
        "accuracy.laws.sphere.spectra_items: 61 exceeds items, 60",
    ),
    "too many neighbours": (
        "accuracy/estimators/lpca/k",
        1000,
        "accuracy.estimators.lpca.k: 1000 neighbours need more than 1000 points",
    ),
    "more orthogonal probes than dimensions": (
        "accuracy/estimators/flipd_orthogonal_4/trace",
        9,
        "accuracy.laws.lollipop.ambient: flipd_orthogonal_4 asks for more orthogonal probes than 8",
    ),
    "unknown probe": (
        "accuracy/estimators/flipd_gaussian_1/probe",
        "gausian",
        "accuracy.estimators.flipd_gaussian_1.probe: 'gausian' is not allowed (did you mean 'gaussian'?)",
    ),
    "percentile in words": (
        "accuracy/estimators/nb/percentile",
        "true",
        "accuracy.estimators.nb.percentile: 'true' is not allowed",
    ),
    "noise level of zero": ("accuracy/t", [0], "accuracy.t.0: 0 is out of range, expected > 0 and <= 1"),
    "network for an unknown law": (
        "accuracy/learned/lolipop",
        CONFIG["experiments"]["manifolds"]["accuracy"]["learned"]["lollipop"],
        "accuracy.learned.lolipop: there is no law 'lolipop' (did you mean 'lollipop'?)",
    ),
    "unknown estimator in the figure": (
        "figures/estimator_accuracy/errors",
        [["flipdd"]],
        "figures.estimator_accuracy.errors: there is no estimator 'flipdd' (did you mean 'flipd'?)",
    ),
    "data beside it": (
        "data",
        CONFIG["experiments"]["von-mises"]["data"],
        "experiments.manifolds.data: an experiment on accuracy has no data, model or samples; remove data",
    ),
}


@pytest.mark.parametrize(("path", "value", "message"), CASES.values(), ids=CASES.keys())
def test_a_mistake_is_named_with_path_and_remedy(path: str, value: Any, message: str) -> None:
    config = copy.deepcopy(CONFIG)
    *parents, last = path.split("/")
    section = config["experiments"]["manifolds"]
    for key in parents:
        section = section[key]
    section[last] = value
    with pytest.raises(InputError) as caught:
        check_config(config)
    assert message in str(caught.value)
    if path != "accuracy/estimators/flipd_orthogonal_4/trace":  # said of both laws in eight dimensions
        assert str(caught.value).startswith("1 mistake in the configuration")


@pytest.mark.parametrize("section", ["data", "model", "sampling"])
def test_every_other_experiment_still_needs_its_sections(section: str) -> None:
    config = copy.deepcopy(CONFIG)
    del config["experiments"]["von-mises"][section]
    with pytest.raises(InputError, match=f"experiments.von-mises.{section}: missing"):
        check_config(config)


def test_the_figure_needs_the_section() -> None:
    config = copy.deepcopy(CONFIG)
    figure = config["experiments"]["manifolds"]["figures"]["estimator_accuracy"]
    config["experiments"]["von-mises"]["figures"]["estimator_accuracy"] = figure
    with pytest.raises(InputError, match=r"figures\.estimator_accuracy: needs the section"):
        check_config(config)
