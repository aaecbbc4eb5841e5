"""Replicates: which seeds train what, that a break is gone on from, and the table over trainings."""

import copy
import json
import math
import os
import shutil
import statistics
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import replicates
import yaml
from scipy.stats import t
from test_plan_inputs import CONFIG, evaluated, jobs, section

import study
from mmh.config.check import check_config
from mmh.errors import InputError
from mmh.evaluation.runs.trainings import COLUMNS, FILE, scale_of, trainings_table
from mmh.plan.plan import Plan
from mmh.plan.replicates import experiments_by_seed, tables, training
from mmh.stats.trainings import SCALES, on_scale, over_trainings

ROOT = Path(__file__).parents[2]
SHIPPED = yaml.safe_load((ROOT / "config.yaml").read_text())


def with_replicates(name: str, value: object) -> dict:
    config = json.loads(json.dumps(SHIPPED))
    config["experiments"][name]["replicates"] = value
    return config


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("digits", [0, 1, 1], "replicates: [0, 1, 1] has non-unique elements: root seeds"),
        ("digits", [0, "1"], "replicates.1: '1' is a string, expected integer"),
        ("digits", [0, 1.5], "replicates.1: 1.5 is a number, expected integer"),
        ("digits", [0, True], "replicates.1: True is a boolean, expected integer"),
        ("digits", [0, -1], "replicates.1: -1 is out of range, expected >= 0"),
        ("digits", [3], "replicates: [3] is too short, expected 2"),
        ("digits", 5, "replicates: 5 is an integer, expected array"),
        ("manifolds", [0, 1], "replicates: needs a model that is trained here; of others no training is"),
        ("stable-diffusion", [0, 1], "replicates: needs a model that is trained here"),
        ("digits-control", [0, 1], "replicates: needs evaluation, detection or claims, whose numbers"),
    ],
)
def test_mistakes_of_the_key_are_named(name: str, value: object, said: str) -> None:
    with pytest.raises(InputError) as caught:
        check_config(with_replicates(name, value))
    assert f"experiments.{name}.{said}" in str(caught.value)


def test_samples_that_people_labelled_are_of_one_training() -> None:
    config = with_replicates("digits", [0, 1])
    config["experiments"]["digits"]["labels"] = {"source": "files"}
    with pytest.raises(InputError, match=r"digits\.replicates: people labelled the samples of one training"):
        check_config(config)


def test_the_key_is_part_of_no_job() -> None:
    """No input, parameter or digest of any job knows it: to add it reruns nothing."""
    without = copy.deepcopy(CONFIG)
    for entry in without["experiments"].values():
        entry.pop("replicates", None)
    assert without != CONFIG, "the shipped configuration has the key"

    def asked(config: dict) -> dict:
        plan = Plan({**config, "run": CONFIG["run"]})
        return {
            log: (rule, inputs, evaluated(plan, wildcards, section(rule, "params")))
            for log, (rule, wildcards, inputs) in jobs(plan, *plan.run.targets()).items()
        }

    ours, theirs = asked(CONFIG), asked(without)
    assert len(ours) > 100
    assert ours == theirs
    moved = asked({**CONFIG, "seed": 1})
    assert sum(moved[log] != ours[log] for log in ours) > 50, "another seed does"
    data = [log for log, (rule, *_) in ours.items() if rule == "make_dataset"]
    assert len(data) > 3
    assert all(moved[log] == ours[log] for log in data), "but the data stay the same"


def test_seeds_are_joined_and_each_trains_those_that_name_it() -> None:
    entries = {"a": {"replicates": [3, 1]}, "b": {}, "c": {"replicates": [1, 2]}}
    config = {"experiments": entries}
    assert experiments_by_seed(config) == {3: ["a"], 1: ["a", "c"], 2: ["c"]}
    assert list(experiments_by_seed(config)) == [3, 1, 2]
    assert experiments_by_seed(config, ["c"]) == {1: ["c"], 2: ["c"]}
    with pytest.raises(InputError, match=r"experiments\.b: has no key replicates; add one"):
        experiments_by_seed(config, ["b"])
    with pytest.raises(InputError, match="--experiments d: there is no such experiment; known: a, b, c"):
        experiments_by_seed(config, ["d"])
    with pytest.raises(InputError, match="no experiment has the key replicates"):
        experiments_by_seed({"experiments": {"b": {}}})


def test_the_overlay_of_a_seed(tmp_path: Path) -> None:
    made = training({"plugins": ["mine/blur.py", "/there/blobs.py"]}, 7, ["a", "c"], tmp_path)
    assert made.folder == "seed-7"
    plugins = [str(tmp_path.resolve() / "mine/blur.py"), "/there/blobs.py"]
    assert made.overlay == {"run": ["a", "c"], "seed": 7, "plugins": plugins}
    assert "plugins" not in training({"plugins": []}, 7, ["a"], tmp_path).overlay


def test_the_tables_of_the_shipped_experiments() -> None:
    assert tables(CONFIG, "von-mises") == ["results/von-mises/claims.csv"]
    gan = ["evaluation.csv", "claims.csv", "percentiles.csv"]
    assert tables(CONFIG, "digits-gan") == [f"results/digits-gan/{name}" for name in gan]
    seeds = experiments_by_seed(CONFIG)
    assert list(seeds) == [0, 1, 2, 3, 4]
    trained = [
        *(name for name in CONFIG["run"] if name not in ("digits-control", "manifolds")),
        "digits-gan",
        "digits-captions",
        "digits-partial",
        "mnist-nine",
    ]
    assert all(sorted(names) == sorted(trained) for names in seeds.values())


def test_the_control_of_a_pair_is_trained_along_with_the_same_seed() -> None:
    found = jobs(Plan({**CONFIG, "seed": 3}), *tables(CONFIG, "digits-overfit"))
    trained = {wildcards.experiment for rule, wildcards, _ in found.values() if rule == "train_model"}
    assert trained == {"digits-overfit", "digits-control"}


def brute(x: list[float], e: list[float], df: float, k: float) -> float:
    """Half the width, sum by sum."""
    count = len(x)
    mean = sum(x) / count
    within = sum(one**2 for one in e) / count
    part = k * sum((one - mean) ** 2 for one in x) / (count - 1)
    if count < 4:
        return math.sqrt(t.ppf(0.975, df) ** 2 * within + t.ppf(0.975, count - 1) ** 2 * part)
    freedom = (within + part) ** 2 / (within**2 / df + part**2 / (count - 1))
    return t.ppf(0.975, freedom) * math.sqrt(within + part)


def test_both_parts_of_the_variance_are_added() -> None:
    x, e, df = [1.2, 0.4, 0.9, 2.0], [0.3, 0.2, 0.5, 0.1], 9
    found = over_trainings(x, e, df)
    assert found.centre == pytest.approx(1.125)
    assert found.between == pytest.approx(statistics.stdev(x))
    assert found.within == pytest.approx(math.sqrt((0.09 + 0.04 + 0.25 + 0.01) / 4))
    for ends, k in ((found.one, 1 + 1 / 4), (found.mean, 1 / 4)):
        half = brute(x, e, df, k)
        assert ends == pytest.approx((1.125 - half, 1.125 + half))
    few = over_trainings(x[:3], e[:3], df)
    half = brute(x[:3], e[:3], df, 4 / 3)
    assert few.one == pytest.approx((2.5 / 3 - half, 2.5 / 3 + half))
    for count in (2, 5):  # no spread: the interval given one model
        alone = over_trainings([2.0] * count, [0.5] * count, 12)
        half = 0.5 * t.ppf(0.975, 12)
        assert alone.one == pytest.approx((2 - half, 2 + half))
        assert alone.mean == pytest.approx((2 - half, 2 + half))
        assert over_trainings([2.0] * count, [0.0] * count).one == (2.0, 2.0)
    for data in ([1.0, 2.0, 4.0], [1.0, 2.0, 4.0, 4.5]):  # no error: Student's interval of one more
        exact = over_trainings(data, [0.0] * len(data))
        spread = statistics.stdev(data) * math.sqrt(1 + 1 / len(data))
        half, mean = t.ppf(0.975, len(data) - 1) * spread, statistics.fmean(data)
        assert exact.one == pytest.approx((mean - half, mean + half))
    for values, errors in (([1.0], [0.1]), ([1.0, 2.0], [0.1])):
        with pytest.raises(ValueError, match="two trainings or more"):
            over_trainings(values, errors)


@pytest.mark.parametrize("ratio", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("count", [2, 5])
def test_the_intervals_cover_over_trainings_and_clusters(count: int, ratio: float) -> None:
    """13 clusters that all trainings share, and a random effect of each training with B / W = ratio."""
    stream, trials, groups = np.random.default_rng(count), 1500, 13
    hits = np.zeros(2)
    for _ in range(trials):
        shared = stream.normal(size=groups)
        effect = stream.normal(size=count + 1) * math.sqrt(ratio / groups)
        values = shared.mean() + effect[:count]
        error = shared.std(ddof=1) / math.sqrt(groups)
        found = over_trainings(values, [error] * count, groups - 1)
        hits += [found.one[0] < effect[-1] < found.one[1], found.mean[0] < 0 < found.mean[1]]
    error = math.sqrt(0.05 * 0.95 / trials)
    assert (hits / trials > (0.95 if count < 4 else 0.93) - 3 * error).all(), hits / trials
    assert count < 4 or (hits / trials < 0.97 + 3 * error).all(), hits / trials


def test_samples_own_noise_is_counted_twice_and_never_too_little() -> None:
    """Where no error is shared by trainings, that of the samples is in both parts."""
    stream, trials, hits = np.random.default_rng(1), 800, 0
    for _ in range(trials):
        data = stream.normal(size=(5, 13))
        effect = stream.normal(size=6) * math.sqrt(1 / 13)
        found = over_trainings(data.mean(axis=1) + effect[:5], data.std(axis=1, ddof=1) / math.sqrt(13), 12)
        hits += found.one[0] < effect[5] < found.one[1]
    assert hits / trials > 0.97


@pytest.mark.parametrize(
    ("name", "value", "ends"),
    [
        ("logit", 0.84, (0.7, 0.92)),
        ("artanh", 0.6, (0.2, 0.83)),
        ("share", 0.3, (0.2, 0.5)),
        ("log", 3.0, (2.0, 9.0)),
        ("identity", -3.0, (-4.0, -1.0)),
    ],
)
def test_scales_lead_there_and_back(name: str, value: float, ends: tuple[float, float]) -> None:
    scale = SCALES[name]
    assert scale.unit(scale.there(value)) == pytest.approx(value)
    centre, error = on_scale(name, value, *ends, df=12)
    arms = centre - scale.there(ends[0]), scale.there(ends[1]) - centre
    assert error == pytest.approx(max(arms) / t.ppf(0.975, 12))


def test_an_auc_of_one_is_held_half_a_pair_below() -> None:
    centre, error = on_scale("logit", 1.0, 0.75, 1.0, df=12, edge=0.001)
    assert centre == pytest.approx(math.log(999))
    assert error == pytest.approx((math.log(999) - math.log(3)) / t.ppf(0.975, 12))
    assert SCALES["logit"].unit(-1000.0) == 0.0
    assert SCALES["share"].unit(-0.2) == 0.0


@pytest.mark.parametrize(
    ("table", "row", "scale"),
    [
        ("evaluation.csv", "flipd; exact", "logit"),
        ("percentiles.csv", "jacobian; exact; 10", "logit"),
        ("claims.csv", "2; AUC of flipd, exact against not memorized (above .5)", "logit"),
        ("claims.csv", "6; AUC of flipd_png minus flipd, exact (above 0)", "identity"),
        ("claims.csv", "18; Spearman correlation of a and b, all (above 0.5)", "artanh"),
        ("claims.csv", "A.2; largest P_theta/P_* at centre, any ball (below 2)", "log"),
        ("claims.csv", "A.3; slope of log P_theta/P_* over log r, r = 0.05 to 0.5, arc", "identity"),
        ("claims.csv", "3.1; share of sets of 100 points with a duplicate", "share"),
        ("claims.csv", "sail; share of copies, SAIL minus none, memorized prompts (below -0.05)", "identity"),
        ("claims.csv", "1; median flipd, arc (about 1: within 0.2)", "identity"),
    ],
)
def test_a_number_s_scale_follows_from_what_it_is(table: str, row: str, scale: str) -> None:
    assert scale_of(table, row) == scale


CLAIMS = ["claim", "statistic", "estimate", "low", "high", "n", "n_clusters", "reason", "verdict"]
EVALUATION = ["estimator", "contrast", "n_positive", "n_negative", "n_clusters"]
EVALUATION += ["auc", "auc_low", "auc_high", "auc_reason"]


def results(folder: Path, shift: float = 0.0, verdict: str = "holds", bounded: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    ends = (10.0 + shift, 14.0 + shift) if bounded else (None, None)
    rows: list[tuple] = [
        ("1", "median", 12.0 + shift, *ends, 40, 8, "" if bounded else "all of one group", verdict),
        ("od", "nothing", None, None, None, 0, 0, "", "undecided"),
    ]
    pd.DataFrame(rows, columns=CLAIMS).to_csv(folder / "claims.csv", index=False)
    areas = [("flipd", "exact", 20, 30, 7, 0.9 + shift / 100, 0.8, 0.97, "")]
    areas += [("png", "exact", 20, 30, 7, 0.5, 0.5, 0.5, "")] if shift == 0 else []
    pd.DataFrame(areas, columns=EVALUATION).to_csv(folder / "evaluation.csv", index=False)
    return folder


def test_the_table_over_trainings(tmp_path: Path) -> None:
    folders = {seed: results(tmp_path / str(seed), shift=2.0 * seed) for seed in (0, 1, 4)}
    table = trainings_table(folders)
    assert list(table.columns) == COLUMNS
    flipd, png, median, nothing = table.to_dict("records")
    assert [row["row"] for row in (flipd, png, median, nothing)] == [
        "flipd; exact",
        "png; exact",
        "1; median",
        "od; nothing",
    ]
    assert (median["seeds"], median["values"]) == ("0 1 4", "12 14 20")
    assert (median["n_trainings"], median["n_clusters"], median["scale"]) == (3, 8, "identity")
    assert median["mean"] == pytest.approx(46 / 3)
    assert median["sd"] == pytest.approx(statistics.stdev([12, 14, 20]))
    error = 2 / t.ppf(0.975, 7)
    assert median["within"] == pytest.approx(error)
    half = brute([12, 14, 20], [error] * 3, 7, 4 / 3)
    assert (median["low"], median["high"]) == pytest.approx((46 / 3 - half, 46 / 3 + half))
    half = brute([12, 14, 20], [error] * 3, 7, 1 / 3)
    assert (median["mean_low"], median["mean_high"]) == pytest.approx((46 / 3 - half, 46 / 3 + half))
    assert median["verdicts"] == "holds 3"
    values = [0.9, 0.92, 0.98]
    logits = [math.log(x / (1 - x)) for x in values]
    errors = [max(math.log(0.97 / 0.03) - x, x - math.log(0.8 / 0.2)) / t.ppf(0.975, 6) for x in logits]
    half, centre = brute(logits, errors, 6, 4 / 3), statistics.fmean(logits)
    assert flipd["mean"] == pytest.approx(statistics.fmean(values))
    assert flipd["low"] == pytest.approx(1 / (1 + math.exp(half - centre)))
    assert flipd["high"] == pytest.approx(1 / (1 + math.exp(-half - centre)))
    assert (png["n_trainings"], png["reason"]) == (1, "one training alone has it")
    assert (nothing["n_trainings"], nothing["verdicts"]) == (0, "undecided 3")
    assert nothing["reason"] == "no training has it"
    assert math.isnan(nothing["mean"])


def test_a_training_without_an_interval_leaves_none_and_says_so(tmp_path: Path) -> None:
    folders = {
        0: results(tmp_path / "0"),
        5: results(tmp_path / "5", shift=1, verdict="undecided", bounded=False),
    }
    row = trainings_table(folders).set_index("row").loc["1; median"]
    assert row["reason"] == "seed 5 has no interval: all of one group"
    assert row["sd"] == pytest.approx(math.sqrt(0.5))
    assert np.isnan(row["low"])
    assert row["verdicts"] == "holds 1, undecided 1"
    with pytest.raises(InputError, match="one training says nothing of others"):
        trainings_table({0: folders[0]})
    path = folders[5] / "claims.csv"
    path.write_text(path.read_text() + path.read_text().splitlines()[-1] + "\n")
    with pytest.raises(InputError, match="claim, statistic, under name two rows 'od; nothing'"):
        trainings_table(folders)


def test_a_ratio_that_may_be_zero_has_no_logarithm(tmp_path: Path) -> None:
    for seed, low in ((0, 0.5), (1, 0.0)):
        (tmp_path / str(seed)).mkdir()
        row = ("A.2", "largest P_theta/P_* at x", 2.0 + seed, low, 4.0, 9, 9, "", "holds")
        pd.DataFrame([row], columns=CLAIMS).to_csv(tmp_path / str(seed) / "claims.csv", index=False)
    (row,) = trainings_table({seed: tmp_path / str(seed) for seed in (0, 1)}).to_dict("records")
    assert row["scale"] == "identity"
    (tmp_path / "1" / "claims.csv").write_text((tmp_path / "0" / "claims.csv").read_text())
    (row,) = trainings_table({seed: tmp_path / str(seed) for seed in (0, 1)}).to_dict("records")
    assert row["scale"] == "log"
    assert row["low"] * row["high"] == pytest.approx(4.0)  # about 2, one as far below as the other above


def small() -> dict:
    entries = {
        "rings": {"replicates": [0, 1, 2], "claims": {"check": ["1"]}},
        "discs": {"replicates": [1, 2], "claims": {"check": ["1"]}, "evaluation": {"estimators": ["flipd"]}},
    }
    return {"experiments": entries, "seed": 0, "plugins": []}


def test_seeds_go_on_where_they_broke_off_and_tables_come_after_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Snakemake is left out: what it is told is kept, and its files are written."""
    monkeypatch.chdir(tmp_path)
    ran, broken = [], {2}

    def make(folder: Path, variant, files, cores, configs, options) -> bool:
        ran.append((folder, tuple(variant.overlay["run"]), tuple(files), cores, tuple(options)))
        seed = variant.overlay["seed"]
        for name in variant.overlay["run"] if seed not in broken else ():
            results(folder / "results" / name, shift=float(seed))
        return seed not in broken

    monkeypatch.setattr(study, "run_variant", make)
    config, dated = small(), tmp_path / "docs" / "studies" / "replicates-2020-01-01.csv"
    found = experiments_by_seed(config)
    how = {"cores": "", "options": ["--profile", "profiles/slurm"], "dated": dated}
    assert not replicates.run(config, found, **how)
    said = capsys.readouterr()
    assert "error: not finished: seeds 2; run it again" in said.err
    assert "rings: 2 of 3 trainings are finished" in said.out
    assert "discs: 1 of 2 trainings are finished" in said.out
    both = ("results/rings/claims.csv", "results/discs/evaluation.csv", "results/discs/claims.csv")
    profile = ("--profile", "profiles/slurm")
    assert ran[0] == (Path("runs/replicates/seed-0"), ("rings",), both[:1], "", profile)
    assert ran[1] == (Path("runs/replicates/seed-1"), ("rings", "discs"), both, "", profile)
    assert set(pd.read_csv(dated)["experiment"]) == {"rings"}
    assert not (tmp_path / "results" / "discs").exists()
    broken.clear()
    assert replicates.run(config, found, **how)
    table = pd.read_csv(dated)
    assert list(dict.fromkeys(table["experiment"])) == ["rings", "discs"]
    assert set(table.loc[table["row"] == "1; median", "n_trainings"]) == {2, 3}
    assert json.loads(dated.with_suffix(".json").read_text())["seeds"] == {
        "rings": [0, 1, 2],
        "discs": [1, 2],
    }
    own = pd.read_csv(tmp_path / "results" / "rings" / FILE)
    assert list(own.columns) == COLUMNS
    assert own.set_index("row").loc["1; median", "values"] == "12 13 14"


def test_rows_of_experiments_that_are_not_trained_here_stay_in_the_dated_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config, dated = small(), tmp_path / "docs" / "replicates-2020-01-01.csv"
    found = experiments_by_seed(config)
    for seed, names in found.items():
        for name in names:
            results(tmp_path / f"runs/replicates/seed-{seed}/results/{name}", shift=float(seed))
    replicates.collect(config, found, dated)
    before = pd.read_csv(dated, dtype=str, keep_default_na=False)
    assert json.loads(dated.with_suffix(".json").read_text())["kept"] == {}
    shutil.rmtree("runs/replicates/seed-2")  # of discs one training is left
    later = tmp_path / "docs" / "replicates-2020-02-02.csv"
    for _ in range(2):  # over the table of that day, too
        replicates.collect(config, found, later)
        after = pd.read_csv(later, dtype=str, keep_default_na=False)
        assert list(dict.fromkeys(after["experiment"])) == ["rings", "discs"]
        discs = after[after["experiment"] == "discs"].reset_index(drop=True)
        pd.testing.assert_frame_equal(discs, before[before["experiment"] == "discs"].reset_index(drop=True))
        said = json.loads(later.with_suffix(".json").read_text())
        assert said["seeds"] == {"rings": [0, 1], "discs": [1, 2]}
        assert said["kept"] == {"discs": "replicates-2020-01-01.csv"}


def test_the_command_of_snakemake(tmp_path: Path) -> None:
    words = study.command(tmp_path, ["a.csv"], "", ["config.yaml", "/x/mine.yaml"], ["--profile", "p"])
    assert "--cores" not in words
    assert words[-3:] == [str(Path("config.yaml").resolve()), "/x/mine.yaml", str(tmp_path / "overlay.yaml")]
    assert words[words.index("--profile") + 1] == "p"
    assert study.command(tmp_path, [], "3")[-4:-2] == ["3", "--configfile"]


def test_finished_results_of_the_same_seed_are_taken_over_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("runs/replicates/seed-0")
    replicates.reuse(folder)
    assert not folder.exists(), "nothing is there to take over"
    results(Path("results/rings"))
    os.utime("results/rings/claims.csv", (1e9, 1e9))
    Path(".snakemake/metadata").mkdir(parents=True)
    Path(".snakemake/metadata/abc").write_text("{}")
    folder.with_name("seed-0.partial").mkdir(parents=True)
    folder.with_name("seed-0.partial").joinpath("half").write_text("")
    replicates.reuse(folder)
    assert (folder / "results/rings/claims.csv").stat().st_mtime == 1e9
    assert (folder / ".snakemake/metadata/abc").is_file()
    assert sorted(path.name for path in folder.iterdir()) == [".snakemake", "results"]
    (folder / "results/rings/claims.csv").write_text("mine")
    replicates.reuse(folder)
    assert (folder / "results/rings/claims.csv").read_text() == "mine"


def test_an_experiment_without_the_key_is_named_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("sys.argv", ["replicates.py", "--experiments", "manifolds"])
    monkeypatch.setattr(study, "run_variant", lambda *given: pytest.fail("it ran"))
    assert replicates.main() == 1
    assert "experiments.manifolds: has no key replicates" in capsys.readouterr().err
