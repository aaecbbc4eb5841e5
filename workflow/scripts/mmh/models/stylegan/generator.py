"""The StyleGAN2 generator (Karras et al. 2020a, b): mapping network and skip synthesis network."""

from collections.abc import Sequence
from typing import Any

import torch

from mmh.errors import InputError
from mmh.models.stylegan.layers import Block, Ids, Mapping

NOISE = ("const", "none", "random")


class Synthesis(torch.nn.Module):
    """Synthesis network g: one w per layer -> images."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.w_dim = config["w_dim"]
        self.sides = [2**k for k in range(2, config["resolution"].bit_length())]
        self.num_ws = 2 * len(self.sides)  # a toRGB shares its w with the next block's conv0
        for side in self.sides:
            self.add_module(f"b{side}", Block(side, config))

    def forward(
        self,
        ws: torch.Tensor,
        noise: str = "const",
        noise_seed: int | None = None,
        noise_ids: Ids | None = None,
    ) -> torch.Tensor:
        """Draw images.

        Parameters
        ----------
        ws : (n, num_ws, w_dim)
            Float32 or float64, like the weights.
        noise : {"const", "none", "random"}
            The stored noise, which makes a deterministic map; none; or standard normal noise of each image
            and layer.
        noise_seed : int, optional
            Root seed of random noise.
        noise_ids : (n,) int, optional
            Ids that key the random noise of each image; 0..n-1 by default.

        Returns
        -------
        (n, channels, resolution, resolution)
            About [-1, 1], not clipped.

        Raises
        ------
        InputError
            If `ws` has another shape, `noise` is unknown, or random noise has no seed.
        """
        if ws.ndim != 3 or ws.shape[1:] != (self.num_ws, self.w_dim):
            expected = f"(n, {self.num_ws}, {self.w_dim})"
            raise InputError(f"the synthesis network takes ws {expected}, got {tuple(ws.shape)}")
        if noise not in NOISE:
            raise InputError(f"noise must be one of {', '.join(NOISE)}; got {noise!r}")
        if noise == "random" and noise_seed is None:
            raise InputError("random noise needs a noise_seed")
        seed = 0 if noise_seed is None else int(noise_seed)
        ids = range(len(ws)) if noise_ids is None else noise_ids
        rows = ws.unbind(dim=1)
        x = image = None
        layer = 0  # of the convolutions, from 4 pixels upwards
        for side in self.sides:
            block = self.get_submodule(f"b{side}")
            assert isinstance(block, Block)
            convs = [conv for conv in (block.conv0, block.conv1) if conv is not None]
            noises = [conv.noise(noise, (seed, ids, layer + k), ws) for k, conv in enumerate(convs)]
            x, image = block(x, image, rows[layer : layer + len(convs) + 1], noises)
            layer += len(convs)
        assert image is not None
        return image


class Generator(torch.nn.Module):
    """StyleGAN2 generator G(z, c) = g(f(z, c)).

    Parameters
    ----------
    z_dim, w_dim : int
        Lengths of the latents z and w.
    c_dim : int
        Number of classes; 0: unconditional.
    resolution : int
        Side of the images, a power of two from 4 on.
    channels : int
        Channels of the images.
    channel_base, channel_max : int
        A block of side r has min(channel_base // r, channel_max) feature maps.
    mapping_layers : int
        Layers of the mapping network.
    mapping_lr : float
        Learning rate of these layers as a share of that of the others.
    conv_clamp : float, optional
        Outputs of convolutions are clamped to ± this.
    w_avg_beta : float
        Decay of the running mean of w.
    resample_filter : sequence of four float
        Low-pass filter of upsampling, one dimension of it, any sum.
    embed_features, layer_features : int, optional
        Length of the embedded class and of the mapping network's hidden rows; `w_dim` by default.
    use_noise : bool
        Whether the convolutions have noise inputs.

    Attributes
    ----------
    config : dict
        All options; ``Generator(**config)`` has the same shapes.

    Raises
    ------
    InputError
        If an option is out of range.
    """

    def __init__(
        self,
        z_dim: int = 512,
        w_dim: int = 512,
        c_dim: int = 0,
        resolution: int = 32,
        channels: int = 3,
        channel_base: int = 32768,
        channel_max: int = 512,
        mapping_layers: int = 2,
        mapping_lr: float = 0.01,
        conv_clamp: float | None = None,
        w_avg_beta: float = 0.995,
        resample_filter: Sequence[float] = (1, 3, 3, 1),
        embed_features: int | None = None,
        layer_features: int | None = None,
        use_noise: bool = True,
    ) -> None:
        super().__init__()
        widths = {
            "z_dim": z_dim,
            "w_dim": w_dim,
            "c_dim": c_dim,
            "resolution": resolution,
            "channels": channels,
        }
        self.config: dict[str, Any] = widths | {
            "channel_base": channel_base,
            "channel_max": channel_max,
            "mapping_layers": mapping_layers,
            "mapping_lr": mapping_lr,
            "conv_clamp": conv_clamp,
            "w_avg_beta": w_avg_beta,
            "resample_filter": list(resample_filter),
            "embed_features": w_dim if embed_features is None else embed_features,
            "layer_features": w_dim if layer_features is None else layer_features,
            "use_noise": use_noise,
        }
        _check(self.config)
        self.mapping = Mapping(self.config)
        self.synthesis = Synthesis(self.config)

    def forward(
        self,
        z: torch.Tensor,
        c: torch.Tensor | None = None,
        *,
        truncation: float = 1.0,
        cutoff: int | None = None,
        noise: str = "const",
        noise_seed: int | None = None,
        noise_ids: Ids | None = None,
    ) -> torch.Tensor:
        """Draw images (n, channels, resolution, resolution), about [-1, 1], not clipped.

        Parameters
        ----------
        z : (n, z_dim)
            Latents, float32 or float64 like the weights; only their direction matters.
        c : (n, c_dim), optional
            One-hot classes.
        truncation : float
            psi in w_avg + psi (w - w_avg); 1 leaves w as it is.
        cutoff : int, optional
            Layers to truncate, from the first; all by default.
        noise, noise_seed, noise_ids
            As for `Synthesis.forward`.
        """
        ws = self.broadcast(self.mapping(z, c), truncation, cutoff)
        return self.synthesis(ws, noise, noise_seed, noise_ids)

    def broadcast(self, w: torch.Tensor, truncation: float = 1.0, cutoff: int | None = None) -> torch.Tensor:
        """Give every layer its w, truncated as `forward` says: (n, w_dim) -> (n, num_ws, w_dim)."""
        count = self.synthesis.num_ws
        if truncation == 1.0:
            return w[:, None].expand(-1, count, -1)
        near = self.mapping.w_avg + truncation * (w - self.mapping.w_avg)
        cut = count if cutoff is None else cutoff
        return torch.stack([near if layer < cut else w for layer in range(count)], dim=1)


def _check(config: dict[str, Any]) -> None:
    side, taps = config["resolution"], config["resample_filter"]
    if side < 4 or side & (side - 1):
        raise InputError(f"resolution must be a power of two from 4 on, got {side}")
    if len(taps) != 4 or sum(taps) == 0:
        raise InputError(f"resample_filter must hold four numbers such as 1, 3, 3, 1; got {taps}")
    if min(config[key] for key in ("z_dim", "w_dim", "channels", "channel_max", "mapping_layers")) < 1:
        raise InputError("z_dim, w_dim, channels, channel_max and mapping_layers must be positive")
    if config["channel_base"] < side:
        raise InputError(f"channel_base must be at least the resolution {side}, got {config['channel_base']}")
