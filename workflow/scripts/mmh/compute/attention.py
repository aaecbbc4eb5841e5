"""PyTorch's global switches for attention kernels and reduced precision, set for a while and put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

SDPA_SWITCHES = ("flash", "mem_efficient", "math", "cudnn")


@contextmanager
def math_attention() -> Iterator[None]:
    """Compute attention by its formula: the fused kernels have no forward-mode or second derivative.

    The inference kernel of ``torch.nn.MultiheadAttention`` is turned off too. Every switch is put back as it
    was found, also after an error.
    """
    cuda = torch.backends.cuda
    found = {name: getattr(cuda, f"{name}_sdp_enabled")() for name in SDPA_SWITCHES}
    fastpath = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(False)
        for name in SDPA_SWITCHES:
            getattr(cuda, f"enable_{name}_sdp")(name == "math")
        yield
    finally:
        for name, enabled in found.items():
            getattr(cuda, f"enable_{name}_sdp")(enabled)
        torch.backends.mha.set_fastpath_enabled(fastpath)


@contextmanager
def full_float32() -> Iterator[None]:
    """Multiply float32 in float32: TF32 would keep 10 bits, more error than many a probe.

    Convolutions use TF32 by default on recent GPUs. Every switch is put back as it was found.
    """
    switches: list[Any] = [torch.backends.cuda.matmul, torch.backends.cudnn]
    found = [switch.allow_tf32 for switch in switches]
    try:
        for switch in switches:
            switch.allow_tf32 = False
        yield
    finally:
        for switch, allowed in zip(switches, found, strict=True):
            switch.allow_tf32 = allowed


@contextmanager
def contiguous_group_norms(module: torch.nn.Module | None) -> Iterator[None]:
    """Copy the inputs of every GroupNorm of `module` into contiguous memory.

    Behind attention the tangents of forward mode are transposed views, which group norm cannot reshape; a
    clone of value and tangent can be.
    """

    def copy(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        first, *rest = inputs
        return (first.clone(memory_format=torch.contiguous_format), *rest)

    modules = [] if module is None else [m for m in module.modules() if isinstance(m, torch.nn.GroupNorm)]
    hooks = [norm.register_forward_pre_hook(copy) for norm in modules]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def forward_mode(module: torch.nn.Module | None) -> Iterator[None]:
    """Let `torch.func.jvp` pass through a network with attention and group norms.

    Parameters
    ----------
    module : torch.nn.Module or None
        The network; None where there is no module behind the function.
    """
    with math_attention(), contiguous_group_norms(module):
        yield
