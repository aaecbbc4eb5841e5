"""Indexes over shards on disk: exactness after re-ranking, recall, determinism, errors."""

import numpy as np
import pytest

from mmh.errors import InputError
from mmh.io.arrays import write_arrays
from mmh.retrieval import index_search, vector_index
from mmh.retrieval.descriptor_search import search_embeddings, search_shards
from mmh.retrieval.embedding_shards import Shards


def _unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """5,000 x 64 rows of a decaying spectrum in three shards of two kinds, and copies of 200 of them."""
    random = np.random.default_rng(0)
    scale = np.arange(1, 65) ** -0.5
    base = _unit(random.standard_normal((5000, 64)) * scale)
    rows = random.choice(5000, 200, replace=False)
    copies = _unit(base[rows] + 0.4 * _unit(random.standard_normal((200, 64)) * scale))
    folder = tmp_path_factory.mktemp("shards")
    np.save(folder / "a.npy", base[:1000])
    write_arrays(folder / "b.npz", id=np.arange(3000), embedding=base[1000:4000])
    np.save(folder / "c.npy", base[4000:].astype(np.float64))
    return base, rows, copies, [folder / name for name in ("a.npy", "b.npz", "c.npy")]


def _brute(queries, base, top):
    distance = np.clip(1 - queries.astype(np.float64) @ base.astype(np.float64).T, 0, 2)
    order = np.argsort(distance, axis=1, kind="stable")[:, :top]
    return np.take_along_axis(distance, order, 1), order


def test_shards_are_one_array(world):
    base, _, _, shards = world
    rows = np.array([4999, 0, 1000, 999, 3999, 4000, 0])
    joined = Shards(shards)
    assert (len(joined), joined.dim) == (5000, 64)
    np.testing.assert_array_equal(joined.take(rows), base[rows])


@pytest.mark.parametrize("factory", ["Flat", "IVF16,Flat", "IVF16,PQ16x4"])
def test_everything_probed_and_reranked_is_exact(world, tmp_path, factory):
    base, _, copies, shards = world
    vector_index.build(shards, factory, tmp_path / "index", train_rows=2000)
    nprobe = 16 if "IVF" in factory else None
    distance, row = index_search.search(
        tmp_path / "index", shards, copies[:20], 5, nprobe=nprobe, rerank=5000
    )
    expected, order = _brute(copies[:20], base, 5)
    np.testing.assert_array_equal(row, order)
    np.testing.assert_allclose(distance, expected, atol=1e-12)


def test_a_small_index_finds_copies(world, tmp_path):
    _, rows, copies, shards = world
    path = tmp_path / "index"
    vector_index.build(shards, "IVF32,PQ16x6", path, train_rows=4000)
    found = {
        rerank: (
            index_search.search(path, shards, copies, 1, nprobe=8, rerank=rerank)[1][:, 0] == rows
        ).mean()
        for rerank in (1, 100)
    }
    assert found[100] >= 0.95
    assert found[1] < found[100]  # what exact distances add
    assert path.stat().st_size < 5000 * 64 * 4 / 4  # codebooks weigh more in so small a set


def test_seed_gives_the_bytes(world, tmp_path):
    shards = world[3]
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        vector_index.build(shards, "IVF8,PQ8x4", tmp_path / name, train_rows=1000, seed=seed)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_errors_name_the_file(world, tmp_path):
    base, _, copies, shards = world
    path = tmp_path / "index"
    vector_index.build(shards, "IVF8,Flat", path)
    (tmp_path / "text.npy").write_text("text")
    np.savez_compressed(tmp_path / "packed.npz", embedding=base)
    np.savez(tmp_path / "other.npz", x=base)
    np.save(tmp_path / "short.npy", base[:, :8])
    np.save(tmp_path / "long.npy", 2 * base)
    (tmp_path / "cut").write_bytes(path.read_bytes()[:1000])
    calls = {
        r"no\.npy: no such file": lambda: Shards([tmp_path / "no.npy"]),
        r"text\.npy: cannot be read": lambda: Shards([tmp_path / "text.npy"]),
        r"packed\.npz: is compressed": lambda: Shards([tmp_path / "packed.npz"]),
        r"other\.npz: lacks the array 'embedding'": lambda: Shards([tmp_path / "other.npz"]),
        r"short\.npy: .* expected float rows of 64": lambda: Shards([shards[0], tmp_path / "short.npy"]),
        r"long\.npy: .* unit rows": lambda: vector_index.build(
            [tmp_path / "long.npy"], "Flat", tmp_path / "x"
        ),
        "cannot build index 'IVF9,Nonsense'": lambda: vector_index.build(
            shards, "IVF9,Nonsense", tmp_path / "x"
        ),
        "holds 5000 rows of 64 values, the shards 1000": lambda: index_search.search(
            path, shards[:1], copies, 1
        ),
        "none: no such index": lambda: index_search.search(tmp_path / "none", shards, copies, 1),
        "cut: not a FAISS index": lambda: index_search.search(tmp_path / "cut", shards, copies, 1),
        "queries: .* unit rows of 64": lambda: index_search.search(path, shards, copies[:, :8], 1),
        "nprobe is 9": lambda: index_search.search(path, shards, copies, 1, nprobe=9),
        "at least one file": lambda: Shards([]),
    }
    for text, call in calls.items():
        with pytest.raises(InputError, match=text):
            call()
    assert not (tmp_path / "x").exists()


def test_shards_with_duplicates_give_the_matches_of_a_search_in_memory(tmp_path):
    """Each image has up to thirty copies, ids are shuffled over the shards, and two of three lists are probed."""
    random = np.random.default_rng(5)
    distinct = random.standard_normal((60, 16)).astype(np.float32)
    distinct /= np.linalg.norm(distinct, axis=1, keepdims=True)
    image = np.repeat(np.arange(60), random.integers(1, 31, 60))
    ids = random.permutation(len(image)) + 100
    smallest = np.array([ids[image == i].min() for i in image])
    shards = []
    for number, rows in enumerate(np.array_split(np.arange(len(image)), 3)):
        shards.append(tmp_path / f"{number}.npz")
        np.savez(shards[-1], embedding=distinct[image[rows]], id=ids[rows])
    queries = distinct[:20] + 0.1 * random.standard_normal((20, 16)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    found = search_shards(
        queries, shards, 4, index="IVF3,Flat", nprobe=3, folder=tmp_path, groups=smallest, shard_ids=ids
    )
    expected = search_embeddings(queries, distinct[image], 4, groups=image, train_ids=ids)
    np.testing.assert_array_equal(found.match, expected.match)
    np.testing.assert_allclose(found.distance, expected.distance, atol=1e-12)
    with pytest.raises(InputError, match="61 matches among 60 distinct images"):
        search_shards(queries, shards, 61, index="Flat", folder=tmp_path, groups=smallest, shard_ids=ids)
