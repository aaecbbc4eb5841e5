"""Traces of a noise predictor's Jacobian J by its complement I - sigma J, which is what has a low rank.

Of an exact score sigma J is nearly the projection on the normal directions, so J's spectrum is flat where the
complement's is low-rank, of rank LID: sketches belong there. FLIPD = tr(I - sigma J) + ||eps||^2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from mmh.compute.trace import JacobianProducts

    Take = Callable[[], torch.Tensor]


class Complement:
    """Products with A = I - sigma J of each row, or with its transpose.

    Parameters
    ----------
    products : JacobianProducts
        With J or its transpose.
    sigma : float
        Noise level.
    """

    def __init__(self, products: JacobianProducts, sigma: float) -> None:
        self.products, self.sigma, self.dtype = products, sigma, products.z.dtype

    def product(self, v: torch.Tensor, *, last: bool) -> torch.Tensor:
        """A v for v (rows, d) float64, rounded to the network's dtype on both sides; float64."""
        v = v.to(self.dtype).double()
        return v - self.sigma * self.products.product(v, last=last)

    def columns(self, vectors: torch.Tensor, *, last: bool) -> torch.Tensor:
        """A applied to each column of (rows, d, k)."""
        count = vectors.shape[2]
        made = [self.product(vectors[:, :, j], last=last and j == count - 1) for j in range(count)]
        return torch.stack(made, dim=2)


def hutch_plus_plus(operator: Complement, take: Take, probes: int, *, diagonal: bool = False) -> torch.Tensor:
    """Hutch++ (Meyer et al., 2021) of A, after its diagonal is taken off if that is asked for.

    A third of the products sketches A, a third takes the trace on that exactly, the rest are Rademacher
    probes of what is left. With `diagonal`, D is the mean of v (A v) over the sketch's random signs v, entry
    by entry, and tr A = tr D + tr(A - D): D's own trace is exact whatever D is, so the estimate stays
    unbiased. A sketch vector is freed of the diagonal that the other vectors tell.

    Parameters
    ----------
    operator : Complement
    take : callable
        Gives the next random signs (rows, d).
    probes : int
        Products in all, at least 3.
    diagonal : bool

    Returns
    -------
    torch.Tensor
        float64 (probes - 2 (probes // 3), rows): estimates of tr A that share the exact part.
    """
    rank = probes // 3
    left = probes - 2 * rank
    signs = torch.stack([take() for _ in range(rank)], dim=2)
    sketch = operator.columns(signs, last=False)
    D = torch.zeros_like(signs[:, :, 0])
    if diagonal:
        each = signs * sketch
        D = each.mean(dim=2)
        others = (each.sum(dim=2, keepdim=True) - each) / max(rank - 1, 1)
        sketch = sketch - others * signs
    basis = torch.linalg.qr(sketch)[0]
    images = operator.columns(basis, last=False) - D[:, :, None] * basis
    found = D.sum(1) + (basis * images).sum((1, 2))
    draws = []
    for j in range(left):
        v = take()
        v = v - (basis @ (basis.transpose(1, 2) @ v[:, :, None]))[:, :, 0]
        image = operator.product(v, last=j == left - 1) - D * v
        draws.append(found + (v * image).sum(1))
    return torch.stack(draws)


def xtrace(operator: Complement, take: Take, probes: int) -> torch.Tensor:
    """XTrace (Epperly, Tropp and Webber, 2023; arXiv 2301.07825) of A, normalised.

    With k = probes / 2 Gaussian vectors w_i, and Q_i an orthonormal basis of A applied to all but w_i,

        tr_i = tr(Q_i^T A Q_i) + (d - k + 1) x_i^T A x_i / ||x_i||^2,   x_i = (I - Q_i Q_i^T) w_i:

    each vector is a probe of what the sketch by the others leaves, so none serves one end alone. Q_i Q_i^T =
    Q (I - s_i s_i^T) Q^T with Q of all vectors and s_i normal to R's other columns, so that k products with Q
    are enough. A rank below k - 1 is found exactly, degenerate sketches included.

    Parameters
    ----------
    operator : Complement
    take : callable
        Gives the next Gaussian vectors (rows, d).
    probes : int
        Products in all: even, 4 to d.

    Returns
    -------
    torch.Tensor
        float64 (k, rows): exchangeable, unbiased estimates of tr A.
    """
    k = probes // 2
    vectors = torch.stack([take() for _ in range(k)], dim=2)
    vectors = vectors.to(operator.dtype).double()
    sketch = operator.columns(vectors, last=False)
    Q, R = torch.linalg.qr(sketch)
    images = operator.columns(Q, last=True)
    inner = Q.transpose(1, 2) @ images
    whole = inner.diagonal(dim1=1, dim2=2).sum(1)
    coordinates = Q.transpose(1, 2) @ vectors
    draws = []
    for i in range(k):
        others = [j for j in range(k) if j != i]
        s = torch.linalg.qr(R[:, :, others], mode="complete")[0][:, :, -1:]
        on_sketch = whole - (s.transpose(1, 2) @ inner @ s)[:, 0, 0]
        w = coordinates[:, :, i : i + 1]
        w = w - s @ (s.transpose(1, 2) @ w)
        x = (vectors[:, :, i : i + 1] - Q @ w)[:, :, 0]
        image = (sketch[:, :, i : i + 1] - images @ w)[:, :, 0]
        scale = (Q.shape[1] - k + 1) / x.square().sum(1)
        draws.append(on_sketch + scale * (x * image).sum(1))
    return torch.stack(draws)
