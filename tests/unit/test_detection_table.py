"""Rows of the evaluation of detectors on image sets and prompts."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_words import random_texts, random_words

from mmh.detection import audit, detection_table, prompt_detectors
from mmh.errors import InputError
from mmh.evaluation.samples import COLUMNS
from mmh.io import table_files as io
from mmh.io.tables import ALL_SCORES
from mmh.prompts import lists as prompts
from mmh.stats import curves as stats

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
OPTIONS = {"seed": 1}


def load_script(name):
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def image_world(n=60, seed=0, captions=True, per_family=1):
    """Make two image sets, and scores of known order: flipd small and cfg large for memorized images."""
    rng = np.random.default_rng(seed)
    sets, frames = {}, []
    for shift, name in enumerate(("memorized", "control")):
        texts = random_texts(n, seed + shift) if captions else [""] * n
        sets[name] = pd.DataFrame(
            {"item": np.arange(n), "caption": texts, "family": np.arange(n) // per_family}
        )
        family = np.repeat(rng.normal(size=n // per_family), per_family)
        values = {
            "flipd": 10 * shift + 6 * family,
            "cfg": 3 - shift + family,
            "png": 100 + 9 * rng.normal(size=n),
        }
        frames += [
            pd.DataFrame({"items": name, "item": np.arange(n), "estimator": k, "value": v})
            for k, v in values.items()
        ]
    return pd.concat(frames, ignore_index=True), sets


IMAGES = {"pairs": [["memorized", "control"]], "estimators": ["flipd", "cfg"], "large": ["cfg"]}


def of(scores, name):
    return scores[scores["estimator"] == name]["value"].to_numpy()


def test_image_rows_have_the_areas_of_their_orientation():
    scores, sets = image_world()
    table = detection_table.evaluate_image_sets(scores, sets, **IMAGES, **OPTIONS)
    assert table.columns.tolist() == COLUMNS
    text = ["text_ngrams", *prompts_features()]
    assert table["estimator"].tolist() == ["flipd", "cfg", "png", "png.turned", *text]
    assert set(table["contrast"]) == {"memorized-control"}
    assert (table[["n_positive", "n_negative", "n_clusters"]] == 60).all(axis=None)
    rates = ["tpr_at_1fpr_low", "tpr_at_1fpr_high"]
    assert not table.drop(columns=rates).isna().any(axis=None)
    assert table["tpr_at_1fpr_reason"].str.startswith("60 negatives: 368 are needed").all()
    medians = [np.median(of(scores, "cfg")[rows]) for rows in (np.arange(120) < 60, np.arange(120) >= 60)]
    assert table.set_index("estimator").loc["cfg", ["median_positive", "median_negative"]].tolist() == medians
    medians = [np.median(of(scores, "flipd")[rows]) for rows in (np.arange(120) < 60, np.arange(120) >= 60)]
    assert (
        table.set_index("estimator").loc["flipd", ["median_positive", "median_negative"]].tolist() == medians
    )
    positive = np.arange(120) < 60
    rows = table.set_index("estimator")
    for name, sign in (("flipd", -1), ("cfg", 1), ("png", -1)):
        assert rows.loc[name, "auc"] == pytest.approx(stats.auc(sign * of(scores, name), positive))
        assert rows.loc[name, "tpr_at_1fpr"] == stats.tpr_at_fpr(sign * of(scores, name), positive)
    best = rows.loc[["png.turned", *text], "auc"].idxmax()
    assert set(table["baseline"]) == {best}
    assert rows.loc["flipd", "auc_gain"] == pytest.approx(rows.loc["flipd", "auc"] - rows.loc[best, "auc"])
    assert rows.loc["flipd", "auc_gain_low"] > 0
    assert rows.loc[best, ["auc_gain", "auc_gain_low", "auc_gain_high"]].tolist() == [0, 0, 0]


def prompts_features():
    from mmh.prompts.words import FEATURES

    return list(FEATURES)


def test_scores_are_those_of_their_image_in_whatever_order_they_stand():
    """Families and pairs of scores would be torn apart, which bounds show where areas do not."""
    scores, sets = image_world(captions=False, per_family=3)
    mixed = scores.sample(frac=1, random_state=1)
    turned = {name: table[::-1] for name, table in sets.items()}
    expected = detection_table.evaluate_image_sets(scores, sets, **IMAGES, **OPTIONS).set_index("estimator")
    for tables in ((mixed, sets), (scores, turned)):
        found = detection_table.evaluate_image_sets(*tables, **IMAGES, **OPTIONS).set_index("estimator")
        for columns in (slice("auc", "auc_high"), slice("auc_gain", "auc_gain_high")):
            pd.testing.assert_frame_equal(
                found.loc[["flipd", "cfg"], columns], expected.loc[["flipd", "cfg"], columns]
            )


def test_images_without_captions_have_no_text_control():
    scores, sets = image_world()
    sets["control"].loc[3, "caption"] = " "
    table = detection_table.evaluate_image_sets(scores, sets, **IMAGES, **OPTIONS)
    assert table["estimator"].tolist() == ["flipd", "cfg", "png", "png.turned"]
    assert set(table["baseline"]) == {"png.turned"}


def test_a_control_that_points_the_other_way_is_turned_round():
    """Else every detector would gain over a control that tells the classes apart, but against the papers."""
    scores, sets = image_world()
    flat = (scores["estimator"] == "png") & (scores["items"] == "memorized")
    scores.loc[flat, "value"] += 1000
    rows = detection_table.evaluate_image_sets(scores, sets, **IMAGES, **OPTIONS).set_index("estimator")
    assert rows.loc["png", "auc"] == 0
    assert rows.loc["png.turned", "auc"] == 1
    assert (rows["baseline"] == "png.turned").all()
    assert rows.loc["flipd", "auc_gain"] == pytest.approx(rows.loc["flipd", "auc"] - 1)


def test_families_of_two_sets_are_different_clusters_and_widen_the_interval():
    """Ten copies of each image bring no news, so the interval must be about sqrt(10) times the naive one."""
    scores, sets = image_world(n=600, captions=False, per_family=10)
    sharp = {name: table.assign(family=np.arange(600)) for name, table in sets.items()}
    widths = {}
    for key, given in (("family", sets), ("naive", sharp)):
        row = detection_table.evaluate_image_sets(scores, given, **IMAGES, **OPTIONS).iloc[0]
        widths[key] = row["auc_high"] - row["auc_low"]
        assert row["n_clusters"] == (60 if key == "family" else 600)
    assert 2 < widths["family"] / widths["naive"] < 5


def test_families_of_one_number_in_two_sets_have_nothing_in_common():
    scores, sets = image_world(per_family=3)
    plain = detection_table.evaluate_image_sets(scores, sets, **IMAGES, **OPTIONS)
    sets["control"]["family"] += 1000
    pd.testing.assert_frame_equal(
        detection_table.evaluate_image_sets(scores, sets, **IMAGES, **OPTIONS), plain
    )


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda s: s, {"pairs": [["memorized", "coco"]]}, "image set 'coco' is unknown"),
        (
            lambda s: s,
            {"estimators": ["nb"]},
            "'nb' is said|'nb' has no value for 60 of 60 images of 'memorized'",
        ),
        (
            lambda s: s.drop(index=7),
            {},
            "'flipd' has no value for 1 of 60 images of 'memorized', first image 7",
        ),
        (lambda s: pd.concat([s, s.iloc[[5]]]), {}, "several values for image 5 of 'memorized'"),
        (lambda s: s, {"large": ["cfg_norm"]}, "'cfg_norm' is said to be large"),
    ],
)
def test_image_scores_that_do_not_fit_are_refused(change, options, message):
    scores, sets = image_world()
    if "estimators" in options:
        options = {**options, "large": []}
    with pytest.raises(InputError, match=message):
        detection_table.evaluate_image_sets(change(scores), sets, **{**IMAGES, **options})


def trajectories(table, metrics, *, generations=2, t=(0.9, 0.5, 0.2, 0.1), seed=0):
    """Make prompt scores: metrics[name] maps a prompt's row to the mean of its values."""
    rng = np.random.default_rng(seed)
    rows = [
        (row.prompt_set, row.prompt, g, j, level, name, mean(row) + rng.normal())
        for row in table.itertuples()
        for name, mean in metrics.items()
        for g in range(generations)
        for j, level in enumerate(t)
    ]
    return pd.DataFrame(rows, columns=list(prompt_detectors.SCORE_COLUMNS))


def prompt_world(n=60, seed=0):
    return prompts.prompt_table({"memorized": random_texts(n, seed), "control": random_texts(n, seed + 50)})


def memorized(row):
    return row.prompt_set == "memorized"


def test_detectors_are_means_over_the_steps_and_generations_of_their_name():
    table = prompt_world(3)
    scores = trajectories(table, {"cfg_norm": lambda r: 5.0, "flipd": lambda r: 9.0})
    shuffled = scores.sample(frac=1, random_state=0)
    found = prompt_detectors.prompt_detectors(shuffled, steps=[1, 2])
    names = [f"cfg_norm.{v}.n{g}" for g in (1, 2) for v in ("first", "first2", "mean")]
    assert found.columns.tolist() == [*names, "flipd.low.n1", "flipd.low.n2"]
    assert found.index.tolist() == [(s, p) for s in ("control", "memorized") for p in range(3)]

    def mean(metric, generations, levels):
        rows = scores[
            (scores["metric"] == metric) & (scores["generation"] < generations) & scores["t"].isin(levels)
        ]
        return rows.groupby(["prompt_set", "prompt"])["value"].mean()

    for g in (1, 2):
        for variant, levels in (("first", [0.9]), ("first2", [0.9, 0.5]), ("mean", [0.9, 0.5, 0.2, 0.1])):
            expected = mean("cfg_norm", g, levels)
            np.testing.assert_allclose(found[f"cfg_norm.{variant}.n{g}"], expected, rtol=1e-12)
        np.testing.assert_allclose(found[f"flipd.low.n{g}"], -mean("flipd", g, [0.2, 0.1]), rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda s: s.assign(metric="entropy"), {}, "metric 'entropy' is unknown"),
        (lambda s: s.drop(index=0), {}, "'flipd' must have the same generations and steps"),
        (lambda s: s.drop(index=s.index[:4]), {}, "'flipd' must have the same generations and steps"),
        (lambda s: pd.concat([s, s]), {}, "each once"),
        (
            lambda s: s.assign(generation=s["generation"] + (s["prompt"] == 1) * (s["generation"] == 1)),
            {"generations": [3]},
            "3 generations asked for, 'flipd' has 2",
        ),
        (lambda s: s[s["t"] > 0.2], {}, "no step with t <= 0.2"),
        (lambda s: s.assign(metric="cfg_norm"), {"steps": [5]}, "5 first steps asked for, 'cfg_norm' has 4"),
    ],
)
def test_prompt_scores_that_do_not_fit_are_refused(change, options, message):
    scores = trajectories(prompt_world(3), {"flipd": lambda r: 9.0})
    with pytest.raises(InputError, match=message):
        prompt_detectors.prompt_detectors(change(scores), **options)


def test_a_detector_that_beats_the_text_gains_and_an_idle_one_does_not():
    table = prompt_world()
    metrics = {"cfg_norm": lambda r: 2.0 * memorized(r), "flipd": lambda r: 0.0}
    pairs = [["memorized", "control"]]
    found = detection_table.evaluate_prompts(
        table, trajectories(table, metrics), pairs=pairs, match=False, **OPTIONS
    )
    assert set(found["contrast"]) == {"prompts:memorized-control"}
    rows = found.set_index("estimator")
    assert set(found["baseline"]) < {"text_ngrams", *prompts_features()}
    assert rows.loc["cfg_norm.mean.n2", "auc_gain_low"] > 0
    assert rows.loc["flipd.low.n2", "auc_low"] < 0.5 < rows.loc["flipd.low.n2", "auc_high"]
    area = stats.auc(
        prompt_detectors.prompt_detectors(trajectories(table, metrics))["cfg_norm.mean.n2"].to_numpy(),
        np.arange(120) >= 60,
    )
    assert rows.loc["cfg_norm.mean.n2", "auc"] == pytest.approx(area)


def test_a_good_detector_gains_nothing_where_the_text_tells_as_much():
    table = prompt_world()
    table["text"] = [
        t.title() if memorized(r) else t for t, r in zip(table["text"], table.itertuples(), strict=True)
    ]
    scores = trajectories(table, {"cfg_norm": lambda r: 2.0 * memorized(r)})
    found = detection_table.evaluate_prompts(table, scores, pairs=[["memorized", "control"]], **OPTIONS)
    rows = found.set_index("estimator")
    assert rows.loc["cfg_norm.mean.n2", "auc"] > 0.95
    assert rows.loc["text_capitalized", "auc"] == 1.0
    # The bound of an AUC of 1 leaves a gain open, but a small one.
    assert rows.loc["cfg_norm.first.n1", "auc_gain"] < 0
    assert rows.loc["cfg_norm.first.n1", "auc_gain_high"] < 0.05
    assert not found["contrast"].str.endswith(":matched").any()  # no two prompts have equally many capitals


def test_prompts_without_scores_and_unknown_sets_are_refused():
    table = prompt_world(30)
    scores = trajectories(table, {"flipd": lambda r: 9.0})
    lacking = scores[~((scores["prompt_set"] == "control") & (scores["prompt"] == 4))]
    with pytest.raises(InputError, match="prompt 4 of 'control' lacks scores, as 1 of 60 do"):
        detection_table.evaluate_prompts(table, lacking, pairs=[["memorized", "control"]])
    with pytest.raises(InputError, match="prompt set 'generic' is unknown; there are memorized, control"):
        detection_table.evaluate_prompts(table, scores, pairs=[["memorized", "generic"]])


def varied_texts(n, seed):
    rng = np.random.default_rng(seed)
    return [" ".join(random_words(k, rng, 5)) for k in rng.integers(3, 9, n)]


def test_an_audit_needs_no_scores_and_counts_families():
    stems = varied_texts(40, 3)
    lists = {
        "memorized": [
            f"{stem} {word}" for stem in stems for word in ("ab", "cd", "ef", "gh")
        ],  # near-duplicates
        "control": [f"{text} ij" for text in varied_texts(60, 4)],
        "numbers": [f"{text} 12" for text in varied_texts(60, 5)],
    }
    table = prompts.prompt_table(lists)
    pairs = [["memorized", "control"], ["memorized", "numbers"]]
    found = audit.audit(table, pairs=pairs, **OPTIONS)
    assert found.columns.tolist() == audit.AUDIT_COLUMNS
    names = [
        "memorized-control",
        "memorized-control:matched",
        "memorized-numbers",
        "memorized-numbers:matched",
    ]
    assert found["contrast"].unique().tolist() == names
    plain = found[found["contrast"] == names[0]].set_index("estimator")
    assert (plain["families_positive"] == 40).all()
    assert (plain["families_negative"] == 60).all()
    near = found[found["contrast"] == names[1]].iloc[0]
    assert 40 <= near["n_positive"] == near["n_negative"] <= 60
    row = plain.loc["text_words"]  # four copies of each
    assert row["auc_high"] - row["auc_low"] > 1.2 * (row["naive_auc_high"] - row["naive_auc_low"])
    numbers = found[found["contrast"] == names[2]].set_index("estimator")
    assert numbers.loc["text_digits", "auc"] == 1.0
    assert found[audit.CHANCE].isna().all(axis=None)
    alone = audit.audit(table, pairs=pairs[1:], **OPTIONS)
    pd.testing.assert_frame_equal(alone, found[found["contrast"].isin(names[2:])].reset_index(drop=True))


def test_the_range_of_chance_holds_idle_lists_and_not_confounded_ones():
    idle = prompts.prompt_table({"memorized": varied_texts(40, 1), "control": varied_texts(40, 2)})
    table = idle.assign(
        text=[t + " 7" * (s == "control") for t, s in zip(idle["text"], idle["prompt_set"], strict=True)]
    )
    options = {"pairs": [["memorized", "control"]], "match": False, "shuffles": 12}
    for given, low, high in ((idle, True, True), (table, True, False)):
        row = audit.audit(given, **options).set_index("estimator").loc["text_ngrams"]
        assert (row["chance_low"] < row["auc"], row["auc"] < row["chance_high"]) == (low, high)
        assert 0.2 < row["chance_low"] < 0.5 < row["chance_high"] < 0.8
    with pytest.raises(InputError, match="shuffles"):
        audit.audit(idle, **{**options, "shuffles": 1})


def test_the_range_of_chance_is_the_mean_of_idle_labels_and_two_deviations(monkeypatch):
    """Areas of .4, .5, .6 and .7: mean .55, variance .05 / 3."""
    table = prompts.prompt_table({"memorized": random_texts(20, 1), "control": random_texts(20, 2)})
    areas = pd.DataFrame({name: [0.4, 0.5, 0.6, 0.7] for name in ("text_ngrams", "text_words")})
    monkeypatch.setattr(audit, "shuffled_areas", lambda *given, **how: areas)
    found = audit.audit(table, pairs=[["memorized", "control"]], match=False, shuffles=4)
    row = found.set_index("estimator").loc["text_ngrams"]
    ends = 0.55 - 1.96 * np.sqrt(0.05 / 3), 0.55 + 1.96 * np.sqrt(0.05 / 3)
    assert (row["chance_low"], row["chance_high"]) == pytest.approx(ends)


def test_the_audit_script_reads_lists_and_tables_alike(tmp_path):
    lists = {"memorized": random_texts(30, 1), "control": random_texts(30, 2)}
    files = {}
    for name, texts in lists.items():
        path = tmp_path / f"{name}.txt"
        path.write_text("\n".join(texts) + "\n")
        files[name] = (path, "caption")
    prompts.prompt_table(lists).to_parquet(tmp_path / "prompts.parquet")
    script = load_script("audit_prompts")
    options = {"pairs": [["memorized", "control"]]}
    script.main(
        files,
        None,
        tmp_path / "a.csv",
        tmp_path / "a.json",
        options={**options, "families": {"similar": 0.4}},
        seed=0,
    )
    script.main(
        {}, tmp_path / "prompts.parquet", tmp_path / "b.csv", tmp_path / "b.json", options=options, seed=0
    )
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert json.loads((tmp_path / "a.json").read_text())["lists"]["memorized"]["prompts"] == 30


def test_the_evaluation_script_puts_images_before_prompts(tmp_path):
    scores, sets = image_world()
    filler = {
        "t": 0.1,
        "index": None,
        "sigma": None,
        "stderr": None,
        "probes": None,
        "seed": None,
        "dtype": "float32",
    }
    io.write_table(scores.assign(**filler)[list(ALL_SCORES.columns)], tmp_path / "scores.parquet", ALL_SCORES)
    for name, table in sets.items():
        table.assign(source="world").to_parquet(tmp_path / f"{name}.parquet")
    table = prompt_world(30)
    table.to_parquet(tmp_path / "prompts.parquet")
    rows = trajectories(table, {"flipd": lambda r: 9.0})
    for name in ("memorized", "control"):
        rows[rows["prompt_set"] == name].to_parquet(tmp_path / f"{name}-scores.parquet")
    asked = {"pairs": [["memorized", "control"]], "match": False}
    options = {"images": IMAGES, "prompts": asked}
    load_script("evaluate_detection").main(
        tmp_path / "scores.parquet",
        [tmp_path / f"{name}.parquet" for name in sets],
        tmp_path / "prompts.parquet",
        [tmp_path / f"{name}-scores.parquet" for name in sets],
        tmp_path / "evaluation.csv",
        options=options,
        seed=1,
    )
    found = pd.read_csv(tmp_path / "evaluation.csv")
    found = found.fillna({name: "" for name in found if name.endswith("_reason")})
    images = detection_table.evaluate_image_sets(scores, sets, **IMAGES, seed=1)
    asked_for = detection_table.evaluate_prompts(table, rows, **asked, seed=1)
    expected = pd.concat([images, asked_for], ignore_index=True)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-5, check_dtype=False)


def test_nothing_here_loads_torch():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import mmh.detection.audit as d, mmh.detection.detection_table, mmh.prompts.lists as p\n"
        "t = p.prompt_table({'a': ['one red rug', 'sofa'], 'b': ['lamp by day', 'x']})\n"
        "d.audit(t, pairs=[['a', 'b']])\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(SCRIPTS)], check=True, timeout=60)
