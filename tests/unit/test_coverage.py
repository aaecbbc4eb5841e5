"""The study of coverage: its counts against a law that is known, its table, and the page in step with it."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mmh.coverage.settings import SETTINGS
from mmh.coverage.study import GOAL, Setting, markdown, simulate
from mmh.reporting.generated import put_between
from mmh.stats.resampling import Interval

ROOT = Path(__file__).parents[2]


def tool():
    spec = importlib.util.spec_from_file_location(
        "coverage_tool", ROOT / "workflow/tools/interval_coverage.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def normal_mean(half, n=25, missing=0.0):
    def draw(stream):
        if stream.random() < missing:
            return Interval(np.nan, np.nan, np.nan, n), 0.0
        mean = stream.normal() / np.sqrt(n)
        return Interval(mean, mean - half, mean + half, n), 0.0

    return draw


def test_coverage_of_a_known_interval():
    """Of a mean with known variance 1.96 standard errors cover 95 %, one covers 68.3 %."""
    good = simulate(Setting("mean", "known", normal_mean(1.959964 / 5)), 3000)
    assert good["coverage"] == pytest.approx(0.95, abs=4 * good["mc_error"])
    assert good["mc_error"] == pytest.approx(np.sqrt(0.95 * 0.05 / 3000), rel=0.15)
    assert not good["marked"]
    bad = simulate(Setting("mean", "narrow", normal_mean(1 / 5)), 3000)
    assert bad["coverage"] == pytest.approx(0.6827, abs=4 * bad["mc_error"])
    assert bad["too_high"] + bad["too_low"] == pytest.approx(1 - bad["coverage"])
    assert bad["marked"]
    assert bad["width"] == pytest.approx(0.4)


def test_trials_without_an_interval_do_not_count_but_are_told():
    row = simulate(Setting("mean", "half", normal_mean(1.959964 / 5, missing=0.5)), 1000)
    assert row["none"] == pytest.approx(0.5, abs=0.06)
    assert row["coverage"] == pytest.approx(0.95, abs=0.04)
    never = simulate(Setting("mean", "none", normal_mean(1.0, missing=1.0)), 10)
    assert np.isnan(never["coverage"])
    assert not never["marked"]
    assert "| - | - | - | 100 % |" in markdown(pd.DataFrame([never]))


def test_simulations_are_repeatable_and_differ_by_setting():
    first, again = (simulate(Setting("mean", "known", normal_mean(0.3)), 40) for _ in range(2))
    other = simulate(Setting("mean", "other", normal_mean(0.3)), 40)
    assert first == again
    assert first["width"] == other["width"]
    draws = [SETTINGS[0].draw(np.random.default_rng(0))[0] for _ in range(2)]
    assert draws[0] == draws[1]


def test_settings_have_names_of_their_own_and_every_kind_is_there():
    assert len({setting.slug for setting in SETTINGS}) == len(SETTINGS)
    kinds = {setting.kind for setting in SETTINGS}
    assert kinds >= {
        "AUC",
        "difference of AUC",
        "TPR at 1 % FPR",
        "median",
        "difference of medians",
        "Spearman",
        "difference of Spearman",
    }
    assert kinds >= {"text control", "jackknife of counts", "share"}
    assert kinds >= {"AUC of one further training, logit", "mean AUC over trainings, logit"}


def test_an_interval_over_trainings_is_wider_than_one_given_one_model():
    """Of two trainings alike but for the effect of each, only the spread between them makes the difference."""
    found = {
        (setting.kind, setting.name): simulate(setting, 8)
        for setting in SETTINGS
        if "trainings" in setting.name and "W / 10" not in setting.name
    }
    one = {name: row["width"] for (kind, name), row in found.items() if kind.startswith("AUC of one")}
    wide, middle = one["5 trainings, variance of trainings 10 W"], one["5 trainings, variance of trainings W"]
    assert wide > 1.5 * middle
    assert one["2 trainings, variance of trainings W"] > 1.5 * middle
    (mean,) = (row["width"] for (kind, _), row in found.items() if kind.startswith("mean"))
    assert mean < middle
    assert all(row["truth"] == 0 and row["none"] == 0 for row in found.values())


def test_the_shipped_intervals_cover_at_the_sizes_that_failed_before():
    """13 clusters of correlated samples: resampled by sample 45 % were covered."""
    wanted = next(s for s in SETTINGS if s.kind == "AUC" and "digits-gan" in s.name)
    row = simulate(wanted, 300)
    assert row["n_clusters"] == 13
    assert row["coverage"] > 0.95 - 4 * np.sqrt(0.95 * 0.05 / 300)


def test_the_page_is_in_step_with_the_last_table():
    coverage = tool()
    last = sorted((ROOT / "docs/studies").glob("coverage-*.csv"))[-1]
    text = (ROOT / "docs/statistics.md").read_text(encoding="utf-8")
    table = pd.read_csv(last)
    assert put_between(text, coverage.MARKS, last.name, coverage.markdown(table)) == text
    assert {(row.kind, row.setting) for row in table.itertuples()} == {(s.kind, s.name) for s in SETTINGS}
    outside = ~table["coverage"].between(*GOAL) & table["coverage"].notna()
    assert (table["marked"] == outside).all()
    assert (table["mc_error"].dropna() <= 0.01).all()
    assert text.count("| **") >= outside.sum()


def test_finished_settings_are_kept_until_the_code_changes(tmp_path, monkeypatch):
    coverage = tool()
    monkeypatch.setattr(coverage, "RUNS", tmp_path)
    setting = SETTINGS[0]
    assert coverage.finished(setting, 5, "one") is None
    coverage.run_setting((setting.kind, setting.name), 5, "one")
    row = coverage.finished(setting, 5, "one")
    assert (row["kind"], row["setting"], row["trials"]) == (setting.kind, setting.name, 5)
    assert coverage.finished(setting, 6, "one") is None
    assert coverage.finished(setting, 5, "two") is None
    assert len(coverage.code()) == 16
