"""Spectra of the log-density's Hessian: oracles, ids and batches, quadrature, and the estimator that they make."""

import numpy as np
import pandas as pd
import pytest
import torch

from mmh.compute import rng
from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError
from mmh.hessian.estimate import NOISE, hessian_geometry
from mmh.hessian.geometry import Geometry, beyond
from mmh.io.arrays import write_arrays
from mmh.io.table_files import read_table, write_table
from mmh.io.tables import SCORES as TABLE
from mmh.lid.flipd import flipd_estimate
from mmh.models.base import dimension
from mmh.options.entries import Entry
from mmh.oracles.exact import gaussian, random_mixture
from mmh.plan.cost import need
from mmh.plotting.sharpness.eigenvalues import Level, histograms, read_level, shares_beyond
from mmh.scores.base import SCORES
from mmh.scores.setting import Setting
from mmh.scores.steps import count_spectra, score_spectra

VP = Schedule.linear_vp(0.1, 20.0)


def hessian_eigenvalues(model, x, t, *, noised=True, **options):
    """All a of each item, falling, as the estimator `eigenvalues` takes them."""
    return hessian_geometry(model, x, t, steps=None, noised=noised, **options).nodes[:, 0, ::-1]


@pytest.mark.parametrize("t", [0.05, 0.9])
def test_of_a_gaussian_they_are_those_of_its_covariance(t):
    """H = -(psi^2 C + sigma^2)^-1 wherever it is asked, and a = sigma^2 / (psi^2 c + sigma^2)."""
    spread = np.array([0.0, 0.0, 0.3, 1.0, 2.0])
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0]
    oracle = gaussian(np.zeros(5), turned @ np.diag(spread) @ turned.T, VP)
    found = hessian_eigenvalues(oracle.model, np.random.default_rng(1).normal(size=(3, 5)), t, batch_size=2)
    psi, sigma = VP.psi(t), VP.sigma(t)
    np.testing.assert_allclose(found, np.tile(sigma**2 / (psi**2 * spread + sigma**2), (3, 1)), rtol=1e-7)


def test_no_exact_score_passes_the_line_and_their_sum_is_the_trace():
    oracle = random_mixture([0, 2, 5], 9, VP, seed=0, separation=1.5)
    x, _ = oracle.sample(20, seed=0)
    for t in (0.03, 0.3, 0.95):
        found = hessian_eigenvalues(oracle.model, x, t, noised=False, batch_size=7)
        assert (np.diff(found, axis=1) <= 0).all()
        assert not beyond(found).any()
        trace = flipd_estimate(oracle.model, x, t, probes=None, batch_size=7).trace
        np.testing.assert_allclose(found.sum(axis=1), trace, rtol=1e-9)


def skewed(dim=6):
    """A noise with a Jacobian that is not symmetric and differs from place to place."""
    torch.manual_seed(0)
    matrix = torch.randn(dim, dim, dtype=torch.float64)
    model = ScoreModel.from_function(lambda z, t: torch.sin(z @ matrix.T), (dim,), VP, dtype=torch.float64)
    return model, matrix


def test_a_skewed_jacobian_is_symmetrised_at_the_noised_item():
    model, matrix = skewed()
    x = np.random.default_rng(3).normal(size=(4, 6))
    found = hessian_eigenvalues(model, x, 0.2, seed=7, ids=[5, 2, 9, 4], batch_size=3)
    noise = rng.normal(7, NOISE, [5, 2, 9, 4], (6,)).double()
    z = VP.psi(0.2) * torch.from_numpy(x) + VP.sigma(0.2) * noise
    for row in range(4):
        jacobian = torch.cos(z[row] @ matrix.T)[:, None] * matrix
        expected = np.linalg.eigvalsh(VP.sigma(0.2) * (jacobian + jacobian.T).numpy() / 2)[::-1]
        np.testing.assert_allclose(found[row], expected, atol=1e-10)
    # Each follows from its id alone.
    again = hessian_eigenvalues(model, x[[2, 0]], 0.2, seed=7, ids=[9, 5], batch_size=3)
    assert again.tobytes() == found[[2, 0]].tobytes()


def test_large_items_and_broken_values_are_refused():
    large = ScoreModel.from_function(lambda z, t: z, (257,), VP)
    with pytest.raises(InputError, match=r"the dense Jacobian is for d <= 256, here d=257"):
        hessian_eigenvalues(large, np.zeros((1, 257)), 0.1, batch_size=1)
    broken = ScoreModel.from_function(lambda z, t: torch.sqrt(z - 9), (2,), VP, dtype=torch.float64)
    with pytest.raises(InputError, match=r"the spectrum of the Jacobian at t=0.1 is not finite: id 3"):
        hessian_eigenvalues(broken, np.ones((1, 2)), 0.1, ids=[3], batch_size=1)


# ---- quadrature --------------------------------------------------------------------------------------------------------

LANCZOS = {"steps": 20, "probes": 8, "method": "lanczos-difference", "noised": True}


def distribution(found: Geometry, bounds):
    """Share of the spectrum below each bound, of each item, and its standard error over probes: (n, bounds)."""
    below = (found.weights[..., None] * (found.nodes[..., None] < bounds)).sum(2)
    return below.mean(1), below.std(1, ddof=1) / found.nodes.shape[1] ** 0.5


def test_quadrature_has_the_distribution_of_all_eigenvalues_at_64():
    """A smooth statistic, the trace and shares, over 60 items, against eigh: within the error that probes leave."""
    torch.manual_seed(0)
    matrix = torch.randn(64, 64, dtype=torch.float64) / 8
    model = ScoreModel.from_function(lambda z, t: torch.sin(z @ matrix.T) + z, (64,), VP, dtype=torch.float64)
    x = np.random.default_rng(5).normal(size=(60, 64))
    dense = hessian_geometry(model, x, 0.3, steps=None, noised=True)
    found = hessian_geometry(model, x, 0.3, **LANCZOS)
    for name in ("trace", "lhsd", "share"):
        reading, truth = getattr(found, name)(), getattr(dense, name)().value
        z = (reading.value - truth) / reading.stderr
        assert abs(z.mean()) < 4 / len(z) ** 0.5
        assert 0.7 < z.std() < 1.6  # t of seven degrees of freedom: 1.18
    bounds = np.quantile(dense.nodes, [0.1, 0.3, 0.5, 0.7, 0.9])
    share, stderr = distribution(found, bounds)
    truth = (dense.nodes[:, 0, :, None] < bounds).mean(1)
    error = np.sqrt((stderr**2).mean(0) / len(x))
    # Of an item m nodes give steps; their places average out over items.
    assert (np.abs((share - truth).mean(0)) < 4 * error + 0.01).all()
    uniform = (found.nodes[..., None] < bounds).mean((1, 2))
    assert np.abs((uniform - truth).mean(0)).max() > 5 * np.abs((share - truth).mean(0)).max()


def law_of_400():
    """Dimensions 40 and 60 of 400 with spreads of their own: a = 1 of 300, and two further values."""
    spread = np.r_[np.zeros(300), np.full(40, 0.05), np.full(60, 2.0)]
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=(400, 400)))[0]
    oracle, t = gaussian(np.zeros(400), turned @ np.diag(spread) @ turned.T, VP), 0.1
    psi, sigma = VP.psi(t), VP.sigma(t)
    return oracle, t, sigma**2 / (psi**2 * spread + sigma**2)


def test_quadrature_finds_a_known_spectrum_of_400_within_its_error():
    """Three distinct values end each recurrence after three steps: the nodes are these, weights their shares."""
    oracle, t, a = law_of_400()
    values, counts = np.unique(a.round(12), return_counts=True)
    found = hessian_geometry(oracle.model, oracle.sample(40, 0)[0], t, **LANCZOS)
    share, stderr = distribution(found, (values[1:] + values[:-1]) / 2)
    for bound, expected in enumerate(np.cumsum(counts)[:-1] / 400):
        z = (share[:, bound] - expected) / stderr[:, bound]
        assert abs(z.mean()) < 4 / len(z) ** 0.5
        assert np.abs(share[:, bound].mean() - expected) < 0.005
    heavy = found.nodes[found.weights > 1e-6]
    assert np.abs(heavy[:, None] - values).min(axis=1).max() < 1e-4
    expected = (1 / (1 + (a / 0.25) ** 4)).sum()
    lhsd = found.lhsd(0.25)
    assert abs(((lhsd.value - expected) / lhsd.stderr).mean()) < 4 / 40**0.5


def scored(oracle, t, n, **options):
    """Arrays, run record and table of the estimator on points of a law."""
    row, x = SCORES["eigenvalues"], oracle.sample(n, 0)[0]
    given = row.Options.model_validate({"t": t, "batch_size": 4, **options})
    setting = Setting(x, np.arange(n, dtype=np.int64), given, seed=3, score=oracle.model)
    arrays, numerics = score_spectra(row, setting, progress=lambda *_, **__: lambda *_: None)
    return row, given.model_dump(), arrays, numerics


@pytest.mark.parametrize("large", [False, True])
def test_a_row_says_whether_all_eigenvalues_were_taken(tmp_path, large):
    oracle, t, a = law_of_400()
    if not large:
        oracle, a = gaussian(np.zeros(5), np.diag([0.0, 0.0, 0.3, 1.0, 2.0]), VP), None
    row, options, arrays, numerics = scored(oracle, t, 6, m=6, probes=4)
    file = tmp_path / "spectra" / "samples" / "e" / "000000-000005.npz"
    file.parent.mkdir(parents=True)
    write_arrays(file, **arrays)
    table = count_spectra(row, [file], [], "e", options=options, seed=3, record={})
    write_table(table, tmp_path / "scores.parquet", TABLE)
    table = read_table(tmp_path / "scores.parquet", TABLE)
    groups = pd.DataFrame({"items": "samples", "item": range(6), "label": "x", "cluster": range(6)})
    level = read_level([file], groups, place="p", estimator="e", t=t)
    if large:
        assert set(table["probes"]) == {4}
        how = {"steps": 6, "probes": 4, "method": "lanczos-difference", "noised": True, "seed": 3}
        direct = hessian_geometry(oracle.model, oracle.sample(6, 0)[0], t, batch_size=4, **how).lid_trace()
        np.testing.assert_allclose(table["value"], direct.value, rtol=1e-9)
        np.testing.assert_allclose(table["stderr"], direct.stderr, rtol=1e-9)
        assert np.abs((table["value"] - (400 - a.sum())) / table["stderr"]).max() < 12  # t of three
        assert "quadrature, lanczos-difference, 6 products of 4 rademacher probes" in numerics["method"]
        assert arrays["spectrum"].shape == (6, 24)
        np.testing.assert_allclose(arrays["weight"].sum(axis=1), 400)
        assert level.weights.shape == (6, 24)
    else:
        assert table[["probes", "stderr"]].isna().all(axis=None)
        assert "exact" in numerics["method"]
        assert set(arrays) == {"spectrum", "id", "index", "sigma"}
        assert level.weights is None


def test_the_figure_weighs_nodes_as_the_eigenvalues_that_they_stand_for():
    """Each eigenvalue twice with half the weight, and a node without weight: the same numbers."""
    rng_ = np.random.default_rng(2)
    values = 1 + 0.2 * rng_.normal(size=(30, 12))
    items = pd.DataFrame({"label": "a", "cluster": np.arange(30) // 2})
    plain = Level("here", "e", 0.1, 0.5, items, values)
    ends = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
    nodes = np.concatenate([values, values, ends[0]], axis=1)
    weights = np.concatenate([np.full((30, 24), 0.5), np.zeros((30, 1))], axis=1)
    weighed = Level("here", "e", 0.1, 0.5, items, nodes, weights)
    one, two = (shares_beyond(level, ["a"], "family") for level in (plain, weighed))
    pd.testing.assert_frame_equal(one, two)
    one, two = (histograms(level, ["a"]).query("count > 0") for level in (plain, weighed))
    assert one["count"].sum() == two["count"].sum() == 360
    below = [
        [table.loc[table["high"] <= line + 1e-9, "share"].sum() for line in (-1.2, -1.0, -0.8)]
        for table in (one, two)
    ]
    np.testing.assert_allclose(*below)


def test_a_quadrature_is_planned_as_its_products():
    """Of mnist-nine in 28 x 28 the latents have 784 values: no Jacobian of 784 products is planned."""
    from test_cost import CONFIG

    config = {**CONFIG, "experiments": dict(CONFIG["experiments"])}
    entry = {**config["experiments"]["mnist-nine"]}
    blocks = {name: {"method": "eigenvalues", "items": ["memorized"], "condition": "caption", "t": 0.04,
                     "batch_size": 50, "shard_size": 100, **own}
              for name, own in (("few", {"m": 10}), ("more", {"m": 20}), ("jvp", {"m": 20, "recurrence": "lanczos-jvp"}))}  # fmt: skip
    entry |= {"data": {**entry["data"], "size": 28}, "estimators": blocks}
    config["experiments"]["mnist-nine"] = entry
    assert dimension(entry) == 784
    few, more, jvp = (
        need(config, "score_spectra", {"experiment": "mnist-nine", "item_set": "memorized", "estimator": name,
                                       "span": "000000-000099"}, gpu=False)
        for name in blocks
    )  # fmt: skip
    assert few.seconds < more.seconds < jvp.seconds
    assert few.mem_mb < more.mem_mb == jvp.mem_mb
    row, where = SCORES["eigenvalues"], "experiments.mnist-nine.estimators.e"

    def said(**options):
        held = {**entry, "latents": {**entry["latents"], "dtype": options.pop("dtype", "float32")}}
        given = row.Options.model_validate({"t": 0.1, "batch_size": 4, "condition": "caption"} | options)
        held["estimators"] = {"e": {"method": "eigenvalues", "items": ["memorized"]}}
        return list(row.check(given, Entry({"experiments": {"mnist-nine": held}}, "mnist-nine"), where))

    assert said() == []
    assert said(dtype="bfloat16", recurrence="lanczos-jvp") == []
    assert said(dtype="bfloat16") == [
        f"{where}.recurrence: a difference of bfloat16 noises is rounding alone; use lanczos-jvp"
    ]
    assert said(m=785) == [f"{where}.m: 785 products, but an item has 784 values; at most so many"]


def test_chosen_ids_fill_batches_by_their_places_in_the_choice():
    """Ids with gaps share rows of a batch; their places do not, and each keeps the noise of its id."""
    oracle = gaussian(np.zeros(5), np.diag([0.0, 0.0, 0.3, 1.0, 2.0]), VP)
    ids = np.array([3, 7, 11, 15, 19, 23, 27, 31])
    x, calls = oracle.sample(8, 0)[0], []

    def counted(z, t, c):
        calls.append(len(z))
        return oracle.model.eps(z, t)

    model = ScoreModel(counted, (5,), VP, dtype=torch.float64)
    how = {"ids": ids, "seed": 3, "batch_size": 4}
    by_id = hessian_eigenvalues(model, x, 0.3, **how)
    assert calls == [4] * 8
    calls.clear()
    by_place = hessian_eigenvalues(model, x, 0.3, places=np.arange(8), **how)
    assert calls == [4] * 2
    np.testing.assert_allclose(by_place, by_id, rtol=1e-6)
    part = hessian_eigenvalues(model, x[4:], 0.3, **how | {"ids": ids[4:]}, places=np.arange(4, 8))
    assert (part == by_place[4:]).all()
