"""Loaders of public checkpoints that need none of their authors' code; each is imported at its first use."""

from typing import TYPE_CHECKING

from mmh.lazy import lazy_names

if TYPE_CHECKING:
    from mmh.models.improved.published import load_iddpm
    from mmh.models.stylegan.published import load_stylegan2

__all__ = ["load_iddpm", "load_stylegan2"]
__getattr__ = lazy_names(
    "mmh.models", {"load_iddpm": "improved.published", "load_stylegan2": "stylegan.published"}
)
