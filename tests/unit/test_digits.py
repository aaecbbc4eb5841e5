"""The digits with planted populations."""

import numpy as np
import pytest

from mmh.errors import InputError
from mmh.worlds.base import WORLDS
from mmh.worlds.sets import digits

COLUMNS = ["train", "source", "population", "group", "copies"]
SMALL = {"n_ordinary": 30, "n_duplicated": 4, "copies": 5, "n_template_variants": 12, "seed": 3}


def test_images_are_the_1797_digits_and_all_differ():
    x = digits.images()
    assert x.shape == (1797, 1, 8, 8)
    assert x.dtype == np.float32
    assert x.min() == -1.0
    assert x.max() == 1.0
    assert len(np.unique(x.reshape(1797, -1), axis=0)) == 1797


def test_default_set_has_the_planned_populations():
    x, table = digits.make()
    assert list(table.columns) == COLUMNS
    assert x.shape == (400 + 20 * 25 + 150, 1, 8, 8)
    assert x.dtype == np.float32
    assert np.abs(x).max() <= 1.0
    assert table.population.value_counts().to_dict() == {"ordinary": 400, "duplicate": 500, "template": 150}
    assert (table.train == np.arange(len(x))).all()


def test_copies_and_groups_are_those_of_the_bytes():
    x, table = digits.make(**SMALL)
    rows = [row.tobytes() for row in x]
    assert [rows.count(row) for row in rows] == table["copies"].tolist()
    exact = table[table.population != "template"]
    assert [rows.index(rows[i]) for i in exact.train] == exact.group.tolist()
    family = table[table.population == "template"]
    assert (family.group == family.train.min()).all()


def test_sources_are_disjoint_and_point_to_the_images():
    x, table = digits.make(**SMALL)
    sets = [set(part.source) for _, part in table.groupby("population")]
    assert sum(map(len, sets)) == len(set.union(*sets)) == 30 + 4 + 1
    exact = (table.population != "template").to_numpy()
    np.testing.assert_array_equal(x[exact], digits.images()[table.source[exact]])


@pytest.mark.parametrize("patch", [2, 3])
def test_template_varies_on_its_free_pixels_only(patch):
    x, table = digits.make(**SMALL, patch=patch)
    family = x[table.population == "template"]
    base = digits.images()[table.source[table.population == "template"].iloc[0]]
    free = digits.free_pixels(patch)
    assert free.shape == (1, 8, 8)
    assert free.sum() == patch**2
    np.testing.assert_array_equal(family[:, ~free], np.broadcast_to(base[~free], (12, 64 - patch**2)))
    values = family[:, free]
    assert len(np.unique(values)) == values.size
    assert values.std() == pytest.approx(np.sqrt(1 / 3), abs=0.1)
    centred = values - values.mean(axis=0)
    assert np.linalg.matrix_rank(centred) == patch**2


def test_a_seed_fixes_the_set_and_another_changes_it():
    x, table = digits.make(**SMALL)
    again, same = digits.make(**SMALL)
    np.testing.assert_array_equal(x, again)
    assert table.equals(same)
    other, _ = digits.make(**{**SMALL, "seed": 4})
    assert not np.array_equal(x, other)


def test_more_variants_leave_the_first_ones_alone():
    few, _ = digits.make(**SMALL)
    more, _ = digits.make(**{**SMALL, "n_template_variants": 20})
    np.testing.assert_array_equal(few, more[: len(few)])


def test_overfit_set_is_a_part_of_the_control_set():
    x, table = digits.make_overfit()
    everything, control = digits.make_control()
    assert x.shape == (60, 1, 8, 8)
    assert len(np.unique(x.reshape(60, -1), axis=0)) == 60
    np.testing.assert_array_equal(x, everything[table.source])
    assert (control.train == control.source).all()
    assert (table["copies"] == 1).all()
    assert list(control.columns) == COLUMNS


def test_classes_are_the_digits_of_the_source_images():
    """An image of the set looks more like the mean of its own digit than like that of the others."""
    x, table = digits.make(**SMALL)
    labels = WORLDS["digits"].classes(table)
    assert labels.dtype == np.int64
    assert labels.shape == (len(x),)
    everything = digits.images().reshape(1797, -1)
    digit = digits.classes(np.arange(1797))
    means = np.stack([everything[digit == k].mean(axis=0) for k in range(10)])
    shared = ~digits.free_pixels(3).ravel()
    gaps = (x.reshape(len(x), -1)[:, None, shared] - means[None, :, shared]) ** 2
    assert (gaps.sum(axis=2).argmin(axis=1) == labels).mean() > 0.8
    assert len(set(labels[(table.population == "template").to_numpy()])) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_ordinary": 1790}, "1811 source images"),
        ({"copies": 1}, "copies"),
        ({"n_duplicated": -1}, "negative"),
        ({"patch": 9}, "patch"),
    ],
)
def test_impossible_sets_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        digits.make(**options)
