"""The improved-diffusion network written out from its description, on the state dict of its authors' layout.

Plain tensor functions, independent of diffusers and of the converter: an oracle for both, in either precision.
"""

import math

import numpy as np
import torch
from torch.nn import functional

HEADS, GROUPS, EPS = 4, 32, 1e-5
FULL = {"widths": (128, 256, 256, 256), "blocks": 3, "attention": (1, 2)}
SMALL = {"widths": (32, 64, 64), "blocks": 2, "attention": (1,)}


def layout(widths, blocks, attention):
    """Names and shapes of all tensors."""
    shapes = {}

    def add(name, *shape):
        shapes[f"{name}.weight"] = shape
        shapes[f"{name}.bias"] = shape[:1]

    def residual(name, here, out):
        add(f"{name}.in_layers.0", here)
        add(f"{name}.in_layers.2", out, here, 3, 3)
        add(f"{name}.emb_layers.1", 2 * out, 4 * widths[0])
        add(f"{name}.out_layers.0", out)
        add(f"{name}.out_layers.3", out, out, 3, 3)
        if here != out:
            add(f"{name}.skip_connection", out, here, 1, 1)

    def attend(name, width):
        add(f"{name}.norm", width)
        add(f"{name}.qkv", 3 * width, width, 1)
        add(f"{name}.proj_out", width, width, 1)

    add("time_embed.0", 4 * widths[0], widths[0])
    add("time_embed.2", 4 * widths[0], 4 * widths[0])
    add("input_blocks.0.0", widths[0], 3, 3, 3)
    n, here, skips = 1, widths[0], [widths[0]]
    for level, width in enumerate(widths):
        for _ in range(blocks):
            residual(f"input_blocks.{n}.0", here, width)
            if level in attention:
                attend(f"input_blocks.{n}.1", width)
            here = width
            skips.append(here)
            n += 1
        if level < len(widths) - 1:
            add(f"input_blocks.{n}.0.op", here, here, 3, 3)
            skips.append(here)
            n += 1
    residual("middle_block.0", here, here)
    attend("middle_block.1", here)
    residual("middle_block.2", here, here)
    n = 0
    for level, width in reversed(list(enumerate(widths))):
        for j in range(blocks + 1):
            residual(f"output_blocks.{n}.0", here + skips.pop(), width)
            here, following = width, 1
            if level in attention:
                attend(f"output_blocks.{n}.1", width)
                following = 2
            if level and j == blocks:
                add(f"output_blocks.{n}.{following}.conv", width, width, 3, 3)
            n += 1
    add("out.0", widths[0])
    add("out.2", 6, widths[0], 3, 3)
    return shapes


def random_state(widths, blocks, attention, seed=0):
    """Every tensor redrawn, none at 0 or 1, so that a part that is lost or misplaced shows in the output."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in layout(widths, blocks, attention).items():
        numbers = torch.randn(shape, generator=generator)
        norm = name.split(".")[-2] == "norm" or "_layers.0." in name or name.startswith("out.0")
        if name.endswith("bias"):
            state[name] = 0.1 * numbers
        elif norm:
            state[name] = 1.0 + 0.2 * numbers
        else:
            # Sharp enough for the heads to differ; sharper, and float32 itself would lose digits.
            gain = 1.4 if ".qkv." in name else 1.0
            state[name] = gain * numbers / math.sqrt(math.prod(shape[1:]))
    return state


def time_features(t, width):
    """Cosines, then sines, of t times 10000^(-i / half), in float32 as the authors have them."""
    half = width // 2
    frequencies = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32) / half)
    phases = t.float()[:, None] * frequencies
    return torch.cat([phases.cos(), phases.sin()], dim=1)


def forward(state, x, t):
    """Six output channels for x (n, 3, 32, 32) and the time input t (n,), in the precision of `x`."""
    state = {name: value.to(x.dtype) for name, value in state.items()}

    def linear(name, h):
        return functional.linear(h, state[f"{name}.weight"], state[f"{name}.bias"])

    def conv(name, h, **options):
        padding = state[f"{name}.weight"].shape[-1] // 2
        return functional.conv2d(
            h, state[f"{name}.weight"], state[f"{name}.bias"], padding=padding, **options
        )

    def norm(name, h):
        grouped = h.reshape(len(h), GROUPS, -1)
        mean, variance = grouped.mean(2, keepdim=True), grouped.var(2, unbiased=False, keepdim=True)
        flat = ((grouped - mean) / torch.sqrt(variance + EPS)).reshape(len(h), h.shape[1], -1)
        scaled = flat * state[f"{name}.weight"][:, None] + state[f"{name}.bias"][:, None]
        return scaled.reshape(h.shape)

    def residual(name, h):
        inner = conv(f"{name}.in_layers.2", functional.silu(norm(f"{name}.in_layers.0", h)))
        scale, shift = linear(f"{name}.emb_layers.1", functional.silu(embedding))[:, :, None, None].chunk(
            2, dim=1
        )
        inner = norm(f"{name}.out_layers.0", inner) * (1 + scale) + shift
        inner = conv(f"{name}.out_layers.3", functional.silu(inner))
        return inner + (conv(f"{name}.skip_connection", h) if f"{name}.skip_connection.bias" in state else h)

    def attend(name, h):
        n, c, *side = h.shape
        d = c // HEADS
        flat = norm(f"{name}.norm", h).reshape(n, c, -1)
        rows = functional.conv1d(flat, state[f"{name}.qkv.weight"], state[f"{name}.qkv.bias"])
        heads = []
        for head in range(HEADS):
            q, k, v = rows[:, 3 * d * head : 3 * d * (head + 1)].split(d, dim=1)
            weights = torch.einsum("ncs,nct->nst", q, k).div(math.sqrt(d)).softmax(dim=2)
            heads.append(torch.einsum("nst,nct->ncs", weights, v))
        joined = torch.cat(heads, dim=1)
        out = functional.conv1d(joined, state[f"{name}.proj_out.weight"], state[f"{name}.proj_out.bias"])
        return h + out.reshape(n, c, *side)

    def block(name, h):
        """Run the parts .0, .1, .2 of a block, each known by the tensors it has."""
        part = 0
        while any(key.startswith(f"{name}.{part}.") for key in state):
            inner = f"{name}.{part}"
            if f"{inner}.in_layers.0.weight" in state:
                h = residual(inner, h)
            elif f"{inner}.qkv.weight" in state:
                h = attend(inner, h)
            elif f"{inner}.op.weight" in state:
                h = conv(f"{inner}.op", h, stride=2)
            elif f"{inner}.conv.weight" in state:
                h = conv(f"{inner}.conv", h.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3))
            else:
                h = conv(inner, h)
            part += 1
        return h

    def number_of(prefix):
        return 1 + max(int(name.split(".")[1]) for name in state if name.startswith(prefix))

    features = time_features(t, state["time_embed.0.weight"].shape[1]).to(x.dtype)
    embedding = linear("time_embed.2", functional.silu(linear("time_embed.0", features)))
    h, skips = x, []
    for n in range(number_of("input_blocks.")):
        h = block(f"input_blocks.{n}", h)
        skips.append(h)
    h = block("middle_block", h)
    for n in range(number_of("output_blocks.")):
        h = block(f"output_blocks.{n}", torch.cat([h, skips.pop()], dim=1))
    return conv("out.2", functional.silu(norm("out.0", h)))


def inputs(n, dtype=torch.float32, seed=0):
    """Images and time inputs, among them the lowest, fractions and one near the top."""
    x = torch.from_numpy(np.random.default_rng(seed).standard_normal((n, 3, 32, 32))).to(dtype)
    return x, torch.tensor([0.75, 999.75, 0.0, 312.5])[:n]
