"""Retrieval of copied training images."""

from typing import TYPE_CHECKING

from mmh.lazy import lazy_names

if TYPE_CHECKING:
    from mmh.retrieval.calibrated_distance import calibrated_l2
    from mmh.retrieval.embedding import embed, load_descriptor

__all__ = ["calibrated_l2", "embed", "load_descriptor"]
__getattr__ = lazy_names(
    __name__, {"calibrated_l2": "calibrated_distance", "embed": "embedding", "load_descriptor": "embedding"}
)
