"""Calibrated l2, embedding search, preprocessing."""

import numpy as np
import pytest
import torch

from mmh.compute.duplicates import duplicate_groups
from mmh.errors import InputError
from mmh.lid import neighbours as search
from mmh.lid import points
from mmh.retrieval import embedding
from mmh.retrieval import flat_search as flat
from mmh.retrieval.calibrated_distance import calibrated_l2
from mmh.retrieval.descriptor_search import search_embeddings
from mmh.retrieval.matches import join_matches, matches_table


def brute_force(generated, train, neighbours, alpha, anchor, duplicates, top):
    """Follow the definition image by image, in float64; give scores, matches, distances."""
    g, t = (a.reshape(len(a), -1).astype(np.float64) for a in (generated, train))
    first = [min(j for j in range(len(t)) if (t[j] == t[i]).all()) for i in range(len(t))]
    distinct = sorted(set(first))
    rows = []
    for x in g:
        order = sorted(distinct, key=lambda j: (np.linalg.norm(x - t[j]), j))[:top]
        row = []
        for match in order:
            point = x if anchor == "generated" else t[match]
            pool = distinct if duplicates == "once" else list(range(len(t)))
            if anchor == "match":
                pool = [j for j in pool if j != match]
            away = sorted(np.linalg.norm(point - t[j]) for j in pool)
            mean = np.mean(away[:neighbours])
            if mean == 0:
                mean = min([d for d in away if d > 0], default=1)
            distance = np.linalg.norm(x - t[match])
            row.append((distance / (alpha * mean), match, distance))
        rows.append(row)
    return (np.array([[r[k] for r in row] for row in rows]) for k in range(3))


@pytest.fixture
def images():
    """Twelve distinct images, two of them with copies, and samples that are or are near some of them."""
    rng = np.random.default_rng(0)
    base = rng.normal(size=(12, 1, 3, 3)).astype(np.float32)
    train = np.concatenate([base, np.repeat(base[[2, 5]], [1, 5], axis=0)])[rng.permutation(18)]
    near = base[:6] + 0.05 * rng.normal(size=(6, 1, 3, 3)).astype(np.float32)
    return np.concatenate([base[[2, 5, 7]], near, rng.normal(size=(6, 1, 3, 3)).astype(np.float32)]), train


@pytest.mark.parametrize("anchor", ["generated", "match"])
@pytest.mark.parametrize("duplicates", ["once", "counted"])
@pytest.mark.parametrize("neighbours", [1, 3, 5, 10])
def test_calibrated_l2_equals_brute_force(images, anchor, duplicates, neighbours):
    generated, train = images
    options = {"neighbours": neighbours, "alpha": 0.5, "anchor": anchor, "duplicates": duplicates, "top": 3}
    found = calibrated_l2(generated, train, **options)
    score, match, distance = brute_force(generated, train, **options)
    np.testing.assert_array_equal(found.match, match)
    np.testing.assert_allclose(found.distance, distance, rtol=1e-12)
    np.testing.assert_allclose(found.score, score, rtol=1e-12)
    assert (found.score[:3, 0] == 0).all()  # exact copies


def test_scores_do_not_depend_on_scale_or_dtype():
    rng = np.random.default_rng(0)
    train, generated = (rng.integers(0, 256, (n, 4, 4, 3), dtype=np.uint8) for n in (80, 5))
    whole = calibrated_l2(generated, train)
    scaled = calibrated_l2(generated / 127.5 - 1, train / 127.5 - 1)
    np.testing.assert_array_equal(whole.match, scaled.match)
    np.testing.assert_allclose(whole.score, scaled.score, rtol=1e-9)
    assert (whole.score[:, 0] <= 2).all()  # the nearest is never above the mean: at most 1 / alpha


def test_copies_in_the_training_set_change_nothing_when_counted_once(images):
    generated, train = images
    _, first = np.unique(train.reshape(18, -1), axis=0, return_index=True)
    once = calibrated_l2(generated, train, neighbours=5)
    alone = calibrated_l2(generated, train[np.sort(first)], neighbours=5)
    np.testing.assert_allclose(once.score, alone.score)
    counted = calibrated_l2(generated, train, neighbours=5, duplicates="counted")
    assert not np.allclose(once.score, counted.score)


def test_scores_stay_finite_in_a_set_of_copies():
    train = np.repeat(np.array([[0.0, 0], [1, 0]]), 30, axis=0)
    generated = np.array([[0.0, 0], [0.4, 0], [1, 0], [1, 1]])
    for anchor in ("generated", "match"):
        for neighbours in (1, 5, 59):
            found = calibrated_l2(
                generated, train, neighbours=neighbours, anchor=anchor, duplicates="counted", top=2
            )
            assert np.isfinite(found.score).all()
            assert found.score[0, 0] == found.score[2, 0] == 0
            assert found.match[:, 0].tolist() == [0, 0, 30, 30]
    # Five copies of the nearest image make the mean 0: the other image, one unit away, sets the scale.
    found = calibrated_l2(generated, train, neighbours=5, anchor="match", duplicates="counted", top=1)
    np.testing.assert_allclose(found.score[:, 0], [0, 0.8, 0, 2])


def test_yoon_ratio():
    train, generated = np.array([[0.0], [4], [5]]), np.array([[3.0]])
    found = calibrated_l2(generated, train, neighbours=1, alpha=1.0, anchor="match", top=2)
    assert found.match.tolist() == [[1, 2]]
    np.testing.assert_allclose(found.score, [[1.0, 2.0]])  # 1 / |4 - 5|, 2 / |5 - 4|


def test_ids_of_training_images_are_used(images):
    generated, train = images
    ids = 1000 - np.arange(18)
    plain = calibrated_l2(generated, train, neighbours=3, top=1)
    named = calibrated_l2(generated, train, neighbours=3, top=1, train_ids=ids)
    np.testing.assert_array_equal(train[plain.match[:, 0]], train[1000 - named.match[:, 0]])
    smallest = [min(ids[j] for j in range(18) if (train[j] == train[m]).all()) for m in plain.match[:, 0]]
    assert named.match[:, 0].tolist() == smallest


def test_too_few_distinct_images_is_an_error(images):
    generated, train = images
    with pytest.raises(
        InputError, match=r"50 neighbours and 3 matches needs more .* there are 12 .12 distinct"
    ):
        calibrated_l2(generated, train)
    calibrated_l2(generated, train, neighbours=18, duplicates="counted")
    with pytest.raises(InputError, match="there are 18"):
        calibrated_l2(generated, train, neighbours=18, anchor="match", duplicates="counted")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"anchor": "train"}, "anchor must be"),
        ({"duplicates": "twice"}, "duplicates must be"),
        ({"alpha": 0.0}, "must be positive"),
        ({"train": np.zeros((60, 4))}, "have 9 values, training images 4"),
        ({"train": np.full((60, 9), np.nan)}, "training images holds NaN"),
    ],
)
def test_bad_options(change, text):
    arguments = {"generated": np.zeros((2, 9)), "train": np.arange(540.0).reshape(60, 9), **change}
    with pytest.raises(InputError, match=text):
        calibrated_l2(arguments.pop("generated"), arguments.pop("train"), **arguments)


def test_duplicate_groups_name_the_first_row():
    x = np.array([[1.0, 0], [2, 0], [1, -0.0], [2, 0], [3, 0]], dtype=np.float32)
    assert duplicate_groups(x).tolist() == [0, 1, 0, 1, 4]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_duplicate_groups_of_many_rows(dtype):
    x = np.random.default_rng(0).integers(0, 2, (3000, 10)).astype(dtype)  # at most 1024 different rows
    _, first, inverse = np.unique(x, axis=0, return_index=True, return_inverse=True)
    np.testing.assert_array_equal(duplicate_groups(x), first[inverse.ravel()])


def unit(rng, n, k=8):
    rows = rng.normal(size=(n, k))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_embedding_search_equals_brute_force_and_collapses_copies():
    rng = np.random.default_rng(0)
    train, generated = unit(rng, 40), unit(rng, 10)
    train[[30, 31, 5]] = train[7]
    generated[0] = train[7]
    found = search_embeddings(generated, train, top=4)
    distinct = [j for j in range(40) if j not in (7, 30, 31)]
    distance = 1 - generated.astype(float) @ train[distinct].astype(float).T
    order = np.argsort(distance, axis=1)[:, :4]
    np.testing.assert_array_equal(found.match, np.array(distinct)[order])
    np.testing.assert_allclose(
        found.distance, np.clip(np.take_along_axis(distance, order, 1), 0, 2), atol=1e-12
    )
    assert found.match[0, 0] == 5
    assert abs(found.distance[0, 0]) < 1e-6
    np.testing.assert_array_equal(found.score, found.distance)


@pytest.mark.parametrize("device", ["cpu", "cpu:0"])  # by FAISS, and by the code for GPUs
@pytest.mark.parametrize("blocks", [(4096, 65_536), (3, 7)])
def test_flat_search_is_float64_brute_force_ties_included(device, blocks, monkeypatch):
    monkeypatch.setattr(flat, "_QUERIES", blocks[0])
    monkeypatch.setattr(flat, "_ROWS", blocks[1])
    rng = np.random.default_rng(0)
    base, queries = unit(rng, 300, 16), unit(rng, 12, 16)
    base[100:140] = base[50]  # far more ties than the candidates that are asked for at first
    base[200:240] = np.nextafter(base[60], rng.choice([-2, 2], (40, 16)).astype(np.float32))
    queries[:2], queries[2] = base[[50, 60]], -base[50]
    found, rows = flat.flat_search(queries, base, 5, device=device)
    distance = np.clip(1 - np.einsum("nk,mk->nm", queries.astype(float), base.astype(float)), 0, 2)
    order = np.lexsort((np.broadcast_to(np.arange(300), distance.shape), distance), axis=1)[:, :5]
    np.testing.assert_array_equal(rows, order)
    np.testing.assert_allclose(found, np.take_along_axis(distance, order, 1), atol=1e-12)
    assert rows[0].tolist() == [50, 100, 101, 102, 103]


def test_the_code_for_gpus_gives_the_matches_of_faiss():
    rng = np.random.default_rng(1)
    train, generated = unit(rng, 200), unit(rng, 30)
    train[150:190] = train[10]
    expected = search_embeddings(generated, train, 6, groups=np.arange(200))
    found = search_embeddings(generated, train, 6, groups=np.arange(200), device="cpu:0")
    np.testing.assert_array_equal(found.match, expected.match)
    np.testing.assert_array_equal(found.distance, expected.distance)
    assert flat.searcher("cpu") == "FAISS"
    assert flat.searcher("cuda:0") == "brute force in PyTorch on cuda:0"
    # More equal rows than are ever asked for: still rows that are equally near.
    same = np.tile(unit(rng, 1), (1500, 1))
    for device in ("cpu", "cpu:0"):
        assert np.ptp(flat.flat_search(same[:2], same, 3, device=device)[0]) == 0


def test_groups_of_images_overrule_bits_of_embeddings():
    train = unit(np.random.default_rng(0), 6)
    train[4] = train[1]
    train[4, 0] = np.nextafter(train[4, 0], 1)
    groups = np.array([0, 1, 2, 3, 1, 5])
    assert search_embeddings(train[4:5], train, 2, groups=groups).match[0].tolist().count(4) == 0
    assert {1, 4} == set(search_embeddings(train[4:5], train, 2).match[0])


def test_other_indexes_and_their_errors():
    rng = np.random.default_rng(0)
    train, generated = unit(rng, 300), unit(rng, 20)
    flat = search_embeddings(generated, train, 3)
    graph = search_embeddings(generated, train, 3, index="HNSW32")
    assert (flat.match == graph.match).mean() > 0.9
    for call, text in (
        (
            lambda: search_embeddings(generated, train, 3, index="Nonsense"),
            "cannot build index 'Nonsense'",
        ),
        (
            lambda: search_embeddings(2 * generated, train, 3),
            "generated images: embeddings .* not finite unit rows",
        ),
        (lambda: search_embeddings(generated, train[:2], 3), "cannot find 3 matches"),
        (
            lambda: search_embeddings(generated, train, 100, index="IVF50,Flat"),
            "finds fewer than 100",
        ),
    ):
        with pytest.raises(InputError, match=text):
            call()


def test_index_options_reach_the_index():
    rng = np.random.default_rng(0)
    train, generated = unit(rng, 300), unit(rng, 20)
    flat = search_embeddings(generated, train, 3)
    every_list = search_embeddings(generated, train, 3, index="IVF8,Flat", nprobe=8)
    np.testing.assert_array_equal(flat.match, every_list.match)
    np.testing.assert_array_equal(flat.distance, every_list.distance)
    one_list = search_embeddings(generated, train, 3, index="IVF8,Flat", nprobe=1, rerank=3)
    assert (flat.match != one_list.match).any()
    for options, text in (
        ({"index": "IVF50,Flat", "nprobe": 1, "top": 100}, "finds fewer than 100"),
        ({"nprobe": 2}, "nprobe is 2, but FAISS index 'Flat' has no lists"),
        ({"index": "IVF8,Flat", "nprobe": 9}, "nprobe is 9, .* has 8 lists"),
        ({"rerank": 2}, "rerank must be at least the 3 matches wanted, it is 2"),
    ):
        with pytest.raises(InputError, match=text):
            search_embeddings(generated, train, **{"top": 3, **options})


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("anchor", ["generated", "match"])
def test_calibrated_l2_equals_brute_force_in_blocks(monkeypatch, dtype, anchor):
    """Blocks of queries and of training images, ids in another order, copies, and uint8 as it is."""
    monkeypatch.setattr(search, "BLOCK_BYTES", 4 * 27 * 16)
    monkeypatch.setattr(points, "PART_BYTES", 1)
    rng = np.random.default_rng(3)
    train = rng.integers(0, 256, (90, 3, 3, 3), dtype=np.uint8).astype(dtype)
    train[50:60] = train[7]
    generated = np.concatenate(
        [train[:20], rng.integers(0, 256, (20, 3, 3, 3), dtype=np.uint8).astype(dtype)]
    )
    options = {"neighbours": 20, "alpha": 0.5, "anchor": anchor, "duplicates": "once", "top": 2}
    found = calibrated_l2(generated, train, **options)
    score, match, distance = brute_force(generated, train, **options)
    np.testing.assert_array_equal(found.match, match)
    np.testing.assert_allclose(found.distance, distance, rtol=1e-12)
    np.testing.assert_allclose(found.score, score, rtol=1e-12)
    assert (found.distance[:20, 0] == 0).all()


def test_groups_at_hand_and_parts_of_the_samples_change_nothing(images):
    generated, train = images
    whole = calibrated_l2(generated, train, neighbours=5)
    groups = duplicate_groups(train)
    parts = [calibrated_l2(g, train, neighbours=5, groups=groups) for g in (generated[:4], generated[4:])]
    joined = join_matches(parts)
    for name in ("score", "match", "distance"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))


def test_matches_table_is_sorted_and_typed(images):
    generated, train = images
    l2 = calibrated_l2(generated, train, neighbours=3, top=2)
    ids = np.arange(len(generated))[::-1] + 100
    table = matches_table(ids, {"sscd": l2, "calibrated_l2": l2})
    assert list(table.columns) == ["sample", "metric", "rank", "train", "distance", "score"]
    assert [str(table[c].dtype) for c in ("sample", "rank", "train", "distance")] == [
        "int64",
        "int32",
        "int64",
        "float64",
    ]
    assert table[["sample", "metric", "rank"]].equals(
        table[["sample", "metric", "rank"]].sort_values(list(table)[:3])
    )
    first = table[(table["sample"] == 100) & (table["metric"] == "sscd")]
    assert first["train"].tolist() == l2.match[-1].tolist()
    for k, name in enumerate(ids):
        for metric in ("sscd", "calibrated_l2"):
            own = table[(table["sample"] == name) & (table["metric"] == metric)]
            assert own["rank"].tolist() == [1, 2]
            assert own["distance"].tolist() == l2.distance[k].tolist()
            assert own["score"].tolist() == l2.score[k].tolist()


class Pooled(torch.nn.Module):
    def forward(self, x):
        return torch.nn.functional.adaptive_avg_pool2d(x, 2).flatten(1)


@pytest.mark.parametrize(
    ("name", "shape", "size"),
    [
        ("native", (7, 9), (7, 9)),
        ("imagenet-288", (100, 150), (288, 432)),
        ("imagenet-320", (100, 150), (320, 320)),
        ("imagenet-crop224", (100, 150), (224, 224)),
        ("half-crop224", (300, 260), (224, 224)),
    ],
)
def test_preprocessing_sizes_and_ranges(name, shape, size):
    seen = []

    def spy(x):
        seen.append(x)
        return x.mean((2, 3))

    white = np.full((1, *shape, 1), 255, dtype=np.uint8)
    embedding.embed(spy, white, name, batch_size=1)
    assert tuple(seen[0].shape) == (1, 3, *size)
    expected = [1.0, 1.0, 1.0] if name in ("native", "half-crop224") else [2.2489083, 2.4285715, 2.64]
    np.testing.assert_allclose(seen[0].mean((0, 2, 3)), expected, rtol=1e-4)


def test_crop_is_the_centre():
    image = np.zeros((1, 256, 256, 1), dtype=np.uint8)
    image[:, 16:240, 16:240] = 255
    seen = []
    embedding.embed(lambda x: seen.append(x) or x.mean((2, 3)), image, "half-crop224", batch_size=1)
    assert (seen[0] == 1).all()


def test_embeddings_are_unit_and_do_not_depend_on_the_cut(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (23, 8, 8, 1), dtype=np.uint8)
    path = tmp_path / "d.pt"
    torch.jit.script(Pooled()).save(str(path))
    descriptor = embedding.load_descriptor(path)
    ids = np.arange(23)
    whole = embedding.embed(descriptor, images, "native", 8, ids)
    parts = [embedding.embed(descriptor, images[s], "native", 8, ids[s]) for s in (slice(0, 5), slice(5, 23))]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-6)
    assert whole.dtype == np.float32
    grey = embedding.embed(descriptor, images.repeat(3, axis=3), "native", 8)
    np.testing.assert_array_equal(whole, grey)


def test_descriptor_errors(tmp_path):
    with pytest.raises(InputError, match=r"none\.pt: no such descriptor file"):
        embedding.load_descriptor(tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("not a descriptor")
    with pytest.raises(InputError, match=r"text\.pt: not a TorchScript descriptor"):
        embedding.load_descriptor(tmp_path / "text.pt")
    images = np.zeros((2, 4, 4, 1), dtype=np.uint8)
    with pytest.raises(InputError, match="preprocess 'sscd' is unknown; choose one of native"):
        embedding.embed(Pooled(), images, "sscd")
    with pytest.raises(InputError, match="must be uint8"):
        embedding.embed(Pooled(), images.astype(np.float32), "native")
    with pytest.raises(InputError, match="no direction for image 0"):
        embedding.embed(lambda x: torch.zeros(len(x), 4), images, "native")
