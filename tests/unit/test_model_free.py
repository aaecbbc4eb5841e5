"""Model-free estimators on planes and spheres of known dimension."""

import sys

import numpy as np
import pytest

from mmh.errors import InputError
from mmh.lid import knn
from mmh.lid.model_free import METHODS, model_free

pytest.importorskip("skdim")


def _plane(dim, n, ambient=12):
    random = np.random.default_rng(0)
    basis = np.linalg.qr(random.standard_normal((ambient, dim)))[0]
    return random.uniform(size=(n, dim)) @ basis.T + 1.0


def _sphere(dim, n, ambient=12):
    points = np.random.default_rng(1).standard_normal((n, dim + 1))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return np.pad(points, ((0, 0), (0, ambient - dim - 1)))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("law", [_plane, _sphere])
def test_planes_and_spheres(method, law):
    n, k = {"ess": (200, 14), "mada": (250, 30), "mind_ml": (250, 30)}.get(method, (800, 60))
    medians = [np.median(model_free(law(dim, n), method, k=k)) for dim in (1, 2, 4)]
    np.testing.assert_allclose(medians, [1, 2, 4], rtol=0.3)


def test_mle_is_the_formula_of_levina_and_bickel():
    x = _plane(3, 100)
    distances, indices = knn(x, x, 20, exclude_self=True)
    values = model_free(x, "mle", k=20, neighbours=(distances, indices))
    # The package averages over all k - 1 ratios but the last, which is 1.
    expected = 1 / np.log(distances[:, -1:] / distances[:, :-1]).mean(1)
    np.testing.assert_allclose(values, expected, rtol=1e-9)


def test_neighbours_at_hand_are_used():
    x = _plane(2, 60)
    near = knn(x, x, 10, exclude_self=True)
    for method in ("mle", "twonn", "lpca"):
        np.testing.assert_array_equal(
            model_free(x, method, k=10, neighbours=near), model_free(x, method, k=10)
        )
    other = near[0] ** 2, near[1]
    np.testing.assert_allclose(
        model_free(x, "mle", k=10, neighbours=other), model_free(x, "mle", k=10) / 2, rtol=1e-9
    )


def test_options_reach_the_estimator():
    x = _plane(3, 100) + 0.05 * np.random.default_rng(2).standard_normal((100, 12))
    strict, loose = (model_free(x, "lpca", k=30, alphaFO=a) for a in (1e-6, 0.5))
    assert strict.mean() > loose.mean() + 1


@pytest.mark.filterwarnings("ignore:Dropping")
@pytest.mark.parametrize("method", ["mle", "mom", "twonn", "lpca"])
def test_coinciding_points_read_zero(method):
    x = np.concatenate([_plane(2, 60), np.repeat(_plane(2, 1), 20, axis=0)])
    values = model_free(x, method, k=15)
    np.testing.assert_array_equal(values[60:], 0)
    assert np.nanmedian(values[:60]) > 1


def test_bad_input(monkeypatch):
    x = _plane(2, 20)
    with pytest.raises(InputError, match="method must be one of mle"):
        model_free(x, "pca")
    with pytest.raises(InputError, match="below the 20"):
        model_free(x, k=20)
    with pytest.raises(InputError, match="neighbours"):
        model_free(x, k=5, neighbours=knn(x, x, 4))
    monkeypatch.setitem(sys.modules, "skdim.id", None)
    with pytest.raises(InputError, match="pip install scikit-dimension"):
        model_free(x, k=5)
