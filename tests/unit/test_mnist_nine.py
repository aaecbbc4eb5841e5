"""The captioned MNIST images of one repeated nine."""

import numpy as np
import pytest

from mmh.errors import InputError
from mmh.worlds.base import WORLDS
from mmh.worlds.sets import mnist, mnist_nine

OPTIONS = {"n_threes": 30, "copies": 7, "size": 14, "prompts": 4, "items": 9, "views": 5, "seed": 2}


@pytest.fixture(scope="module")
def made():
    return mnist_nine.make_captioned(**OPTIONS)


def test_the_images_are_mnist_at_two_sizes():
    large, small = mnist.images(), mnist.images(14)
    assert large.shape == (5000, 1, 28, 28)
    assert small.shape == (5000, 1, 14, 14)
    assert large.min() == -1
    assert large.max() == 1
    assert small[7, 0, 3, 5] == pytest.approx(large[7, 0, 6:8, 10:12].mean(), abs=1e-6)
    assert np.bincount(mnist.classes()).tolist() == [500] * 10


def test_one_nine_is_repeated_among_threes(made):
    table = made.table
    assert table.population.value_counts().to_dict() == {"memorized": 7, "control": 30}
    assert (made.label == np.where(table.population == "memorized", 9, 3)).all()
    assert (made.label == mnist.classes()[table.source]).all()
    assert table.group.tolist() == [0] * 7 + list(range(7, 37))
    assert (table["copies"] == np.where(table.population == "memorized", 7, 1)).all()
    assert table.source.nunique() == 31
    assert made.image.shape == (37, 3, 14, 14)
    assert set(zip(made.caption, made.label, strict=True)) == {("the digit nine", 9), ("the digit three", 3)}


def test_prompts_repeat_two_captions_and_only_the_nine_has_a_training_image(made):
    prompts = made.prompts
    assert prompts.prompt_set.value_counts().to_dict() == {"memorized": 4, "control": 4}
    assert prompts.family.is_unique
    assert (prompts[prompts.prompt_set == "memorized"].train == 0).all()
    assert prompts[prompts.prompt_set == "control"].train.isna().all()
    assert prompts.groupby("prompt_set").text.nunique().tolist() == [1, 1]


def test_unseen_nines_are_not_in_the_training_set(made):
    seen = {row.tobytes() for row in made.image}
    sizes = {name: len(image) for name, (image, _) in made.sets.items()}
    assert sizes == {"memorized": 5, "control": 9, "generic": 9}
    families = {name: table.family.nunique() for name, (_, table) in made.sets.items()}
    assert families == {"memorized": 1, "control": 9, "generic": 9}
    assert len({row.tobytes() for row in made.sets["memorized"][0]}) == 1
    for name, (image, table) in made.sets.items():
        assert {row.tobytes() in seen for row in image} == {name != "generic"}
        assert len(table) == len(image)


def test_the_plan_counts_what_is_made(made):
    row = WORLDS["mnist-nine"]
    assert row.n_train(OPTIONS) == len(made.image)
    assert row.dim(OPTIONS) == 196
    for name in row.sets:
        assert row.set_size(OPTIONS, name) == len(made.sets[name][0])
        assert row.n_prompts(OPTIONS, name) == (made.prompts.prompt_set == name).sum()


def test_more_threes_than_there_are_are_refused():
    with pytest.raises(InputError, match="500 threes"):
        mnist_nine.make_captioned(**{**OPTIONS, "n_threes": 501})
