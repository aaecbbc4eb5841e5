"""Retrieval of copied training images."""

from typing import TYPE_CHECKING

from mmh.lazy import lazy_names

if TYPE_CHECKING:
    from mmh.retrieval.embedding import embed, load_descriptor
    from mmh.retrieval.search import calibrated_l2

__all__ = ["calibrated_l2", "embed", "load_descriptor"]
__getattr__ = lazy_names(
    __name__, {"calibrated_l2": "search", "embed": "embedding", "load_descriptor": "embedding"}
)
