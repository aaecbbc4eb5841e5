"""Mistakes in the sections `copies` and `definitions`, and in what is conditioned, of config.yaml."""

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
COPIES = CONFIG["experiments"]["von-mises"]["copies"]
DEFINITIONS = CONFIG["experiments"]["digits-overfit"]["definitions"]
REMOVE = object()
CASES = {
    "radii the wrong way round": (
        "von-mises/copies/smallest",
        2.0,
        "von-mises.copies.smallest: must be below largest, 0.7",
    ),
    "a slope between equal radii": (
        "von-mises/copies/inner",
        0.5,
        "von-mises.copies.inner: needs smallest <= inner < outer <= largest",
    ),
    "a slope beyond the radii": (
        "von-mises/copies/outer",
        0.9,
        "von-mises.copies.inner: needs smallest <= inner < outer <= largest",
    ),
    "sets of one point": ("von-mises/copies/sizes", [1], "von-mises.copies.sizes.0: "),
    "a law that is not known": (
        "digits/copies",
        COPIES,
        "digits.copies: the law of the world 'digits' is not known",
    ),
    "lambda of one": ("von-mises/claims/excess", 1.0, "von-mises.claims.excess: "),
    "a claim on copies without them": (
        "von-mises/copies",
        REMOVE,
        "von-mises.claims.A.3: needs the section 'copies', which this experiment lacks",
    ),
    "a figure of definitions without them": (
        "digits-gan/definitions",
        REMOVE,
        "digits-gan.figures.definitions: needs the section 'definitions'",
    ),
    "a world without a test set": (
        "digits-control/definitions",
        DEFINITIONS,
        "digits-control.definitions: the world 'digits-control' has no test set; remove definitions",
    ),
    "LID of training images": (
        "digits-overfit/definitions/lid",
        "flipd",
        "digits-overfit.definitions.lid: 'flipd' is not computed on samples; add them to its items",
    ),
    "a limit of nothing": (
        "digits-overfit/definitions/low",
        15,
        "digits-overfit.definitions.low: is the limit of lid, which is not given; remove it",
    ),
    "an unknown LID": ("digits/definitions/lid", "flipdd", "digits.definitions.lid: "),
    "images that nobody groups": (
        "digits-overfit/labels",
        REMOVE,
        "digits-overfit.definitions: needs the section 'labels', which this experiment lacks",
    ),
    "a condition on an unknown law": (
        "manifolds/accuracy/conditioned/lolipop",
        {"measurements": 1},
        "manifolds.accuracy.conditioned.lolipop: there is no law 'lolipop' (did you mean 'lollipop'?)",
    ),
    "a condition on a sphere": (
        "manifolds/accuracy/conditioned/sphere",
        {"measurements": 1},
        "manifolds.accuracy.conditioned.sphere: only laws of kind gaussians can be conditioned; remove it",
    ),
    "a claim on conditions without them": (
        "manifolds/accuracy/conditioned",
        REMOVE,
        "manifolds.claims.3.2: needs the section 'accuracy.conditioned', which this experiment lacks",
    ),
}


@pytest.mark.parametrize(("place", "value", "message"), CASES.values(), ids=CASES.keys())
def test_a_mistake_is_named_with_path_and_remedy(place: str, value: Any, message: str) -> None:
    config = copy.deepcopy(CONFIG)
    *path, last = place.split("/")
    part = config["experiments"]
    for key in path:
        part = part[key]
    if value is REMOVE:
        del part[last]
    else:
        part[last] = value
    with pytest.raises(InputError) as caught:
        check_config(config)
    assert message in str(caught.value)


def test_the_configuration_itself_is_sound() -> None:
    check_config(copy.deepcopy(CONFIG))
