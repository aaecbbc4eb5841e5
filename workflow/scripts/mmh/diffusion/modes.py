"""Training and evaluation mode of networks: dropout or batch statistics would be noise in every estimate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def training_parts(module: torch.nn.Module) -> list[torch.nn.Module]:
    """Modules in training mode, of a network and all below it."""
    return [part for part in module.modules() if part.training]


@contextmanager
def evaluation_mode(module: torch.nn.Module | None) -> Iterator[None]:
    """Put a network and all of its parts into evaluation mode, and each back as it was found."""
    parts = [] if module is None else training_parts(module)
    try:
        if module is not None:
            module.eval()
        yield
    finally:
        for part in parts:
            part.training = True
