"""A^CFG, A^sCFG, A^FLIPD: averages of a table of scores, written out by hand."""

import numpy as np
import pandas as pd
import pytest

from mmh.errors import InputError
from mmh.metrics.averages import cfg_norm, flipd_metric, score_norm

# Two prompts of one set and one of another, two generations, three steps; FLIPD at the last two.
SHAPE = (3, 2, 3)
SETS, PROMPTS = ("memorized", "memorized", "control"), (3, 1, 3)


@pytest.fixture
def table():
    rows = []
    values = np.arange(18.0).reshape(SHAPE)
    for i, g, step in np.ndindex(SHAPE):
        value = values[i, g, step]
        for metric, number in {
            "cfg_norm_squared": value**2,
            "cfg_norm": value,
            "score_norm_squared": 100 + value,
            **({"flipd": -value} if step > 0 else {}),
        }.items():
            rows.append((SETS[i], PROMPTS[i], g, step, metric, number))
    columns = ["prompt_set", "prompt", "generation", "step", "metric", "value"]
    return values, pd.DataFrame(rows, columns=columns).sample(frac=1, random_state=0)


def in_order(series):
    return [series[key] for key in zip(SETS, PROMPTS, strict=True)]


def test_all_steps_and_generations(table):
    values, scores = table
    np.testing.assert_allclose(in_order(cfg_norm(scores)), (values**2).mean((1, 2)))
    np.testing.assert_allclose(in_order(cfg_norm(scores, squared=False)), values.mean((1, 2)))
    np.testing.assert_allclose(in_order(score_norm(scores)), 100 + values.mean((1, 2)))
    np.testing.assert_allclose(in_order(flipd_metric(scores)), -values[:, :, 1:].mean((1, 2)))
    assert cfg_norm(scores).index.names == ["prompt_set", "prompt"]
    assert len(cfg_norm(scores)) == 3


def test_first_steps_and_first_generations(table):
    values, scores = table
    np.testing.assert_allclose(in_order(cfg_norm(scores, squared=False, steps=1)), values[:, :, 0].mean(1))
    np.testing.assert_allclose(
        in_order(cfg_norm(scores, steps=2, generations=1)), (values[:, 0, :2] ** 2).mean(1)
    )
    np.testing.assert_allclose(in_order(score_norm(scores, steps=1, generations=1)), 100 + values[:, 0, 0])
    np.testing.assert_allclose(in_order(flipd_metric(scores, generations=1)), -values[:, 0, 1:].mean(1))


def test_the_order_of_rows_does_not_matter(table):
    _, scores = table
    other = scores.sample(frac=1, random_state=1)
    assert cfg_norm(scores).to_numpy().tobytes() == cfg_norm(other).to_numpy().tobytes()


def test_what_the_table_lacks_is_said(table):
    _, scores = table
    with pytest.raises(InputError, match="holds no flipd; it has"):
        flipd_metric(scores[scores["metric"] != "flipd"])
    with pytest.raises(InputError, match="first 4 values of step"):
        cfg_norm(scores, steps=4)
    with pytest.raises(InputError, match="first 3 values of generation"):
        score_norm(scores, generations=3)
