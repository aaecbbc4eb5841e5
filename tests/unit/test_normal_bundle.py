"""Normal-bundle spectra against an SVD of the same scores, and ranks where the gap is clear."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from mmh.compute import rng
from mmh.compute.rows import repeatable
from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError
from mmh.lid import count_below, normal_bundle, normal_bundle_spectrum, pooled_threshold
from mmh.lid.normal_bundle import count_stderr, normal_bundle_groups
from mmh.oracles.exact import gaussian, random_mixture

VP = Schedule.linear_vp(0.1, 20.0)
VE = Schedule.edm(0.01, 5.0)


def _scores(model, x, t, copies, seed, item):
    """Write out the matrix of scores."""
    noise = rng.generator(seed, "normal-bundle", item).standard_normal((copies, *x.shape), dtype=np.float32)
    z = (
        model.schedule.psi(t) * torch.as_tensor(x)
        + model.schedule.sigma(t) * torch.from_numpy(noise).double()
    )
    return model.score(z, t).double().flatten(1).numpy()


@pytest.mark.parametrize("schedule", [VP, VE])
@pytest.mark.parametrize("copies", [None, 13, 70])
def test_agrees_with_an_svd(schedule, copies):
    oracle = random_mixture([4, 9], 16, schedule, seed=0, separation=1.0)
    x, _ = oracle.sample(3, seed=0)
    spectra = normal_bundle_spectrum(
        oracle.model, x, 0.1, copies=copies, seed=5, ids=[2, 9, 4], batch_size=16
    )
    assert spectra.shape == (3, 16)
    assert (np.diff(spectra, axis=1) <= 0).all()
    for row, item in enumerate([2, 9, 4]):
        expected = np.linalg.svd(_scores(oracle.model, x[row], 0.1, copies or 64, 5, item), compute_uv=False)
        clear = expected > 1e-5 * expected[0]
        np.testing.assert_allclose(spectra[row, : len(expected)][clear], expected[clear], rtol=1e-6)
        np.testing.assert_allclose(spectra[row, len(expected) :], 0)


def test_agrees_with_an_svd_down_to_a_hundred_thousandth():
    # Singular values from 1 to 1e-6, as rows of a matrix that a model hands out.
    random = np.random.default_rng(0)
    d = 96
    left = np.linalg.qr(random.standard_normal((4 * d, d)))[0]
    right = np.linalg.qr(random.standard_normal((d, d)))[0]
    matrix = torch.from_numpy((left * np.logspace(0, -6, d)) @ right.T)
    gram = normal_bundle._gram(iter(matrix.split(50)), d, torch.device("cpu"))
    values = normal_bundle._roots(gram, 4 * d)
    expected = torch.linalg.svdvals(matrix).numpy()
    clear = expected > 1e-5 * expected[0]
    assert 0.8 < clear.mean() < 0.9
    np.testing.assert_allclose(values[clear], expected[clear], rtol=1e-6)


def test_the_rank_is_exact_where_the_gap_is_clear():
    oracle = random_mixture([2, 5, 11], 20, VE, seed=1)
    x, component = oracle.sample(40, seed=0)
    truth = np.array([2, 5, 11])[component]
    spectra = normal_bundle_spectrum(oracle.model, x, 0.1, seed=0)
    # Normal scores have size 1 / sigma, tangential ones about 1: any threshold between gives the rank.
    sigma = VE.sigma(0.1)
    np.testing.assert_array_equal(count_below(spectra, np.sqrt(80) * sigma**-0.5), truth)


def test_the_pooled_threshold_orders_ranks():
    oracle = random_mixture([2, 11], 20, VE, seed=1)
    x, component = oracle.sample(30, seed=0)
    spectra = normal_bundle_spectrum(oracle.model, x, 0.1)
    counts = count_below(spectra, pooled_threshold(spectra, 10))
    assert counts.mean() == pytest.approx(2.0, abs=0.05)
    assert counts[component == 1].min() >= counts[component == 0].max()


def test_expected_gram_of_a_gaussian():
    # For N(0, I) under VP the score is -z, z ~ N(psi x, sigma^2 I): E |s|^2 = psi^2 |x|^2 + sigma^2 d.
    oracle = gaussian(np.zeros(6), np.eye(6), VP)
    x = np.ones((1, 6))
    spectrum = normal_bundle_spectrum(oracle.model, x, 0.5, copies=20_000, batch_size=4096)
    psi, sigma = VP.psi(0.5), VP.sigma(0.5)
    assert (spectrum**2).sum() / 20_000 == pytest.approx(6 * psi**2 + 6 * sigma**2, rel=0.03)


def test_bytes_depend_on_seed_and_id_alone():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(5, 33), torch.nn.SiLU(), torch.nn.Linear(33, 5))
    model = ScoreModel.from_function(lambda z, t: net(z), (5,), VP)
    x = np.random.default_rng(1).standard_normal((9, 5)).astype(np.float32)
    ids = np.array([5, 3, 8, 100, 7, 2, 1, 0, 50])
    whole = normal_bundle_spectrum(model, x, 0.2, ids=ids, batch_size=16)
    order = np.random.default_rng(2).permutation(9)
    shuffled = normal_bundle_spectrum(model, x[order], 0.2, ids=ids[order], batch_size=16)
    assert shuffled.tobytes() == whole[order].tobytes()
    parts = [normal_bundle_spectrum(model, x[[i]], 0.2, ids=ids[[i]], batch_size=16) for i in range(9)]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    np.testing.assert_allclose(normal_bundle_spectrum(model, x, 0.2, ids=ids, batch_size=1), whole, rtol=1e-4)
    assert (normal_bundle_spectrum(model, x, 0.2, ids=ids, seed=1) != whole).all()


def test_conditioning_follows_its_row():
    base = ScoreModel.from_function(lambda z, t, c: z * c, (4,), VP, dtype=torch.float64)
    c = np.array([[1.0], [10.0]])
    spectra = normal_bundle_spectrum(base.conditioned(c), np.ones((2, 4)), 0.2, ids=[0, 0])
    np.testing.assert_allclose(spectra[1], 10 * spectra[0], rtol=1e-12)


def test_bad_input():
    oracle = gaussian(np.zeros(3), np.eye(3), VP)
    with pytest.raises(InputError, match="copies"):
        normal_bundle_spectrum(oracle.model, np.zeros((1, 3)), 0.1, copies=0)
    with pytest.raises(InputError, match=r"\(0, 1\]"):
        normal_bundle_spectrum(oracle.model, np.zeros((1, 3)), 0.0)
    broken = ScoreModel.from_function(lambda z, t: z / 0, (3,), VP)
    with pytest.raises(InputError, match="id 6"):
        normal_bundle_spectrum(broken, np.zeros((1, 3)), 0.1, ids=[6])
    with pytest.raises(InputError, match="groups=1"):
        normal_bundle_groups(oracle.model, np.zeros((1, 3)), 0.1, groups=1)
    with pytest.raises(InputError, match="5 copies"):
        normal_bundle_groups(oracle.model, np.zeros((1, 3)), 0.1, groups=4, copies=5)
    with pytest.raises(InputError, match="groups"):
        count_stderr(np.zeros((2, 3)), 0.1)


def test_both_eigensolvers_give_the_same(monkeypatch):
    oracle = random_mixture([4, 9], 16, VP, seed=0, separation=1.0)
    x, _ = oracle.sample(2, seed=0)
    lapack = normal_bundle_spectrum(oracle.model, x, 0.1)
    monkeypatch.setattr(normal_bundle, "TORCH_EIGENVALUES", 1)
    np.testing.assert_allclose(normal_bundle_spectrum(oracle.model, x, 0.1), lapack, rtol=1e-9)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("groups", "smallest", "matrices"), [(1, 1, 3.0), (1, 10_000, 2.6), (4, 10_000, 6.6)]
)
def test_memory_is_that_of_a_few_matrices(groups, smallest, matrices):
    # One Gram matrix, or one per group and a sum of them; the rest is one batch and BLAS's own.
    code = """
import pathlib, re, sys
import torch
from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.lid import normal_bundle
d = 1024
def peak():  # of this program alone: getrusage's would start from the parent's
    return 1024 * int(re.search(r"VmHWM:\\s*(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])
def work(d):
    model = ScoreModel.from_function(lambda z, t: z, (d,), Schedule.linear_vp())
    x, options = torch.zeros((1, d)), {"batch_size": 128}
    if groups == 1:
        normal_bundle.normal_bundle_spectrum(model, x, 0.1, **options)
    else:
        normal_bundle.normal_bundle_groups(model, x, 0.1, groups=groups, **options)
groups, normal_bundle.TORCH_EIGENVALUES = map(int, sys.argv[1:])
work(16)
before = peak()
work(d)
print((peak() - before) / (8 * d * d))
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", code, str(groups), str(smallest)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert groups * 0.9 < float(run.stdout) < matrices


def test_repeatable_kernels_are_asked_for_on_a_gpu_and_put_back():
    filling = torch.utils.deterministic
    before = torch.are_deterministic_algorithms_enabled(), filling.fill_uninitialized_memory
    with repeatable(torch.device("cpu")):
        assert torch.are_deterministic_algorithms_enabled() == before[0]
    seen = []

    def fail():
        with repeatable(torch.device("cuda")):
            seen.append((torch.are_deterministic_algorithms_enabled(), filling.fill_uninitialized_memory))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert seen == [(True, False)]
    assert (torch.are_deterministic_algorithms_enabled(), filling.fill_uninitialized_memory) == before


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_network_may_keep_what_it_is_given(dtype):
    kept = []

    def network(z, t):
        kept.append(z)
        return z

    model = ScoreModel.from_function(network, (6,), VP, dtype=dtype)
    x = np.ones((1, 6))
    spectrum = normal_bundle_spectrum(model, x, 0.1, copies=20, batch_size=8)
    assert [len(z) for z in kept] == [8, 8, 4]
    expected = np.linalg.svd(torch.cat(kept).double().numpy(), compute_uv=False) / VP.sigma(0.1)
    np.testing.assert_allclose(spectrum[0], expected, rtol=1e-6)


def test_leaving_a_group_out():
    oracle = random_mixture([4, 9], 16, VP, seed=0, separation=1.0)
    x, _ = oracle.sample(2, seed=0)
    options = {"copies": 70, "seed": 5, "ids": [2, 9]}
    whole, left_out = normal_bundle_groups(oracle.model, x, 0.1, groups=4, batch_size=16, **options)
    np.testing.assert_allclose(whole, normal_bundle_spectrum(oracle.model, x, 0.1, **options), rtol=1e-9)
    assert left_out.shape == (2, 4, 16)
    for row, item in enumerate([2, 9]):
        matrix = _scores(oracle.model, x[row], 0.1, 70, 5, item)
        for g in range(4):
            rest = np.delete(matrix, np.s_[18 * g : 18 * (g + 1)], axis=0)
            expected = np.linalg.svd(rest, compute_uv=False) * np.sqrt(70 / len(rest))
            np.testing.assert_allclose(left_out[row, g], expected, rtol=1e-6)


def test_the_jackknife_error_is_the_spread_over_seeds():
    # The same law at the same point: the items differ in their copies alone.
    oracle = gaussian(np.zeros(40), np.diag(np.exp(-np.arange(40) / 4.0)), VP)
    spectra, left_out = normal_bundle_groups(oracle.model, np.zeros((150, 40)), 0.1)
    threshold = pooled_threshold(spectra, 30)
    stderr = np.sqrt((count_stderr(left_out, threshold) ** 2).mean())
    assert 0.7 < stderr / count_below(spectra, threshold).std() < 2
    clear = random_mixture([5], 20, VE, seed=1)
    _, left_out = normal_bundle_groups(clear.model, clear.sample(5, seed=0)[0], 0.1)
    assert (count_stderr(left_out, np.sqrt(80) * VE.sigma(0.1) ** -0.5) < 0.1).all()
    np.testing.assert_array_equal(count_stderr(left_out, 0.0), 0)


def test_the_jackknife_of_a_count_that_is_a_mean_is_its_standard_error():
    """Without group g the mean of the others is counted: the error then is sd / sqrt(G), as in any textbook."""
    rng = np.random.default_rng(0)
    for groups in (2, 4, 9):
        of_group = rng.uniform(-1, 1, size=(3, groups))
        others = (of_group.sum(1, keepdims=True) - of_group) / (groups - 1)
        ladder = np.arange(20.0)[::-1]  # one more singular value per unit: the count is linear in the shift
        stderr = count_stderr(ladder - others[:, :, None], 8.3)
        np.testing.assert_allclose(stderr, of_group.std(axis=1, ddof=1) / np.sqrt(groups), rtol=1e-12)


def test_the_jackknife_of_interpolated_counts_by_hand():
    # Without each group 2, 1.25 and 1.75 values lie below 2.5: k + 1/2 at the k-th smallest, linear between.
    left_out = np.array([[[4.0, 3, 2, 1], [5, 4, 3, 1], [6, 4, 2, 1]]])
    counts = np.array([2.0, 1.25, 1.75])
    expected = np.sqrt(2 / 3 * ((counts - counts.mean()) ** 2).sum())
    np.testing.assert_allclose(count_stderr(left_out, 2.5), [expected])
