"""StyleGAN2's forward pass as the papers state it: one image at a time, one modulated kernel per image and layer.

Works on a state dict with the published names and shares no code with `mmh.models.stylegan`.
"""

import math

import torch
from torch.nn import functional


def _dense(state, name, x, lr=1.0):
    matrix = state[f"{name}.weight"] * lr / math.sqrt(state[f"{name}.weight"].shape[1])
    return matrix @ x + state[f"{name}.bias"] * lr


def _lrelu(x):
    return torch.where(x >= 0, x, 0.2 * x) * math.sqrt(2)


def _normalized(v):
    return v / torch.sqrt((v**2).mean() + 1e-8)


def _correlate(x, kernel):
    """Apply one 4x4 kernel to each channel of (C, h, w) without padding, tap by tap."""
    height, width = x.shape[1] - 3, x.shape[2] - 3
    out = torch.zeros(x.shape[0], height, width, dtype=x.dtype)
    for row in range(4):
        for column in range(4):
            out += kernel[row, column] * x[:, row : row + height, column : column + width]
    return out


def _stuffed(x, height):
    """Put the pixels of (C, h, h) at the even places of (C, height, height) zeros."""
    out = torch.zeros(x.shape[0], height, height, dtype=x.dtype)
    out[:, ::2, ::2] = x
    return out


def _noisy_layer(state, name, x, w, noise, clamp, up):
    style = _dense(state, f"{name}.affine", w)
    kernel = state[f"{name}.weight"] * style[None, :, None, None]
    kernel = kernel / torch.sqrt((kernel**2).sum(dim=(1, 2, 3), keepdim=True) + 1e-8)
    if up:
        # A transposed convolution correlates the spread input with the kernel turned by half a turn.
        spread = functional.pad(_stuffed(x, 2 * x.shape[1] - 1), (2, 2, 2, 2))
        x = functional.conv2d(spread[None], torch.rot90(kernel, 2, (2, 3)))[0]
        filter_ = torch.rot90(state[f"{name}.resample_filter"], 2) * 4
        x = _correlate(functional.pad(x, (1, 1, 1, 1)), filter_)
    else:
        x = functional.conv2d(functional.pad(x, (1, 1, 1, 1))[None], kernel)[0]
    if noise == "const":
        x = x + state[f"{name}.noise_const"] * state[f"{name}.noise_strength"]
    x = _lrelu(x + state[f"{name}.bias"][:, None, None])
    return x if clamp is None else x.clamp(-clamp, clamp)


def _rgb(state, name, x, w, clamp):
    style = _dense(state, f"{name}.affine", w) / math.sqrt(x.shape[0])
    kernel = state[f"{name}.weight"][:, :, 0, 0] * style
    image = torch.einsum("oc,chw->ohw", kernel, x) + state[f"{name}.bias"][:, None, None]
    return image if clamp is None else image.clamp(-clamp, clamp)


def mapped(state, z, label, *, lr=0.01):
    """Give w of one latent vector z (k,) and class (or None)."""
    x = _normalized(z)
    if label is not None:
        hot = torch.zeros(state["mapping.embed.weight"].shape[1], dtype=z.dtype)
        hot[label] = 1
        x = torch.cat([x, _normalized(_dense(state, "mapping.embed", hot))])
    layer = 0
    while f"mapping.fc{layer}.weight" in state:
        x = _lrelu(_dense(state, f"mapping.fc{layer}", x, lr))
        layer += 1
    return x


def image_of(state, ws, *, noise="const", clamp=None):
    """Image (C, r, r) of one list of w, one per layer."""
    x = image = None
    side, index = 4, 0
    while f"synthesis.b{side}.torgb.bias" in state:
        block = f"synthesis.b{side}"
        if side == 4:
            x = state[f"{block}.const"]
        else:
            x = _noisy_layer(state, f"{block}.conv0", x, ws[index], noise, clamp, up=True)
            index += 1
        x = _noisy_layer(state, f"{block}.conv1", x, ws[index], noise, clamp, up=False)
        rgb = _rgb(state, f"{block}.torgb", x, ws[index + 1], clamp)
        index += 1
        if image is not None:
            filter_ = torch.rot90(state[f"{block}.resample_filter"], 2) * 4
            spread = functional.pad(_stuffed(image, 2 * image.shape[1]), (2, 1, 2, 1))
            rgb = rgb + _correlate(spread, filter_)
        image = rgb
        side *= 2
    assert index + 1 == len(ws)
    return image


def images(state, z, labels=None, *, lr=0.01, psi=1.0, cutoff=None, noise="const", clamp=None):
    """Images (n, C, r, r) of z (n, k), with integer labels (n,) or None."""
    sides = [name for name in state if name.endswith(".torgb.bias")]
    count = 2 * len(sides)
    out = []
    for row in range(len(z)):
        w = mapped(state, z[row], None if labels is None else int(labels[row]), lr=lr)
        ws = []
        for layer in range(count):
            truncated = cutoff is None or layer < cutoff
            mean = state["mapping.w_avg"]
            ws.append(mean * (1 - psi) + psi * w if truncated else w)
        out.append(image_of(state, ws, noise=noise, clamp=clamp))
    return torch.stack(out)
