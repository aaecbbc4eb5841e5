"""Second-order denoising score matching (Lu et al. 2022): a loss for the Jacobian of a learned score."""

import torch


def jacobian_with_graph(eps: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """Jacobian d eps / d z of each row, differentiable once more.

    Parameters
    ----------
    eps : (n, d)
        Computed from `z`, row by row.
    z : (n, d)
        With a gradient.

    Returns
    -------
    (n, d, d)
        [i, j, k] is d eps_j / d z_k of row i.
    """
    rows = [torch.autograd.grad(eps[:, j].sum(), z, create_graph=True)[0] for j in range(eps.shape[1])]
    return torch.stack(rows, dim=1)


def second_order_loss(
    eps: torch.Tensor, z: torch.Tensor, sigma: torch.Tensor, noise: torch.Tensor
) -> torch.Tensor:
    """E ‖σ² H + I - l lᵀ‖_F² / d, with l = σ s + ε and H = ∂s/∂z.

    Given z, E[l lᵀ] for the true score is Cov(ε | z) = I + σ² H, which is where the minimiser in H lies. l is
    taken without its gradient, as Lu et al. do (Theorem 2). With it, s would be drawn to where l lᵀ scatters
    least, which by the third moment of ε given z is not the true score.

    Parameters
    ----------
    eps : (n, d)
        The predicted noise, -σ s, with its graph back to `z` and to the weights.
    z : (n, d)
        Noised points, with a gradient.
    sigma : (n, 1)
        Their noise levels.
    noise : (n, d)
        The noise ε that is in them.

    Returns
    -------
    scalar
        Over d, as the first-order loss is a mean over coordinates: the paper's weight of one against the
        other keeps its meaning.
    """
    difference = (noise - eps).detach()
    outer = difference[:, :, None] * difference[:, None, :]
    curvature = torch.eye(z.shape[1], dtype=z.dtype, device=z.device) - sigma[
        :, :, None
    ] * jacobian_with_graph(eps, z)
    return (curvature - outer).square().sum(dim=(1, 2)).mean() / z.shape[1]
