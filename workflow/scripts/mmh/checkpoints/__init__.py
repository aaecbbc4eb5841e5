"""Loaders of public checkpoints that need none of their authors' code; each is imported at its first use."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmh.checkpoints.iddpm import load_iddpm
    from mmh.checkpoints.stylegan2 import load_stylegan2

__all__ = ["load_iddpm", "load_stylegan2"]


def __getattr__(name: str) -> Any:
    # One checkpoint's loader must not pull in what only the other needs.
    if name == "load_iddpm":
        from mmh.checkpoints.iddpm import load_iddpm

        return load_iddpm
    if name == "load_stylegan2":
        from mmh.checkpoints.stylegan2 import load_stylegan2

        return load_stylegan2
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
