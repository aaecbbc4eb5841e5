"""A^CFG, A^sCFG, A^FLIPD: averages of a table of scores, written out by hand."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mmh.detection.prompt_detectors import prompt_detectors
from mmh.errors import InputError
from mmh.evaluation.names import Detector
from mmh.metrics.averages import cfg_norm, flipd_metric, score_norm
from mmh.metrics.base import DEFAULT, asked_metrics, in_order, made

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
            rows.append((SETS[i], PROMPTS[i], g, step, 0.6 - step / 4, metric, number))
    columns = ["prompt_set", "prompt", "generation", "step", "t", "metric", "value"]
    return values, pd.DataFrame(rows, columns=columns).sample(frac=1, random_state=0)


def listed(series):
    return [series[key] for key in zip(SETS, PROMPTS, strict=True)]


def test_all_steps_and_generations(table):
    values, scores = table
    np.testing.assert_allclose(listed(cfg_norm(scores)), (values**2).mean((1, 2)))
    np.testing.assert_allclose(listed(cfg_norm(scores, squared=False)), values.mean((1, 2)))
    np.testing.assert_allclose(listed(score_norm(scores)), 100 + values.mean((1, 2)))
    np.testing.assert_allclose(listed(flipd_metric(scores)), -values[:, :, 1:].mean((1, 2)))
    assert cfg_norm(scores).index.names == ["prompt_set", "prompt"]
    assert len(cfg_norm(scores)) == 3


def test_first_steps_and_first_generations(table):
    values, scores = table
    np.testing.assert_allclose(listed(cfg_norm(scores, squared=False, steps=1)), values[:, :, 0].mean(1))
    np.testing.assert_allclose(
        listed(cfg_norm(scores, steps=2, generations=1)), (values[:, 0, :2] ** 2).mean(1)
    )
    np.testing.assert_allclose(listed(score_norm(scores, steps=1, generations=1)), 100 + values[:, 0, 0])
    np.testing.assert_allclose(listed(flipd_metric(scores, generations=1)), -values[:, 0, 1:].mean(1))


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


def test_prompts_that_differ_in_steps_are_refused(table):
    _, scores = table
    with pytest.raises(InputError, match="'cfg_norm' must have the same generations and steps"):
        cfg_norm(scores.drop(scores.query("metric == 'cfg_norm'").index[0]), squared=False)


def test_detectors_are_these_averages(table):
    _, scores = table
    found = prompt_detectors(scores, steps=[2], generations=[1])
    expected = cfg_norm(scores, squared=False, steps=2, generations=1)
    np.testing.assert_array_equal(found["cfg_norm.first2.n1"], expected)


def test_names_of_detectors_are_read_as_they_are_written():
    for name, steps in (("flipd.low.n4", None), ("cfg_norm.first.n1", 1), ("a-b.first12.n7", 12)):
        detector = Detector.parse(name)
        assert str(detector) == name
        assert detector.steps == steps
    for name in ("text_ngrams", "png", "flipd.low", "flipd.early.n4", "png.final.n4.turned"):
        assert Detector.parse(name) is None


def test_tables_have_one_order_of_metrics():
    assert in_order(DEFAULT[::-1]) == list(DEFAULT)
    assert list(asked_metrics({"metrics": ["png", "flipd", "cfg_norm"]})) == ["cfg_norm", "flipd", "png"]
    assert list(asked_metrics({})) == list(DEFAULT)


def test_options_of_a_metric_are_its_own_before_those_of_the_section():
    section = {"trace": 2, "probe": "gaussian", "steps": 50}
    assert asked_metrics(section)["flipd"].model_dump() == {"trace": 2, "probe": "gaussian"}
    own = asked_metrics({**section, "metrics": {"flipd": {"trace": "exact"}}})
    assert own["flipd"].model_dump() == {"trace": "exact", "probe": "gaussian"}
    assert asked_metrics({"metrics": ["flipd"]})["flipd"].trace == "auto"
    assert [metric.options.model_dump() for metric in made({"flipd": {"trace": 3}, "png": {}})] == [
        {"trace": 3, "probe": "rademacher"},
        {},
    ]
    with pytest.raises(InputError, match=r"no metric of prompts 'entropy'; known: .*cfg_norm"):
        asked_metrics({"metrics": ["entropy"]})


def test_reading_the_metrics_loads_nothing_heavy():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from mmh.metrics.base import METRICS\n"
        "assert len(METRICS.rows()) >= 5\n"
        "assert not {'numpy', 'pandas', 'torch'} & set(sys.modules)"
    )
    scripts = Path(__file__).parents[2] / "workflow" / "scripts"
    subprocess.run([sys.executable, "-c", code, str(scripts)], check=True, timeout=60)
