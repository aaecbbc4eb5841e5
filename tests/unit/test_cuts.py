"""AUC at other cuts of planted labels, what follows the distance, and the AUC of each image: by counting pairs."""

import importlib

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from mmh.errors import InputError
from mmh.evaluation.by_image import auc_by_image
from mmh.evaluation.cuts import COLUMNS, Planted
from mmh.evaluation.samples import evaluate, labelled_scores, oriented, with_distance
from mmh.io.table_files import read_table, write_table
from mmh.io.tables import ALL_SCORES, MATCHES, PLANTED, TRAIN
from mmh.labels.planted import plant_labels

CUTS = {"exact_distance": 0.8, "not_distance": 1.2}
OPTIONS = {"estimators": ["flipd", "lpca", "norm"], "baselines": ["png"]}
N, FIRST = 240, 1000


@pytest.fixture(scope="module")
def world():
    """Images 0-9 are repeated, 10-13 of one family, 14-39 seen once; scores follow the distance more or less.

    Every third sample has a second pair, with another image that is farther.
    """
    rng = np.random.default_rng(0)
    sample = FIRST + np.arange(N)
    kind = rng.choice(3, N, p=[0.4, 0.2, 0.4])
    image = np.choose(kind, [rng.integers(0, 10, N), rng.integers(10, 14, N), rng.integers(14, 40, N)])
    distance = rng.gamma(2.0, np.choose(kind, [0.3, 0.35, 0.9]))
    close = np.where(kind == 1, "reconstructive", "exact")
    gap = np.where(image % 2 == 0, 1.5, 0.6)
    near = pd.DataFrame({"sample": sample, "train": image, "close": close, "distance": distance, "gap": gap})
    far = near[::3].assign(train=39, close="exact", distance=near["distance"] + 0.4, gap=0.6)
    distances = pd.concat([near, far[~(far["train"] == image[::3])]]).sort_values(["sample", "train"])
    values = {
        "flipd": 10 * distance + rng.normal(scale=3, size=N),
        "norm": -distance + rng.normal(size=N),  # large for copies
        "png": rng.normal(size=N),
    }
    parts = [
        pd.DataFrame({"items": "samples", "item": sample, "estimator": name, "value": value})
        for name, value in values.items()
    ]
    lpca = np.repeat([0.0, 9.0, 40.0], [10, 4, 26])
    parts.append(pd.DataFrame({"items": "train", "item": np.arange(40), "estimator": "lpca", "value": lpca}))
    scores = pd.concat(parts, ignore_index=True)
    fields = {"t": None, "index": None, "sigma": None, "stderr": None, "probes": None, "seed": None}
    scores = scores.assign(**fields, dtype="float64")[list(ALL_SCORES.columns)]
    group = np.where((np.arange(40) >= 10) & (np.arange(40) < 14), 10, np.arange(40))
    train = pd.DataFrame({"train": np.arange(40), "source": np.arange(40), "population": "p", "group": group})
    matches = pd.DataFrame({"sample": sample, "metric": "calibrated_l2", "rank": np.int32(1), "train": image})
    matches = matches.assign(distance=distance, score=distance)
    return {
        "scores": scores,
        "matches": matches,
        "train": train.assign(copies=np.repeat([25, 1], [10, 30])),
        "distances": distances.reset_index(drop=True),
    }


@pytest.fixture(scope="module")
def planted(world):
    return Planted(**world, **CUTS, **OPTIONS, large=["norm"], exclude=range(FIRST, FIRST + 20))


@pytest.fixture(scope="module")
def table(planted):
    return planted.vary_cuts([(0.5, 0.5), (1.0, 1.0), (0.5, 2.0), (0.01, 9.0)])


def classes(world, exact_distance, not_distance):
    """Class and match of each sample, pair by pair."""
    severity = {"exact": 0, "reconstructive": 1, "unsure": 2, "not_memorized": 3}
    first = world["matches"].set_index("sample")["train"]
    found = {}
    for row in world["distances"].itertuples():
        if row.sample < FIRST + 20:
            continue
        label = "not_memorized" if row.distance > not_distance else "unsure"
        label = row.close if row.distance < exact_distance else label
        key = (severity[label], first[row.sample] != row.train)
        if row.sample not in found or key < found[row.sample][0]:
            found[row.sample] = key, label, row.train, row.distance
    return pd.DataFrame(
        [v[1:] for v in found.values()], index=list(found), columns=["label", "train", "distance"]
    )


def values(world, name, rows):
    own = world["scores"].query("estimator == @name").set_index("item")["value"]
    if name == "distance":
        return rows["distance"].to_numpy()
    sign = -1 if name == "norm" else 1
    return sign * own.reindex(rows["train"] if name == "lpca" else rows.index).to_numpy()


def pairs_in_order(positive, negative):
    """AUC by counting all pairs."""
    below = positive[:, None] < negative
    return (below + 0.5 * (positive[:, None] == negative)).mean()


CONTRASTS = {
    "exact": ["exact"],
    "reconstructive": ["reconstructive"],
    "memorized": ["exact", "reconstructive"],
}


@pytest.mark.parametrize("cut", [(0.5, 0.5), (1.0, 1.0), (0.5, 2.0), (0.8, 1.2)])
@pytest.mark.parametrize("name", ["flipd", "lpca", "norm", "png", "distance"])
@pytest.mark.parametrize("contrast", CONTRASTS)
def test_auc_at_a_cut_counts_the_pairs_of_its_labels(world, table, cut, name, contrast):
    rows = classes(world, *cut)
    positive = rows[rows["label"].isin(CONTRASTS[contrast])]
    negative = rows[rows["label"] == "not_memorized"]
    wanted = pairs_in_order(values(world, name, positive), values(world, name, negative))
    found = table.query(
        "estimator == @name and contrast == @contrast and exact_distance == @cut[0] and not_distance == @cut[1]"
    )
    assert len(found) == 1
    row = found.iloc[0]
    assert (row.n_positive, row.n_negative) == (len(positive), len(negative))
    assert row.auc == pytest.approx(wanted)
    assert row.configured == (cut == (0.8, 1.2))
    assert row.score_of == {"lpca": "match", "distance": "pair"}.get(name, "item")
    if contrast == "reconstructive" and name != "distance":
        assert (row.n_clusters, row.auc_reason) == (1, "all positives are of one matched group")
    elif name == "distance":
        assert row.auc == 1  # labels follow from it
    else:
        assert row.auc_low < row.auc <= row.auc_high
        assert row.auc_high - row.auc_low < 0.6


def test_a_cut_that_leaves_a_class_empty_says_so(table):
    rows = table[table["exact_distance"] == 0.01]
    assert len(rows) == 15
    assert rows["auc"].isna().all()
    assert set(rows["auc_reason"]) == {"fewer than 2 samples of a class"}
    assert (rows[["n_positive", "n_negative"]].min(axis=1) < 2).all()


def test_the_rows_of_the_configured_cuts_are_those_of_the_evaluation(world, table):
    labels = plant_labels(world["distances"], **CUTS)
    wanted = evaluate(
        oriented(world["scores"], ["norm"]),
        labels,
        world["matches"],
        world["train"],
        **OPTIONS,
        large=["norm"],
        exclude=range(FIRST, FIRST + 20),
        distances=world["distances"],
    )
    assert wanted["estimator"].tolist()[:5] == ["flipd", "lpca", "norm", "png", "distance"]
    found = table[table["configured"]].reset_index(drop=True)
    columns = [name for name in COLUMNS if name in wanted]
    assert len(columns) == 11
    pd.testing.assert_frame_equal(found[columns], wanted[columns])


def test_the_reference_is_no_baseline_and_changes_no_other_row(world):
    labels = plant_labels(world["distances"], **CUTS)
    inputs = (world["scores"], labels, world["matches"], world["train"])
    without = evaluate(*inputs, **OPTIONS)
    with_it = evaluate(*inputs, **OPTIONS, distances=world["distances"])
    assert set(with_it["baseline"]) == {"png"}
    mine = with_it[with_it["estimator"] == "distance"]
    assert mine["auc"].tolist() == [1.0, 1.0, 1.0]
    assert (mine["median_positive"] < 0.8).all()
    assert (mine["median_negative"] > 1.2).all()
    rest = with_it[with_it["estimator"] != "distance"].reset_index(drop=True)
    pd.testing.assert_frame_equal(rest, without)


def test_a_pair_without_distance_is_refused(world):
    labels = plant_labels(world["distances"], **CUTS)
    table = labelled_scores(world["scores"], labels, world["matches"], world["train"], estimators=[])
    with pytest.raises(
        InputError, match=r"the pair of sample 1000 and training image .* has no planted distance"
    ):
        with_distance(table, world["distances"].query("sample != 1000"))


def test_scores_are_correlated_with_the_distance_within_a_class(world, planted):
    rows, found = classes(world, 0.8, 1.2), planted.order_within().set_index(["estimator", "label"])
    for label in ("exact", "reconstructive", "unsure", "not_memorized"):
        mine = rows[rows["label"] == label]
        for name in ("flipd", "norm", "png"):
            sign = -1 if name == "norm" else 1  # as it is, not turned round
            row = found.loc[name, label]
            assert row.n == len(mine)
            wanted = spearmanr(sign * values(world, name, mine), mine["distance"]).statistic
            assert row.spearman == pytest.approx(wanted)
    assert found.loc["flipd", "not_memorized"].low > 0 > found.loc["norm", "not_memorized"].high
    assert found.loc["lpca", "exact"].score_of == "match"
    assert found.loc["flipd", "reconstructive"].reason == "all observations are of one matched group"


def test_matches_are_counted_by_kind(world, planted):
    rows, found = classes(world, 0.8, 1.2), planted.matched()
    kind = np.select(
        [rows["train"] < 10, rows["train"] < 14], ["repeated image", "template family"], "image seen once"
    )
    groups = rows.groupby([rows["label"], kind])["distance"]
    wanted = groups.agg(["size", "min", "median", "max"])
    assert len(found) == len(wanted)
    assert found["n"].sum() == len(rows)
    for row in found.itertuples():
        one = wanted.loc[row.label, row.match]
        assert (row.n, row.of) == (one["size"], (rows["label"] == row.label).sum())
        assert (row.nearest, row.median, row.farthest) == tuple(one[["min", "median", "max"]])
        own = rows[(rows["label"] == row.label) & (kind == row.match)]
        assert row.nearer == (own["distance"] < np.where(own["train"] % 2 == 0, 1.5, 0.6)).sum()


def test_the_lid_of_the_match_counts_negatives_that_match_a_repeated_image(world):
    """All exact copies match a repeated image here, and LID_* is least at those."""
    distances = world["distances"].copy()
    once = ~distances["train"].lt(14)
    distances.loc[once, "distance"] += 1.0
    one = Planted(**{**world, "distances": distances}, **CUTS, **OPTIONS)
    row = one.vary_cuts([]).query("estimator == 'lpca' and contrast == 'exact'").iloc[0]
    rows = one.matched().set_index(["label", "match"])
    assert rows.loc[("exact", "repeated image")].n == rows.loc[("exact", "repeated image")].of
    negative = rows.loc[("not_memorized", "repeated image")]
    assert 0 < negative.n < negative.of
    assert row.auc == pytest.approx(1 - negative.n / negative.of / 2)


def test_cuts_out_of_order_are_refused(planted):
    with pytest.raises(InputError, match=r"<= not_distance, got 2\.0 and 1\.0"):
        planted.vary_cuts([(2.0, 1.0)])


def test_the_script_writes_three_tables(world, table, planted, tmp_path):
    contracts = {"scores": ALL_SCORES, "matches": MATCHES, "train": TRAIN, "distances": PLANTED}
    inputs = {name: tmp_path / f"{name}.parquet" for name in contracts}
    for name, contract in contracts.items():
        write_table(world[name], inputs[name], contract)
    outputs = {name: tmp_path / f"{name}.csv" for name in ("cuts", "order", "matched")}
    importlib.import_module("vary_cuts").main(
        **inputs,
        outputs=outputs,
        pairs=[[0.5, 0.5], [1.0, 1.0], [0.5, 2.0], [0.01, 9.0]],
        cuts=CUTS,
        calibration=FIRST + 20,
        large=["norm"],
        options=OPTIONS,
    )
    wanted = {"cuts": table, "order": planted.order_within(), "matched": planted.matched()}
    for name, path in outputs.items():
        found = pd.read_csv(path)
        pd.testing.assert_frame_equal(
            found, wanted[name].replace({"": None}).astype(found.dtypes), rtol=1e-5, check_dtype=False
        )
    assert len(read_table(inputs["distances"], PLANTED)) == len(world["distances"])


@pytest.fixture(scope="module")
def labelled(world):
    labels = plant_labels(world["distances"], **CUTS)
    scores = oriented(world["scores"], ["norm"])
    return labelled_scores(scores, labels, world["matches"], world["train"], estimators=["flipd", "norm"])


def test_auc_of_each_image_counts_its_pairs(labelled):
    found = auc_by_image(labelled, ["flipd", "norm"])
    negative = labelled[labelled["label"] == "not_memorized"]
    for row in found.itertuples():
        own = labelled[(labelled["label"] == row.label) & (labelled["cluster"] == row.cluster)]
        wanted = pairs_in_order(own[row.estimator].to_numpy(), negative[row.estimator].to_numpy())
        assert row.auc == pytest.approx(wanted)
        assert (row.n_positive, row.n_negative, row.train) == (len(own), len(negative), own["train"].min())
        assert row.n_clusters == min(len(own), negative["cluster"].nunique())
        if len(own) > 1:
            assert row.auc_low < row.auc <= row.auc_high
            assert row.auc_reason == ""
        else:
            assert np.isnan(row.auc_low)
            assert row.auc_reason == "one sample copies the image"
    memorized = labelled["label"].isin(["exact", "reconstructive"])
    keys = labelled[memorized].groupby(["label", "cluster"]).ngroups
    assert len(found) == 2 * keys
    assert (found["n_positive"] == 1).any()


def test_all_images_together_have_the_mean_of_their_aucs(labelled):
    found = auc_by_image(labelled, ["flipd"]).query("label == 'exact'")
    exact, negative = (labelled[labelled["label"] == name]["flipd"] for name in ("exact", "not_memorized"))
    together = pairs_in_order(exact.to_numpy(), negative.to_numpy())
    assert np.average(found["auc"], weights=found["n_positive"]) == pytest.approx(together)


def test_negatives_of_one_cluster_and_none_at_all(labelled):
    one = labelled.assign(cluster=labelled["cluster"].where(labelled["label"] != "not_memorized", 99))
    found = auc_by_image(one, ["flipd"])
    assert set(found.loc[found["n_positive"] > 1, "auc_reason"]) == {"all negatives are of one cluster"}
    assert auc_by_image(labelled[labelled["label"] != "not_memorized"], ["flipd"]).empty


def test_intervals_of_an_image_cover(labelled):
    """Given the image: its samples are drawn anew, and the clusters of the others."""
    from scipy.stats import norm

    rng, hits, trials = np.random.default_rng(1), 0, 300
    truth = norm.cdf(1.2 / np.sqrt(1 + 1.5))
    for _ in range(trials):
        own = pd.DataFrame({"label": "exact", "cluster": 0, "train": 0, "flipd": rng.normal(-1.2, 1, 30)})
        cluster = np.repeat(np.arange(1, 101), 5)
        score = np.sqrt(0.5) * rng.normal(size=100)[cluster - 1] + rng.normal(size=500)
        rest = pd.DataFrame({"label": "not_memorized", "cluster": cluster, "train": 1, "flipd": score})
        row = auc_by_image(pd.concat([own, rest]), ["flipd"]).iloc[0]
        hits += row.auc_low < truth < row.auc_high
    assert 0.92 <= hits / trials <= 0.985
