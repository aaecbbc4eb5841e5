"""The opponent of a small StyleGAN2, and what both are trained to minimise.

Non-saturating logistic loss (Goodfellow et al. 2014), lazy R1 penalty (Mescheder et al. 2018; Karras et al.
2020, Section 3.1), minibatch standard deviation (Karras et al. 2018, Section 3), projection of the class
(Miyato and Koyama 2018, Eq. 3).
"""

import math
from collections.abc import Callable

import torch
from torch.nn import functional

from mmh.errors import InputError

SLOPE, GAIN = 0.2, math.sqrt(2.0)  # of leaky ReLU; the gain restores the second moment that it takes


class Layer(torch.nn.Module):
    """Dense layer or convolution; raw weights are standard normal, 1 / sqrt(inputs) is applied at run time.

    Parameters
    ----------
    inputs, outputs : int
        Features.
    kernel : int
        Side of a convolution's kernel, odd; 0: a dense layer.
    bias : bool
        Whether to add one.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 0, *, bias: bool = True) -> None:
        super().__init__()
        shape = (outputs, inputs, kernel, kernel) if kernel else (outputs, inputs)
        self.weight = torch.nn.Parameter(torch.randn(shape))
        self.bias = torch.nn.Parameter(torch.zeros(outputs)) if bias else None
        self.gain, self.padding = 1.0 / math.sqrt(math.prod(shape[1:])), kernel // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, inputs) or (n, inputs, r, r) -> the same with `outputs`."""
        weight = self.weight * self.gain
        if weight.ndim == 2:
            return functional.linear(x, weight, self.bias)
        return functional.conv2d(x, weight, self.bias, padding=self.padding)


class Block(torch.nn.Module):
    """Residual block that halves the side by means over 2x2 pixels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv0, self.conv1 = Layer(width, width, 3), Layer(width, width, 3)
        self.skip = Layer(width, width, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, width, r, r) -> (n, width, r / 2, r / 2)."""
        residual = _activate(self.conv1(functional.avg_pool2d(_activate(self.conv0(x)), 2)))
        return (residual + self.skip(functional.avg_pool2d(x, 2))) / GAIN


class Discriminator(torch.nn.Module):
    """Residual discriminator D(x, c) of one width throughout, with minibatch standard deviation at 4x4.

    Parameters
    ----------
    resolution : int
        Side of the images, a power of two from 4 on.
    channels : int
        Channels of the images.
    c_dim : int
        Number of classes; 0: unconditional.
    width : int
        Feature maps.
    group : int
        Images that share one value of `minibatch_deviation`.
    """

    def __init__(
        self, resolution: int, channels: int = 1, c_dim: int = 0, *, width: int = 32, group: int = 4
    ) -> None:
        super().__init__()
        if resolution < 4 or resolution & (resolution - 1):
            raise InputError(f"the side of the images must be a power of two from 4 on, got {resolution}")
        self.group = group
        self.entry = Layer(channels, width, 1)
        self.blocks = torch.nn.Sequential(*(Block(width) for _ in range(resolution.bit_length() - 3)))
        self.conv = Layer(width + 1, width, 3)
        self.dense, self.score = Layer(16 * width, width), Layer(width, 1)
        self.embedding = torch.nn.Parameter(torch.randn(c_dim, width)) if c_dim else None

    def forward(self, x: torch.Tensor, c: torch.Tensor | None = None) -> torch.Tensor:
        """Score images.

        Parameters
        ----------
        x : (n, C, H, H) float
            Images; every run of `group` rows is one group.
        c : (n, c_dim) float, optional
            One-hot classes, if there are classes.

        Returns
        -------
        (n,) float
            Logits s(h) + <e(c), h> / sqrt(width), h the last features; larger: more like a training image.
        """
        h = self.blocks(_activate(self.entry(x)))
        h = torch.cat([h, minibatch_deviation(h, self.group)], dim=1)
        h = _activate(self.dense(_activate(self.conv(h)).flatten(1)))
        logit = self.score(h)[:, 0]
        if self.embedding is None or c is None:
            return logit
        return logit + (c @ self.embedding * h).sum(dim=1) / math.sqrt(h.shape[1])


def minibatch_deviation(h: torch.Tensor, group: int, *, eps: float = 1e-8) -> torch.Tensor:
    """Mean standard deviation of the features within each group of images, as one more feature map.

    Parameters
    ----------
    h : (n, C, H, W) float
        Features; rows k · group .. (k + 1) · group - 1 are one group.
    group : int
        Divides n.
    eps : float
        Added to the variances: without it the root's derivative is infinite where a group has collapsed.

    Returns
    -------
    (n, 1, H, W) float
        The mean of sqrt(variance + eps) over C, H and W, the same at every place of a group.

    Raises
    ------
    InputError
        If `group` does not divide n.
    """
    if len(h) % group:
        raise InputError(f"batch_size must be a multiple of group, {len(h)} is none of {group}")
    groups = h.reshape(-1, group, *h.shape[1:])
    variance = (groups - groups.mean(dim=1, keepdim=True)).square().mean(dim=1)
    value = (variance + eps).sqrt().mean(dim=(1, 2, 3))
    return value.repeat_interleave(group)[:, None, None, None].expand(-1, 1, *h.shape[2:])


def discriminator_loss(real: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
    """Logistic loss of logits (n,): mean softplus(-D(x)) + mean softplus(D(G(z)))."""
    return functional.softplus(-real).mean() + functional.softplus(made).mean()


def generator_loss(made: torch.Tensor) -> torch.Tensor:
    """Non-saturating loss of logits (n,): mean softplus(-D(G(z)))."""
    return functional.softplus(-made).mean()


def gradient_penalty(
    discriminator: Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor],
    x: torch.Tensor,
    c: torch.Tensor | None = None,
) -> torch.Tensor:
    """Mean of ||grad_x D(x, c)||² at training images: R1 (Mescheder et al. 2018, Eq. 9) without its γ / 2.

    Parameters
    ----------
    discriminator : callable
        ``discriminator(x, c)``: logits (n,).
    x : (n, ...) float
        Training images.
    c : (n, c_dim) float, optional
        Their one-hot classes.

    Returns
    -------
    () float
        Differentiable with respect to the discriminator's weights.
    """
    x = x.detach().requires_grad_(True)
    (slope,) = torch.autograd.grad(discriminator(x, c).sum(), x, create_graph=True)
    return slope.square().sum() / len(x)


def _activate(x: torch.Tensor) -> torch.Tensor:
    return functional.leaky_relu(x, SLOPE) * GAIN
