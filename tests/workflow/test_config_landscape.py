"""Mistakes in what the experiments of the sharpness paper say of their worlds, losses and figures."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from mmh.config.check import check_config
from mmh.errors import InputError

ROOT = Path(__file__).parents[2]
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())
TOY, FIGURES = "sharpness-toy", "sharpness-toy/figures"
CASES = {
    "noise beyond the model's": (
        f"{FIGURES}/toy_landscape/shown",
        [7.0],
        "toy_landscape.shown: 7 is not within the model's noise, 0.005 to 5",
    ),
    "items that are not there": (
        f"{FIGURES}/score_identities/items",
        "trian",
        "score_identities.items: 'trian' is not there; use one of train, samples",
    ),
    "condition without captions": (
        f"{FIGURES}/score_identities/condition",
        "empty",
        "score_identities.condition: only for captions; remove it",
    ),
    "negative weight": (f"{TOY}/model/second_order", -1, f"{TOY}.model.second_order: "),
    "share of nothing": (f"{TOY}/data/share", 0, f"{TOY}.data.share: "),
    "size that MNIST is not given in": ("mnist-nine/data/size", 16, "mnist-nine.data.size: "),
    "prompts that the world has not": ("mnist-nine/prompts/sets", {"generic": 3}, "where the world has 0"),
    "companions below none": ("digits-partial/data/companions", -1, "digits-partial.data.companions: "),
}


@pytest.mark.parametrize(("path", "value", "message"), CASES.values(), ids=CASES)
def test_a_mistake_is_named_with_what_to_do(path: str, value: Any, message: str) -> None:
    *blocks, key = path.split("/")
    names = [blocks[0]]
    config = {
        **CONFIG,
        "run": names,
        "experiments": {n: copy.deepcopy(CONFIG["experiments"][n]) for n in names},
    }
    place = config["experiments"]
    for block in blocks:
        place = place[block]
    place[key] = value
    with pytest.raises(InputError) as caught:
        check_config(config)
    assert message in str(caught.value)
