"""Products with the Hessian as a SciPy operator: ARPACK finds the extremes that the recurrences find."""

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from test_hessian import VP, _jacobians, _network, _points

from mmh.hessian import hessian_geometry
from mmh.hessian.operators import difference_product, dual_product, transpose_product
from mmh.hessian.recurrence import arnoldi, symmetric_ritz

T = 0.1


def symmetric_operator(model, x, forward):
    """Sigma (J + J^T) / 2 at one row, (d, d), by the products of this project alone."""
    z = (VP.psi(T) * torch.as_tensor(x)).to(model.dtype).requires_grad_(True)
    back, ahead = transpose_product(model.eps(z, T), z), forward(model, z)

    def product(v):
        row = torch.as_tensor(v.reshape(1, -1), dtype=torch.float64)
        return VP.sigma(T) * (back(row) + ahead(row)).numpy().ravel() / 2

    return LinearOperator((model.dim, model.dim), matvec=product, dtype=np.float64)


FORWARD = {
    "lanczos-jvp": lambda model, z: dual_product(lambda y: model.eps(y, T), z, model.module),
    "lanczos-difference": lambda model, z: difference_product(lambda y: model.eps(y, T), z),
}


@pytest.mark.parametrize("method", FORWARD)
@pytest.mark.parametrize("dim", [64, 192])
def test_arpack_and_lanczos_find_the_same_extremes(dim, method):
    """Both by the same products; ARPACK restarts and chooses its own start; eigh of the autograd Jacobian is the truth."""
    model, x = _network(dim, width=96, rough=0.2), _points(2, dim)
    sym = VP.sigma(T) * _jacobians(model, x, T).numpy()
    truth = np.linalg.eigvalsh((sym + sym.transpose(0, 2, 1)) / 2)[:, [0, -1]]
    found = hessian_geometry(model, x, T, steps=40, probes=1, method=method)
    own = np.stack([found.nodes.min((1, 2)), found.nodes.max((1, 2))], axis=1)
    for row in range(len(x)):
        operator = symmetric_operator(model, x[row : row + 1], FORWARD[method])
        ends = [
            eigsh(operator, k=1, which=which, return_eigenvectors=False, tol=1e-7, ncv=40)
            for which in ("SA", "LA")
        ]
        bar = 1e-6 if method == "lanczos-jvp" else 2e-4  # what a difference leaves
        np.testing.assert_allclose(np.concatenate(ends), truth[row], atol=bar)
        np.testing.assert_allclose(own[row], np.concatenate(ends), atol=5e-3)


@pytest.mark.parametrize("dim", [64, 192])
def test_the_operator_is_symmetric_and_its_network_is_not(dim):
    model, x = _network(dim, width=96, rough=0.2), _points(1, dim)
    operator = symmetric_operator(model, x, FORWARD["lanczos-jvp"])
    u, v = _points(2, dim, seed=4)
    assert u @ operator.matvec(v) == pytest.approx(v @ operator.matvec(u), rel=1e-9)
    jacobian = _jacobians(model, x, T)[0]
    assert float((jacobian - jacobian.T).norm() / (jacobian + jacobian.T).norm()) > 0.02


def test_lanczos_keeps_its_basis_orthogonal_where_values_converge():
    """A value far from the others converges early; without all old vectors it would be found again and again."""
    values = torch.cat([torch.linspace(0, 1, 199), torch.tensor([100.0])]).double()
    torch.manual_seed(0)
    found = arnoldi(lambda v: v * values, torch.randn(2, 200, dtype=torch.float64), 80, rounding=1e-16)
    nodes = symmetric_ritz(found).nodes
    assert ((nodes > 50).sum(axis=1) == 1).all()
    assert nodes.min() > -1e-9
