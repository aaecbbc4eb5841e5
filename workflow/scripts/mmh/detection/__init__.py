"""Detectors of memorized images and prompts."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmh.scores.cfg_norm import cfg_vector_norm

__all__ = ["cfg_vector_norm"]


def __getattr__(name: str) -> Any:
    if name == "cfg_vector_norm":
        from mmh.scores.cfg_norm import cfg_vector_norm

        return cfg_vector_norm
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
