"""Worlds in which no claim holds: what is drawn, where the truth lies, and what a wrong interval would do there."""

import importlib.util
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mmh.calibration import nulls, samples, sets, study, worlds
from mmh.calibration.drawing import Clusters
from mmh.calibration.experiments import asked
from mmh.calibration.experiments import worlds as worlds_of_experiment
from mmh.calibration.moving import normal_scores, with_area, with_correlation
from mmh.claims.base import CLAIMS, Context, Finding
from mmh.claims.table import contexts
from mmh.coverage.settings import GAN, GAN_OTHERS
from mmh.errors import InputError
from mmh.evaluation.samples import evaluate
from mmh.reporting.generated import put_between
from mmh.stats.correlation import spearman
from mmh.stats.curves import auc, compare
from mmh.stats.resampling import Interval

ROOT = Path(__file__).parents[2]


def stream(k=0):
    return np.random.default_rng(k)


def long(items, **columns):
    n = len(next(iter(columns.values())))
    parts = [
        pd.DataFrame({"items": items, "item": np.arange(n), "estimator": name, "t": 0.1, "value": value})
        for name, value in columns.items()
    ]
    return pd.concat(parts, ignore_index=True)


def labelled(up=GAN, down=GAN_OTHERS, within=0.39, seed=0):
    """Make exact copies and others in clusters of the sizes of `digits-gan`, scores correlated within each."""
    rng = stream(seed)
    cluster = np.repeat(np.arange(len(up) + len(down)), [*up, *down])
    n, copied = len(cluster), np.arange(len(cluster)) < sum(up)
    shared = rng.normal(size=(cluster[-1] + 1, 3))[cluster]
    own = np.sqrt(within) * shared + np.sqrt(1 - within) * rng.normal(size=(n, 3))
    label = np.where(copied, "exact", "not_memorized")
    scores = long(
        "samples", rank=28 - 2.0 * copied + own[:, 0], png=own[:, 1], rank_png=own[:, 0] + own[:, 2]
    )
    data = long(
        "train",
        lpca=30.0 + 4 * rng.normal(size=cluster[-1] + 1) - 20 * (np.arange(cluster[-1] + 1) < len(up)),
    )
    train = np.arange(cluster[-1] + 1)
    return {
        "scores": pd.concat([scores, data], ignore_index=True),
        "labels": pd.DataFrame({"sample": np.arange(n), "train": cluster, "label": label}),
        "matches": pd.DataFrame(
            {"sample": np.arange(n), "metric": "calibrated_l2", "rank": 1, "train": cluster, "score": 0.0}
        ),
        "train": pd.DataFrame({"train": train, "group": train}),
        "evaluation": pd.DataFrame(columns=worlds.AREA_COLUMNS),
    }


def captioned(seed=0):
    """Make three image sets, the memorized one apart by every score."""
    rng, parts, tables = stream(seed), [], []
    for name, n in {"memorized": 64, "control": 64, "generic": 120}.items():
        far, common = 1.5 * (name == "memorized"), rng.normal(size=n)
        parts.append(
            long(
                name,
                flipd=18 + 3 * rng.normal(size=n) - 2 * far,
                flipd_uncond=20 + 3 * rng.normal(size=n) - far,
                cfg_norm=rng.normal(size=n) + far,
                png=rng.normal(size=n),
                cfg_difference=common,
                guided_norm=common + 0.2 * rng.normal(size=n),
                exchanged_norm=common + 0.6 * rng.normal(size=n),
            )
        )
        family = np.arange(n) // (2 if name == "generic" else 1)
        tables.append(pd.DataFrame({"items": name, "item": np.arange(n), "family": family}))
    evaluation = pd.DataFrame(columns=worlds.AREA_COLUMNS)
    return {"scores": pd.concat(parts), "image_sets": pd.concat(tables), "evaluation": evaluation}


def circle(seed=0):
    """Make FLIPD at the three places, balls about them, and training sets drawn anew."""
    rng, radius = stream(seed), np.geomspace(0.01, 0.5, 9)
    region = np.repeat(["isolated", "centre", "arc"], [60, 300, 600])
    value = 0.1 * rng.normal(size=960) + (region == "arc")
    balls = []
    for place, lid, mass, share in (
        ("isolated", 1, 0.1 * radius, np.full(9, 0.03)),
        ("centre", 0, np.full(9, 0.3), np.full(9, 0.29)),
        ("arc", 1, 0.1 * radius, 0.1 * radius),
    ):
        one = {"place": place, "train": 0, "lid_data": lid, "radius": radius, "samples": 20000, "mass": mass}
        mark = np.array(["", "", "", "inner", "", "", "", "", "outer"])
        balls.append(pd.DataFrame({**one, "mark": mark, "inside": np.round(20000 * share).astype(int)}))
    laws = pd.DataFrame({"law": ["with atom", "without atom"], "n": 100, "sets": 2000})
    return {
        "scores": long("samples", flipd=value),
        "regions": pd.DataFrame({"sample": np.arange(960), "region": region}),
        "balls": pd.concat(balls, ignore_index=True),
        "duplicates": laws.assign(with_duplicates=[2000, 0], elsewhere=0),
    }


def others(seed=0):
    """Make paired models at 60 images, and points of a law whose dimension is known."""
    rng = stream(seed)
    model = 3 + 2 * rng.normal(size=60)
    columns = {"lid_data": model + 30, "lid_data.all": model + 30, "lid_data.knn": model + 5}
    paired = pd.DataFrame({**columns, "lid_model": model, "lid_control": 40 + 2 * rng.normal(size=60)})
    points = pd.DataFrame({"law": "ball", "condition": ["part", "measurements"] * 60, "t": 0.01, "lid": 4})
    points["lid_given"] = np.where(points["condition"] == "part", 4, 3)
    for name in ("lid", "lid_given"):
        points[name.replace("lid", "flipd")] = points[name] + 0.1 * rng.normal(size=120)
    return {"paired": paired, "conditioned": points}


TABLES = {
    "labelled": (labelled, ["2", "4", "6"], {"model_estimators": ["rank"], "ratios": {"rank_png": "rank"}}),
    "captioned": (captioned, ["7", "8", "9", "10", "11", "18"], {}),
    "circle": (circle, ["1", "3.1", "A.2", "A.3"], {}),
    "others": (others, ["od", "3.2"], {}),
}


def made(name, **how):
    """The worlds of each claim that such tables are asked about."""
    make, claims, options = TABLES[name]
    found = contexts(claims, make(**how), options=options)
    return [world for claim, (_, context) in found.items() for world in nulls.worlds_of(claim, context)]


def test_every_claim_has_a_null():
    assert set(nulls.NULLS) == set(CLAIMS.rows())
    with pytest.raises(InputError, match="claim 99 has no null"):
        nulls.worlds_of("99", Context({}, None, 0, 0))


def test_labels_move_as_clusters():
    cluster = np.repeat([4, 7, 1, 9], [5, 1, 3, 4])
    values = np.array([*"aaaaa", "b", *"ccc", *"dede"])
    seen = set()
    for k in range(60):
        out = Clusters(cluster).shuffled(values, stream(k))
        kinds = ["".join(sorted(set(out[cluster == c]))) for c in (4, 7, 1, 9)]
        # The cluster of two labels gives both of them, but for one that has room for one alone.
        assert sorted(kinds) in (["a", "b", "c", "de"], ["a", "b", "c", "d"], ["a", "b", "c", "e"])
        seen.add(tuple(kinds))
    assert len(seen) > 20  # 24 orders, and which of the two labels a cluster of one gets


def test_clusters_are_drawn_as_a_whole_within_their_class():
    cluster, positive = np.repeat(np.arange(8), [1, 2, 3, 4, 5, 6, 7, 8]), np.repeat([True, False], [10, 26])
    rows, drawn = Clusters(cluster).redrawn(stream(), positive)
    assert len(np.unique(drawn)) == 8
    assert (np.bincount(drawn[positive[rows]], minlength=8) > 0).sum() == 4
    for k in range(8):
        chosen = rows[drawn == k]
        assert chosen.tolist() == np.flatnonzero(cluster == cluster[chosen[0]]).tolist()
    means = [
        np.bincount(cluster[Clusters(cluster).redrawn(stream(k), positive)[0]], minlength=8)
        for k in range(800)
    ]
    np.testing.assert_allclose(
        np.mean(means, axis=0), np.bincount(cluster), rtol=0.25
    )  # each once on average


@pytest.mark.parametrize("area", [0.5, 0.56, 0.97])
def test_scores_are_moved_to_an_area(area):
    positive = np.arange(200) < 60
    values = np.round(stream().normal(size=200) + 2 * positive)  # with ties
    moved = with_area(values, positive, area, stream())
    assert auc(moved, positive) == pytest.approx(area, abs=2 / (60 * 140))
    assert spearman(moved[positive], values[positive])[0] > 0.9


@pytest.mark.parametrize("wanted", [-0.3, 0.05, 0.5, 0.99])
def test_scores_are_moved_to_a_correlation(wanted):
    x = stream().normal(size=120)
    y = x + 0.5 * stream(1).normal(size=120)
    assert spearman(x, with_correlation(x, y, wanted, stream()))[0] == pytest.approx(wanted, abs=2e-3)
    assert normal_scores(x, stream()).std() == pytest.approx(1, abs=0.05)


def test_rows_of_areas_are_those_of_the_evaluation():
    tables = labelled()
    names = ["rank", "png"]
    whole = evaluate(*(tables[key] for key in ("scores", "labels", "matches", "train")), estimators=names)
    base = samples.Labelled(Context(tables, None, 0, 0).labelled(names), names)
    rows, positive = base.classes("exact", base.label)
    found = worlds.area_rows("exact", base.minus[rows], positive, base.cluster[rows], names, samples.UNIT)
    expected = whole[whole["contrast"] == "exact"].reset_index(drop=True)[worlds.AREA_COLUMNS]
    pd.testing.assert_frame_equal(pd.DataFrame(found)[worlds.AREA_COLUMNS], expected)


# Where the truth lies: what is asked in each kind of world, averaged over draws.
@pytest.mark.parametrize("name", TABLES)
def test_the_truth_is_at_the_end_of_the_region(name):
    trials = 20
    # With 13 clusters of one value each a median jumps from one to the next.
    for world in made(name, **({"up": [6] * 60} if name == "labelled" else {})):
        if world.null != worlds.EDGE:
            continue
        found = [world.findings(stream(k), k) for k in range(trials)]
        assert found[0], f"claim {world.claim}: nothing is asked"
        for at, first in enumerate(found[0]):
            if first.statistic.startswith("samples that hold"):
                continue  # the truth is that no number of samples does
            ends = [end for end in first.region if np.isfinite(end)]
            values = np.array([one[at].at().estimate for one in found])
            if first.statistic.startswith("slope"):
                # A slope that no model has is no end.
                apart = np.min(np.abs(values[:, None] - np.array(ends)), axis=1)
                assert np.median(apart) < 0.1, first.statistic
                continue
            for turn, end in enumerate(ends):
                mine = values[turn :: len(ends)]
                error = mine.std(ddof=1) / np.sqrt(len(mine))
                assert abs(np.median(mine) - end) < 5 * error + 0.02, (world.claim, first.statistic)


@pytest.mark.parametrize("name", TABLES)
def test_no_claim_holds_more_often_than_it_may(name):
    answers = study.ask(made(name), name, range(20))
    table = study.shares(answers)
    assert set(table["claim"]) == set(TABLES[name][1])
    claims = table[table["role"] == "claim"]
    bar = 0.05 + 3 * np.sqrt(0.05 * 0.95 / 20)
    assert (claims["share"].dropna() <= bar).all()
    assert (claims["none"] < 0.6).all()  # medians of few shuffled clusters are often not bounded
    assert set(claims["null"]) == {worlds.NO_EFFECT, worlds.EDGE}
    run = study.runs(answers).set_index(["null", "question"])["share"]
    for null in (worlds.NO_EFFECT, worlds.EDGE):
        assert run[null, study.ADJUSTED] <= min(bar, run[null, study.ALONE])


def test_an_interval_that_ignores_clusters_is_caught(monkeypatch):
    """Of samples that copy one image, as if each told something of its own."""
    names = ["rank", "png", "rank_png"]
    base = Context(labelled(), None, 0, 0).labelled(names)
    table = study.shares(study.ask(list(samples.detectors(base, names)), "right", range(100)))
    assert len(table) == 3 * 2 * len(names)  # exact, and memorized, which is the same here; three nulls
    assert not table["marked"].any()
    assert table["share"].mean() == pytest.approx(0.05, abs=0.03)

    def alone(scores, positive, cluster, *, unit):
        return compare(scores, positive, None, unit=unit)

    monkeypatch.setattr(worlds, "compare", alone)
    wrong = study.shares(study.ask(list(samples.detectors(base, names)), "wrong", range(60)))
    assert wrong["marked"].all()
    assert wrong["share"].min() > 0.15


def test_a_score_that_tells_is_idle_among_shuffled_sets():
    """The memorized set is told apart by FLIPD; shuffled, it is not."""
    context = Context(captioned(), type("Own", (), {})(), 0, 0)
    names = ["flipd", "cfg_norm"]
    table = context.images(["memorized", "control", "generic"], names).assign(words=1.0)
    table["words"] = np.arange(len(table)) % 7
    pairs = [("memorized", "control"), ("memorized", "generic")]
    found = list(sets.detectors(table, pairs, names, {"words": "text_words"}, "prompts:"))
    answers = study.ask(found, "text", range(40))
    assert answers["question"].nunique() == 6
    assert answers["question"].str.contains("prompts:memorized-generic").any()
    shares = study.shares(answers).set_index(["question", "null"])["share"]
    assert shares.max() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 40)


def test_trials_are_repeatable_and_stand_alone():
    found = made("others")
    whole = study.ask(found, "others", range(3), seed=3)
    parts = [study.ask(found, "others", part, seed=3) for part in (range(1), range(1, 3))]
    pd.testing.assert_frame_equal(whole, pd.concat(parts, ignore_index=True))
    other = study.ask(found, "others", range(3), seed=4)
    assert not whole["p"].equals(other["p"])


def decided(value, half):
    return Finding(
        "mean", lambda level=0.95: Interval(value, value - half, value + half, 10), (1.0, np.inf), "0"
    )


def test_shares_count_what_is_false():
    drawn = {0: [decided(2, 0.5)], 1: [decided(0, 0.5)], 2: [decided(1, 0.5)], 3: [decided(1, np.nan)]}
    world = worlds.World("2", worlds.EDGE, lambda _, trial: drawn[trial % 4])
    row = study.shares(study.ask([world], "made-up", range(40))).iloc[0]
    assert (row.holds, row.fails, row.share, row.none) == pytest.approx((1 / 3, 1 / 3, 1 / 3, 0.25))
    assert row.mc_error == pytest.approx(np.sqrt(2 / 9 / 30))
    assert row.marked
    area = worlds.World("", worlds.EDGE, lambda _, trial: drawn[trial % 4])
    both = study.shares(study.ask([area], "made-up", range(40))).iloc[0]
    assert both.share == pytest.approx(2 / 3)  # an AUC may err to either side
    text = study.markdown(study.shares(study.ask([world], "made-up", range(40))))
    assert "| claim 2 | made-up | edge | 1 | 10 |  | 33.3 % | **33.3 %** | 8.6 % | 1 | 25 % | 40 |" in text
    assert "- made-up, claim 2: mean; edge: 33.3 % ± 8.6 %" in text


def test_claims_of_a_run_are_adjusted_for_their_number():
    """Thirty independent claims that hold falsely with 2.5 % each: half of all runs have one, few after Holm."""
    rng, n, trials = stream(), 30, 300
    z = rng.normal(size=(trials, n))

    def at(value, level=0.95):
        from scipy.stats import norm

        half = norm.isf((1 - level) / 2)
        return Interval(value, value - half, value + half, 10)

    def found(_, trial):
        return [Finding(f"claim {k}", partial(at, z[trial, k]), (0.0, np.inf), "0") for k in range(n)]

    table = study.runs(study.ask([worlds.World("2", worlds.EDGE, found)], "made-up", range(trials)))
    share = table[table["null"] == worlds.EDGE].set_index("question")["share"]
    assert share[study.ALONE] == pytest.approx(1 - 0.975**n, abs=0.08)
    assert share[study.ADJUSTED] == pytest.approx(1 - (1 - 0.025 / n) ** n, abs=0.03)
    assert table["n"].tolist() == [n] * 4
    assert not table["marked"].any()


def tool():
    spec = importlib.util.spec_from_file_location(
        "calibration_tool", ROOT / "workflow/tools/null_calibration.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_experiments_outside_of_the_run_are_asked_where_they_are_finished(tmp_path):
    paired = {"paired": {"control": "a"}, "claims": {"check": ["od"]}}
    config = {"run": ["a", "b"], "experiments": {"a": {"model": {}}, "b": paired, "c": paired}}
    assert asked(config, tmp_path) == ["b"]
    (tmp_path / "results/c").mkdir(parents=True)
    (tmp_path / "results/c/paired.csv").write_text("item,lid_data,lid_model,lid_control\n")
    assert asked(config, tmp_path) == ["b", "c"]


def test_a_missing_table_is_named(tmp_path):
    config = {
        "run": ["a", "b"],
        "experiments": {"a": {"model": {}}, "b": {"paired": {"control": "c"}, "claims": {"check": ["od"]}}},
    }
    assert asked(config, tmp_path) == ["b"]
    with pytest.raises(InputError, match=r"results/b/paired.csv is missing; run `make demo` first"):
        worlds_of_experiment(config, "b", tmp_path)
    (tmp_path / "results/b").mkdir(parents=True)
    others()["paired"].to_csv(tmp_path / "results/b/paired.csv", index=False)
    assert {world.claim for world in worlds_of_experiment(config, "b", tmp_path)} == {"od"}


def test_the_command_says_what_is_missing(tmp_path, monkeypatch, capsys):
    calibration = tool()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(
        (ROOT / "config.yaml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    monkeypatch.setattr("sys.argv", ["null_calibration.py", "--trials", "1"])
    assert calibration.main() == 1
    assert "results/von-mises/scores.parquet is missing; run `make demo` first" in capsys.readouterr().err


NEWER = {"12a", "12b", "13", "14", "15"}
"""Claims that came after the last table."""


def test_the_page_is_in_step_with_the_last_table():
    calibration = tool()
    last = sorted((ROOT / "docs/studies").glob("calibration-*.csv"))[-1]
    text = (ROOT / "docs/statistics.md").read_text(encoding="utf-8")
    table = calibration.read(last)
    assert put_between(text, calibration.MARKS, last.name, calibration.markdown(table)) == text
    asked = set(table["claim"]) - {""}
    unasked = set(CLAIMS.rows()) - asked
    assert asked <= set(CLAIMS.rows())
    assert {"3", "5"} <= unasked  # no interval, and not asked in the demo
    assert unasked <= {"3", "5", *NEWER}
    bar = 0.05 + 2 * table["mc_error"]
    adjusted = table["question"] != study.ALONE
    assert (table["marked"] == ((table["share"] > bar) & adjusted)).all()
    for row in table[table["marked"]].itertuples():
        assert f"{row.question}" in text
    # What counts in the end: claims of a run, adjusted for their number.
    run = table[(table["kind"] == study.RUN) & ~table["question"].str.contains("alone")]
    assert len(run) == 2
    assert not run.loc[run["null"] == "no effect", "marked"].any()
    for row in run[run["marked"]].itertuples():  # with all truths at the ends of their regions, and said so
        assert f"{100 * row.share:.1f} ± {100 * row.mc_error:.1f} %" in text.split("What the lines above")[1]


def generations(n: int = 60) -> pd.DataFrame:
    """Two generations of each of `n` memorized prompts, a family each: half of them copies, SAIL's a fifth fewer."""
    rows = pd.DataFrame([(p, g) for p in range(n) for g in range(2)], columns=["prompt", "generation"])
    rows = rows.assign(
        prompt_set="memorized", family=rows["prompt"], part="evaluated", rows=100.0, correct=1.0
    )
    random = np.random.default_rng(0)
    copies = (random.random(len(rows)) < 0.5).astype(float)
    fewer = copies * (random.random(len(rows)) < 0.6)
    parts = [
        rows.assign(mitigation=name, copy=x)
        for name, x in (("none", copies), ("sail", fewer), ("redraw", copies))
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("claim", ["sail", "sail-redraw"])
def test_claims_of_mitigations_are_exchanged_by_a_coin_or_moved_to_where_the_fall_does_not_count(claim):
    own = CLAIMS[claim].Options()
    context = Context({"mitigated": generations()}, own, 0, 0)
    assert CLAIMS[claim].test(context)
    found = {
        (w.null, f.statistic): [] for w in nulls.worlds_of(claim, context) for f in w.findings(stream(0), 0)
    }
    for one in nulls.worlds_of(claim, context):
        for k in range(80):
            for finding in one.findings(stream(k), k):
                found[one.null, finding.statistic].append(finding.at().estimate)
    means = {key: np.mean(values) for key, values in found.items()}
    errors = {key: np.std(values) / np.sqrt(80) for key, values in found.items()}
    for (null, statistic), mean in means.items():
        truth = 0.0 if null == "no effect" else -0.05
        assert abs(mean - truth) < 4 * errors[null, statistic] + 1e-9, (null, statistic)
    assert {null for null, _ in means} == {"no effect", "edge"}
    assert len(means) == (3 if claim == "sail" else 2)
