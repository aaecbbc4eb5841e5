"""Laws under a condition: means, dimensions and weights in closed form; Proposition 3.2 on them."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from mmh.claims.table import check_claims
from mmh.diffusion.schedule import Schedule
from mmh.errors import InputError
from mmh.oracles import conditioning
from mmh.oracles.exact import GaussianPart, Mixture, gaussian, random_mixture

SCHEDULE = Schedule.linear_vp(beta_min=0.1, beta_max=20.0)


def covariance(part):
    return (part.basis * part.variances) @ part.basis.T


def test_a_full_gaussian_is_conditioned_by_the_textbook():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, 5))
    S, mu, A, c = root @ root.T, rng.normal(size=5), rng.normal(size=(2, 5)), rng.normal(size=2)
    law = conditioning.given_measurements(gaussian(mu, S, SCHEDULE), A, c)
    (part,) = law.parts
    gain = S @ A.T @ np.linalg.inv(A @ S @ A.T)
    np.testing.assert_allclose(part.mean, mu + gain @ (c - A @ mu), atol=1e-10)
    np.testing.assert_allclose(covariance(part), S - gain @ A @ S, atol=1e-10)
    assert part.rank == 3


def test_weights_are_posterior_probabilities():
    rng = np.random.default_rng(1)
    parts, marginals = [], []
    A, c = rng.normal(size=(2, 4)), np.array([0.3, -0.5])
    for _ in range(3):
        root, mu = rng.normal(size=(4, 4)), rng.normal(size=4)
        parts.append(GaussianPart.from_covariance(mu, root @ root.T))
        marginals.append(multivariate_normal(A @ mu, A @ root @ root.T @ A.T).pdf(c))
    prior = np.array([0.2, 0.5, 0.3])
    law = conditioning.given_measurements(Mixture(parts, SCHEDULE, weights=prior), A, c)
    expected = prior * marginals
    np.testing.assert_allclose(law.weights, expected / expected.sum(), rtol=1e-9)


def test_impossible_parts_drop_out_and_points_win():
    point = GaussianPart(
        torch.zeros(3, dtype=torch.float64), torch.zeros(3, 0).double(), torch.zeros(0).double()
    )
    line = GaussianPart.from_covariance([0, 0, 0], np.diag([1.0, 0, 0]))
    flat = GaussianPart.from_covariance([0, 0, 2], np.diag([1.0, 1, 0]))
    mixture = Mixture([point, line, flat], SCHEDULE)
    A = np.array([[1.0, 1.0, 0.0]])
    # 0.7 cannot come from the point: a point of the line, or a line of the plane.
    away = conditioning.given_measurements(mixture, A, [0.7])
    assert sorted(part.rank for part in away.parts) == [0, 1]
    np.testing.assert_allclose(away.parts[0].mean, [0.7, 0, 0])
    # 0 has probability under the point alone.
    assert [part.rank for part in conditioning.given_measurements(mixture, A, [0.0]).parts] == [0]
    with pytest.raises(InputError, match="no part"):
        conditioning.given_measurements(mixture, np.eye(3), [0.0, 1.0, 1.0])


def test_every_measurement_takes_one_dimension_away():
    mixture = random_mixture([0, 2, 5], 9, SCHEDULE, seed=3, separation=4.0)
    x, component = mixture.sample(12, 0)
    for m in (1, 3, 6):
        A = np.random.default_rng(m).normal(size=(m, 9))
        for point, j in zip(x, component, strict=True):
            law = conditioning.given_measurements(mixture, A, A @ point)
            assert law.lid(point[None])[0] == max(0, mixture.parts[j].rank - m)
            for part in law.parts:
                np.testing.assert_allclose(A @ part.mean.numpy(), A @ point, atol=1e-9)
                assert np.abs(A @ part.basis.numpy()).max(initial=0) < 1e-9


def measured(kind="gaussians"):
    options = {"kind": kind, "dimensions": [0, 1, 3], "ambient": 6, "separation": 6.0, "items": 80}
    options |= {"dimension": 2, "radius": 1.0}
    return conditioning.measure(options, "law", 1, SCHEDULE, [0.001, 0.03], seed=0)


def test_points_are_measured_without_and_with_what_is_known():
    table = measured()
    assert list(table.columns) == conditioning.COLUMNS
    assert len(table) == 80 * 2 * 2
    low = table[table["t"] == 0.001]
    np.testing.assert_allclose(low["flipd"], low["lid"], atol=0.05)
    np.testing.assert_allclose(low["flipd_given"], low["lid_given"], atol=0.05)
    by = low.groupby("condition")
    assert (by.get_group("part")["lid_given"] == by.get_group("part")["lid"]).all()
    rows = by.get_group("measurements")
    assert (rows["lid_given"] == np.maximum(rows["lid"] - 1, 0)).all()
    with pytest.raises(InputError, match="no mixture"):
        measured("sphere")


def verdicts(table):
    return check_claims(["3.2"], {"conditioned": table}, resamples=200)["verdict"].tolist()


def test_proposition_3_2_holds_and_can_fail():
    table = measured()
    assert verdicts(table) == ["holds"] * 3
    moving = table[table["lid"] > 0]  # a point has no dimension to lose
    turned = moving.rename(columns={"flipd": "flipd_given", "flipd_given": "flipd"})
    assert verdicts(turned) == ["holds", "fails", "fails"]
    assert verdicts(moving.assign(flipd_given=moving["flipd"])) == ["holds", "holds", "fails"]
