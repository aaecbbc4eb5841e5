"""PyTorch's global switches for attention kernels and reduced precision, set for a while and put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import torch

from mmh.errors import InputError

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


class CrossAttention:
    """Records the cross-attention maps of a diffusers network beside its computation, which stays as it is.

    A context manager: the maps are recorded inside of it, after each `start`.

    Parameters
    ----------
    module : torch.nn.Module or None
        The network; None where there is no module behind the function.

    Raises
    ------
    InputError
        If the network has no attention layers.
    """

    def __init__(self, module: torch.nn.Module | None) -> None:
        # A network of diffusers is at hand, so its own attention class need not be imported.
        found = [] if module is None else [m for m in module.modules() if type(m).__name__ == "Attention"]
        if not found:
            raise InputError("this network has no cross-attention, which a metric needs")
        self._layers, self._on = found, False
        self._hooks: list[Any] = []
        self._maps: list[torch.Tensor] = []

    def __enter__(self) -> Self:
        self._hooks = [m.register_forward_pre_hook(self._see, with_kwargs=True) for m in self._layers]
        return self

    def __exit__(self, *error: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def start(self, wanted: bool) -> None:
        """Record the next call of the network, or do not."""
        self._on, self._maps = wanted, []

    def take(self) -> list[torch.Tensor]:
        """Give what was recorded: each layer's (rows, heads, places, tokens), which sum to 1 over tokens."""
        maps, self._maps = self._maps, []
        return maps

    def _see(self, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        hidden = args[0] if args else kwargs["hidden_states"]
        context = args[1] if len(args) > 1 else kwargs.get("encoder_hidden_states")
        if not self._on or context is None:
            return
        with torch.no_grad():
            query, key = (
                layer.head_to_batch_dim(project(of))
                for project, of in ((layer.to_q, hidden), (layer.to_k, context))
            )
            maps = layer.get_attention_scores(query, key)
        self._maps.append(maps.unflatten(0, (len(hidden), layer.heads)))
