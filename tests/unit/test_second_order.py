"""The second-order loss: its gradient, where its minimum lies, and why l is taken without its gradient."""

import numpy as np
import pytest
import torch

from mmh.models.edm import losses, training
from mmh.models.edm.network import EdmNetwork


def test_the_gradient_is_that_of_finite_differences():
    torch.manual_seed(0)
    network = EdmNetwork(width=8, depth=2, features=3).double()
    n = 6
    clean, noise = torch.randn(n, 2).double(), torch.randn(n, 2).double()
    sigma = torch.rand(n, 1).double() + 0.2
    z = (clean + sigma * noise).requires_grad_()
    frozen = network.eps(z, sigma).detach()

    def loss() -> torch.Tensor:
        eps = network.eps(z, sigma)
        # The value of l stays that of the first weights, its graph none: what is differentiated.
        held = eps - (eps - frozen).detach()
        return losses.second_order_loss(held, z, sigma, noise)

    loss().backward()
    random = np.random.default_rng(0)
    for weight in network.parameters():
        if weight.grad is None:  # the last bias moves no Jacobian
            continue
        flat, slope = weight.data.view(-1), weight.grad.reshape(-1)
        for place in random.choice(len(flat), size=min(3, len(flat)), replace=False):
            values = []
            for step in (1e-5, -1e-5):
                flat[place] += step
                values.append(float(loss().detach()))
                flat[place] -= step
            assert (values[0] - values[1]) / 2e-5 == pytest.approx(float(slope[place]), rel=1e-5, abs=1e-7)


def _gaussian(n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Noised points of N(0, S), their noise, and the exact A of eps = A z."""
    generator = torch.Generator().manual_seed(1)
    root = torch.tensor([[0.7, 0.0], [0.4, 0.3]]).double()
    sigma = 0.5
    noise = torch.randn(n, 2, generator=generator).double()
    z = torch.randn(n, 2, generator=generator).double() @ root.T + sigma * noise
    exact = sigma * torch.linalg.inv(root @ root.T + sigma**2 * torch.eye(2).double())
    return z.requires_grad_(), noise, torch.full((n, 1), sigma).double(), exact


def test_the_minimiser_is_the_exact_hessian_of_a_gaussian():
    z, noise, sigma, exact = _gaussian(200_000)
    a = torch.zeros(2, 2).double().requires_grad_()
    # eps has the value of the true score, and a Jacobian that is free.
    eps = (z @ exact.T).detach() + (z - z.detach()) @ a.T
    losses.second_order_loss(eps, z, sigma, noise).backward()
    # Quadratic in a, with second derivative 2 sigma^2 / d: one Newton step from 0 is the minimum.
    found = -a.grad / (2 * 0.25 / 2)
    torch.testing.assert_close(found, exact, atol=0.01, rtol=0)
    assert float(exact.det()) > 0.1


def test_l_with_its_gradient_would_move_a_skewed_law_off_its_score():
    """For x in {0, 1} with probabilities .9 and .1 the third moment of the noise given z is not 0."""
    generator = torch.Generator().manual_seed(2)
    sigma = 0.6
    x = (torch.rand(400_000, 1, generator=generator) < 0.1).double()
    noise = torch.randn(x.shape, generator=generator).double()
    z = x + sigma * noise
    posterior = torch.sigmoid((z - 0.5) / sigma**2 + np.log(1 / 9))
    eps, variance = (z - posterior) / sigma, posterior * (1 - posterior) / sigma**2
    shift = torch.zeros((), dtype=torch.float64, requires_grad=True)
    difference = noise - (eps - shift)
    per_row = 2 * (variance - difference**2) * -2 * difference  # derivative by the shift, at the true score
    mean, error = float(per_row.mean()), float(per_row.std()) / len(x) ** 0.5
    assert abs(mean) > 5 * error
    z = z[:1000].requires_grad_()
    eps = (z - torch.sigmoid((z - 0.5) / sigma**2 + np.log(1 / 9))) / sigma - shift
    loss = losses.second_order_loss(eps, z, torch.full_like(z, sigma), noise[:1000])
    assert torch.autograd.grad(loss, shift, allow_unused=True)[0] in (None, 0)


def test_training_with_it_differs_and_without_it_is_what_it_was():
    points = np.array([[1.0, 0.0], [0.0, 1.0]], dtype=np.float32)
    small = {"width": 8, "depth": 1, "features": 2, "steps": 3}
    plain, with_it = (
        training.train(points, seed=0, second_order=weight, **small)[1].loss.iloc[-1] for weight in (0.0, 0.5)
    )
    assert np.isfinite(with_it)
    assert with_it > plain
