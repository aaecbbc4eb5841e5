"""The rule of verdicts, at points worked out by hand, and its error rates."""

import numpy as np
import pytest

from mmh.errors import InputError
from mmh.lid.verdict import verdicts

RULE = {"low": 10.0, "gap": 2.0}


def _one(model, se_model, data, se_data, **options):
    return verdicts([model], se_model, [data], se_data, **(RULE | options))[0]


@pytest.mark.parametrize(
    ("model", "data", "verdict"),
    [
        (3, 20, "OD-Mem"),
        (30, 40, "OD-Mem"),
        (3, 6, "OD-Mem"),  # small too, but well below the data
        (3, 4, "DD-Mem"),
        (3, 5, "DD-Mem"),  # short of it by the gap exactly
        (6, 3, "DD-Mem"),
        (20, 22, "not memorized"),
        (20, 3, "not memorized"),
        (9.5, 11, "undecided"),  # small in the model alone, yet not well below the data
        (10, 5, "undecided"),
    ],
)
def test_without_errors_the_rule_is_a_map_of_the_plane(model, data, verdict):
    assert _one(model, 0, data, 0) == verdict


def test_errors_move_each_border_by_their_quantile():
    q = 1.6448536269514722
    step = 1e-6
    border = 20 - 2 - q * 5  # errors of 3 and 4 add up to 5
    assert _one(border - step, 3, 20, 4) == "OD-Mem"
    assert _one(border + step, 3, 20, 4) == "undecided"
    assert _one(10 - q - step, 1, 5, 0) == "DD-Mem"
    assert _one(10 - q + step, 1, 5, 0) == "undecided"
    assert _one(5, 0, 6 - step, 2.4) == "DD-Mem"
    assert _one(5, 0, 6 + step, 2.5) == "undecided"
    assert _one(10 + q + step, 1, 5, 0) == "not memorized"
    assert _one(10 + q - step, 1, 5, 0) == "undecided"
    assert _one(9, 3, 5, 0, level=0.5) == "DD-Mem"


def test_at_the_border_one_in_twenty_is_wrongly_called_overfitted():
    random = np.random.default_rng(0)
    n = 40_000
    model, data = 18 + 3 * random.standard_normal(n), 20 + 4 * random.standard_normal(n)
    share = (verdicts(model, 3.0, data, 4.0, low=-1e9, gap=2.0) == "OD-Mem").mean()
    assert share == pytest.approx(0.05, abs=5 * np.sqrt(0.05 * 0.95 / n))


def test_what_is_unknown_is_undecided():
    result = verdicts([np.nan, 3, 3, 3], [0, np.nan, 0, 0], [30, 30, np.nan, 30], 0, **RULE)
    assert result.tolist() == ["undecided", "undecided", "undecided", "OD-Mem"]
    assert verdicts([], 0, [], 0, **RULE).shape == (0,)


def test_bad_input():
    for wrong, message in (
        ({"level": 1.0}, "level"),
        ({"gap": -1.0}, "gap"),
        ({"low": np.nan}, "low"),
    ):
        with pytest.raises(InputError, match=message):
            _one(1, 0, 1, 0, **wrong)
    with pytest.raises(InputError, match="negative"):
        _one(1, -1, 1, 0)
    with pytest.raises(InputError, match="one length"):
        verdicts([1, 2], 0, [1, 2, 3], 0, **RULE)
    with pytest.raises(InputError, match=r"\(n,\)"):
        verdicts(1, 0, 1, 0, **RULE)
