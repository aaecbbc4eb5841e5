"""Layers of the StyleGAN2 generator (Karras et al. 2020a, b): mapping network, styled convolutions, toRGB.

Raw weights are stored and every gain is applied at run time ("equalised learning rate"), so parameters are
standard normal at the start and a published state dict loads as it is. Modulation scales the activations and
demodulation the outputs, which equals one kernel per sample and lets ``torch.func`` map over it. Leaky ReLU
commutes with positive factors, so its gain sqrt(2) is put into the factors before it.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from mmh.compute import rng
from mmh.errors import InputError

Ids = Sequence[int] | np.ndarray
EPSILON = 1e-8  # keeps reciprocal square roots finite
SLOPE, GAIN = 0.2, math.sqrt(2.0)  # of leaky ReLU; the gain restores the second moment that it takes


def unit(v: torch.Tensor) -> torch.Tensor:
    """Scale rows to a mean square of 1, v / sqrt(mean(v²) + 1e-8); any dtype, (n, k) -> (n, k)."""
    return v * (v.square().mean(dim=1, keepdim=True) + EPSILON).rsqrt()


def _filters(kernel: torch.Tensor, channels: int) -> torch.Tensor:
    """One copy of the low-pass kernel per channel; 4 makes up for the zeros between upsampled pixels."""
    return (4.0 * kernel)[None, None].expand(channels, 1, -1, -1)


class Dense(torch.nn.Module):
    """Affine map with run-time gains, x w lr / sqrt(inputs) + b lr; raw w starts 1 / lr times larger."""

    def __init__(self, inputs: int, outputs: int, *, lr: float = 1.0, bias: float = 0.0) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(outputs, inputs) / lr)
        self.bias = torch.nn.Parameter(torch.full((outputs,), bias))
        self.weight_gain, self.bias_gain = lr / math.sqrt(inputs), lr

    def forward(self, x: torch.Tensor, gain: float = 1.0) -> torch.Tensor:
        """Map (n, inputs) to (n, outputs), times `gain`."""
        return functional.linear(
            x, self.weight * (self.weight_gain * gain), self.bias * (self.bias_gain * gain)
        )


class Mapping(torch.nn.Module):
    """Mapping network f: latents z and one-hot classes -> w, with a running mean of w for truncation."""

    w_avg: torch.Tensor

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.c_dim, self.layers, self.beta = config["c_dim"], config["mapping_layers"], config["w_avg_beta"]
        width = config["z_dim"]
        if self.c_dim:
            self.embed = Dense(self.c_dim, config["embed_features"])
            width += config["embed_features"]
        for layer in range(self.layers):
            last = layer == self.layers - 1
            outputs = config["w_dim"] if last else config["layer_features"]
            self.add_module(f"fc{layer}", Dense(width, outputs, lr=config["mapping_lr"]))
            width = outputs
        self.register_buffer("w_avg", torch.zeros(config["w_dim"]))

    def forward(self, z: torch.Tensor, c: torch.Tensor | None = None) -> torch.Tensor:
        """Map latents (n, z_dim) and, if there are classes, one-hot rows (n, c_dim) to w (n, w_dim)."""
        if (c is None) != (self.c_dim == 0) or (c is not None and c.shape[-1] != self.c_dim):
            found = "none" if c is None else str(tuple(c.shape))
            raise InputError(f"the generator takes one-hot classes of length {self.c_dim}, got {found}")
        x = unit(z)
        if c is not None:
            x = torch.cat([x, unit(self.embed(c.to(z.dtype)))], dim=1)
        for layer in range(self.layers):
            x = functional.leaky_relu(self.get_submodule(f"fc{layer}")(x, GAIN), SLOPE)
        return x

    @torch.no_grad()
    def track(self, w: torch.Tensor) -> None:
        """Update the running mean in training: w_avg <- beta w_avg + (1 - beta) mean(w), w (n, w_dim)."""
        self.w_avg.lerp_(w.detach().mean(dim=0).to(self.w_avg.dtype), 1.0 - self.beta)


class StyledConv(torch.nn.Module):
    """Modulated and demodulated 3x3 convolution, with noise, bias, leaky ReLU and clamp."""

    resample_filter: torch.Tensor
    noise_const: torch.Tensor

    def __init__(self, inputs: int, outputs: int, side: int, config: dict[str, Any], *, up: bool) -> None:
        super().__init__()
        self.side, self.up, self.clamp = side, up, config["conv_clamp"]
        self.use_noise = config["use_noise"]
        self.affine = Dense(config["w_dim"], inputs, bias=1.0)
        self.weight = torch.nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.register_buffer("resample_filter", _kernel(config))
        if self.use_noise:
            self.register_buffer("noise_const", torch.randn(side, side))
            self.noise_strength = torch.nn.Parameter(torch.zeros([]))
        self.bias = torch.nn.Parameter(torch.zeros(outputs))

    def forward(self, x: torch.Tensor, w: torch.Tensor, noise: torch.Tensor | None) -> torch.Tensor:
        """Map x (n, inputs, ...), w (n, w_dim) and noise (..., side, side) to (n, outputs, side, side)."""
        style = self.affine(w)
        x = x * style[:, :, None, None]
        if self.up:
            x = functional.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)
            # A convolution proper, so the kernel is flipped; it is 4 wide and takes the odd row away.
            kernel = _filters(self.resample_filter.flip((0, 1)), x.shape[1])
            x = functional.conv2d(x, kernel, padding=1, groups=x.shape[1])
        else:
            x = functional.conv2d(x, self.weight, padding=1)
        # rsqrt(½ sum + ½ ε) is the demodulation with the gain in it.
        energy = 0.5 * self.weight.square().sum(dim=(2, 3))
        half = torch.full_like(self.bias, 0.5 * EPSILON)
        x = x * functional.linear(style.square(), energy, half).rsqrt()[:, :, None, None]
        shift = self.bias[:, None, None]
        if noise is not None:
            shift = shift + noise * self.noise_strength
        x = functional.leaky_relu(x + GAIN * shift, SLOPE)
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)

    def noise(self, mode: str, key: tuple[int, Ids, int], like: torch.Tensor) -> torch.Tensor | None:
        """Give the noise input; `key` (seed, ids, layer) is that of random noise."""
        if mode == "none" or not self.use_noise:
            return None
        if mode == "const":
            return self.noise_const
        seed, ids, layer = key
        return rng.normal(seed, "synthesis-noise", ids, (1, self.side, self.side), layer).to(like)


class ToRGB(torch.nn.Module):
    """Modulated 1x1 convolution to image channels: no demodulation, no activation."""

    def __init__(self, inputs: int, config: dict[str, Any]) -> None:
        super().__init__()
        self.clamp, self.gain = config["conv_clamp"], 1.0 / math.sqrt(inputs)
        self.affine = Dense(config["w_dim"], inputs, bias=1.0)
        self.weight = torch.nn.Parameter(torch.randn(config["channels"], inputs, 1, 1))
        self.bias = torch.nn.Parameter(torch.zeros(config["channels"]))

    def forward(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """(n, inputs, r, r), w (n, w_dim) -> (n, channels, r, r)."""
        x = x * self.affine(w, self.gain)[:, :, None, None]
        image = functional.conv2d(x, self.weight, self.bias)
        return image if self.clamp is None else image.clamp(-self.clamp, self.clamp)


class Block(torch.nn.Module):
    """One resolution: a constant or an upsampling convolution, a convolution, and the skip path's toRGB."""

    resample_filter: torch.Tensor

    def __init__(self, side: int, config: dict[str, Any]) -> None:
        super().__init__()
        width = _width(side, config)
        self.register_buffer("resample_filter", _kernel(config))
        self.conv0: StyledConv | None = None
        if side == 4:
            self.const = torch.nn.Parameter(torch.randn(width, 4, 4))
        else:
            self.conv0 = StyledConv(_width(side // 2, config), width, side, config, up=True)
        self.conv1 = StyledConv(width, width, side, config, up=False)
        self.torgb = ToRGB(width, config)

    def forward(
        self,
        x: torch.Tensor | None,
        image: torch.Tensor | None,
        ws: Sequence[torch.Tensor],
        noises: Sequence[torch.Tensor | None],
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Take the features and the image of half the side (None at 4); return those of this side."""
        if self.conv0 is None or x is None:
            x = self.const.expand(len(ws[0]), -1, -1, -1)
        else:
            x = self.conv0(x, ws[0], noises[0])
        x = self.conv1(x, ws[-2], noises[-1])
        rgb = self.torgb(x, ws[-1])
        if image is None:
            return x, rgb
        channels = image.shape[1]
        kernel = _filters(self.resample_filter, channels)
        return x, rgb + functional.conv_transpose2d(image, kernel, stride=2, padding=1, groups=channels)


def _width(side: int, config: dict[str, Any]) -> int:
    return min(config["channel_base"] // side, config["channel_max"])


def _kernel(config: dict[str, Any]) -> torch.Tensor:
    taps = torch.tensor(config["resample_filter"], dtype=torch.float32)
    return torch.outer(taps, taps) / taps.sum().square()
