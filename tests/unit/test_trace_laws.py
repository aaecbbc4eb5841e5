"""Trace laws of the complement I - sigma J against explicit matrices: exact, unbiased, as many products as asked."""

import numpy as np
import pytest
import torch

from mmh.compute.complement import Complement, hutch_plus_plus, xtrace
from mmh.compute.probes import Probes, check_probes
from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError
from mmh.lid.flipd import flipd_estimate
from mmh.oracles.exact import random_mixture

VP = Schedule.linear_vp(0.1, 20.0)
LAWS = ("hutch++-complement", "hutch++-diagonal", "xtrace-complement")
T = 0.3


def linear(matrix):
    """Make eps = J z for a matrix J."""
    J = torch.from_numpy(np.array(matrix))
    return ScoreModel.from_function(lambda z, t: z @ J.T, (len(J),), VP, dtype=torch.float64)


def with_complement(matrix):
    """Make the model whose I - sigma J is a matrix."""
    return linear((np.eye(len(matrix)) - matrix) / VP.sigma(T))


def low_rank(d, rank, seed=0):
    """Non-symmetric matrix of a rank."""
    random = np.random.default_rng(seed)
    return random.standard_normal((d, rank)) @ random.standard_normal((rank, d)) / np.sqrt(d)


class Matrix:
    """Products with explicit matrices, counted."""

    def __init__(self, A):
        self.A, self.dtype, self.made, self.ended = torch.from_numpy(A), torch.float64, 0, 0

    def product(self, v, *, last):
        assert not self.ended, "the graph is gone after the last product"
        self.made, self.ended = self.made + 1, int(last)
        return v @ self.A.T

    def columns(self, vectors, *, last):
        return Complement.columns(self, vectors, last=last)


def taken(law, rows, d, seed=0):
    """Vectors of a law, remembered."""
    given, source = [], Probes(99, law, seed, np.arange(rows), d)

    def take():
        given.append(torch.from_numpy(source.next()).double())
        return given[-1]

    return take, given


@pytest.mark.parametrize("mode", ["reverse", "forward"])
@pytest.mark.parametrize(
    ("law", "probes", "rank"), [(LAWS[0], 9, 3), (LAWS[2], 8, 3), (LAWS[2], 8, 2), (LAWS[0], 9, 1)]
)
def test_a_complement_of_low_rank_is_traced_exactly(law, probes, rank, mode):
    A = low_rank(16, rank)
    found = flipd_estimate(with_complement(A), np.ones((5, 16)), T, probes=probes, probe=law, mode=mode)
    np.testing.assert_allclose(16 - found.trace, np.trace(A), atol=1e-9)
    np.testing.assert_allclose(found.stderr, 0.0, atol=1e-9)


@pytest.mark.parametrize(
    ("law", "size"), [*((law, 0.0) for law in LAWS), ("hutch++-diagonal", 1.0), ("xtrace-complement", 1.0)]
)
def test_degenerate_complements_are_traced(law, size):
    """Point masses have A = 0, whose sketch has no direction; A = 1 is spread evenly, and two laws know it."""
    A = size * np.eye(12)
    found = flipd_estimate(with_complement(A), np.ones((3, 12)), T, probes=6, probe=law)
    np.testing.assert_allclose(12 - found.trace, np.trace(A), atol=1e-9)


@pytest.mark.parametrize("law", LAWS)
def test_they_are_unbiased_with_an_honest_standard_error(law):
    random = np.random.default_rng(3)
    A = low_rank(20, 4) + 0.2 * random.standard_normal((20, 20)) + np.diag(random.uniform(size=20))
    found = flipd_estimate(with_complement(A), np.zeros((3000, 20)), T, probes=12, probe=law, batch_size=500)
    error = found.trace - (20 - np.trace(A))
    assert abs(error.mean()) < 4 * error.std() / np.sqrt(3000)
    honest = np.sqrt((found.stderr**2).mean()) / error.std()
    assert 0.85 < honest < 1.25


def test_a_diagonal_is_found_exactly_with_the_third_law():
    """Sigma J that is diagonal in pixels: D is the diagonal itself, whatever the signs."""
    A = np.diag(np.linspace(-1, 2, 15))
    found = flipd_estimate(with_complement(A), np.ones((4, 15)), T, probes=6, probe="hutch++-diagonal")
    np.testing.assert_allclose(15 - found.trace, np.trace(A), atol=1e-9)


def test_xtrace_is_the_mean_over_each_vector_left_out():
    """Its definition, with a basis of the other vectors made for each: k times as many products."""
    random = np.random.default_rng(4)
    A, k, rows, d = random.standard_normal((11, 11)), 4, 3, 11
    operator, (take, given) = Matrix(A), taken("xtrace-complement", rows, d)
    found = xtrace(operator, take, 2 * k).numpy()
    assert (operator.made, operator.ended) == (2 * k, 1)
    for row in range(rows):
        W = np.stack([v[row].numpy() for v in given], axis=1)
        for i in range(k):
            Q = np.linalg.qr(A @ np.delete(W, i, axis=1))[0]
            x = W[:, i] - Q @ (Q.T @ W[:, i])
            expected = np.trace(Q.T @ A @ Q) + (d - k + 1) * (x @ A @ x) / (x @ x)
            assert found[i, row] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("diagonal", [False, True])
def test_hutch_plus_plus_of_an_explicit_matrix(diagonal):
    random = np.random.default_rng(5)
    A, rows, d, probes = random.standard_normal((9, 9)), 2, 9, 8
    operator, (take, given) = Matrix(A), taken("hutch++-complement", rows, d)
    found = hutch_plus_plus(operator, take, probes, diagonal=diagonal).numpy()
    assert (operator.made, operator.ended) == (probes, 1)
    assert found.shape == (4, rows)
    for row in range(rows):
        v = [one[row].numpy() for one in given]
        own = [w * (A @ w) for w in v[:2]]
        D = np.diag(np.mean(own, axis=0)) if diagonal else np.zeros((d, d))
        rest = [np.diag(own[1 - j]) if diagonal else np.zeros((d, d)) for j in range(2)]
        Q = np.linalg.qr(np.stack([(A - rest[j]) @ v[j] for j in range(2)], axis=1))[0]
        P = np.eye(d) - Q @ Q.T
        for j in range(4):
            left = v[2 + j] @ P @ (A - D) @ P @ v[2 + j]
            assert found[j, row] == pytest.approx(np.trace(D) + np.trace(Q.T @ (A - D) @ Q) + left, abs=1e-9)


def test_the_complement_of_a_law_needs_no_more_products_than_its_dimension():
    """Of a Gaussian on 3 of 24 dimensions I - sigma J has rank 3; J itself has rank 24."""
    law = random_mixture([3], 24, VP, seed=0)
    x, _ = law.sample(40, 0)
    exact = flipd_estimate(law.model, x, T, probes=None).trace
    errors = {
        probe: np.abs(flipd_estimate(law.model, x, T, probes=10, probe=probe).trace - exact).max()
        for probe in ("hutch++", "hutch++-complement", "xtrace-complement")
    }
    assert errors["hutch++-complement"] < 1e-9
    assert errors["xtrace-complement"] < 1e-9
    assert errors["hutch++"] > 0.1


@pytest.mark.parametrize("law", LAWS)
def test_values_do_not_depend_on_cut_or_order(law):
    model = with_complement(low_rank(14, 9))
    x = np.random.default_rng(0).standard_normal((20, 14))
    whole = flipd_estimate(model, x, T, probes=8, probe=law, ids=np.arange(20), batch_size=8).value
    order = np.random.default_rng(1).permutation(20)
    again = flipd_estimate(model, x[order], T, probes=8, probe=law, ids=order, batch_size=8).value
    np.testing.assert_array_equal(again, whole[order])


def test_numbers_of_products_that_do_not_exist_are_refused():
    for law in LAWS:
        with pytest.raises(InputError, match=r"d=8 probes|4\.\.d=8"):
            check_probes(10, law, 8)
    with pytest.raises(InputError, match="even number"):
        check_probes(7, "xtrace-complement", 8)
    with pytest.raises(InputError, match=r"3\.\.d=8"):
        check_probes(2, "hutch++-diagonal", 8)
