"""Detection metrics of prompts."""

from typing import TYPE_CHECKING

from mmh.lazy import lazy_names

if TYPE_CHECKING:
    from mmh.metrics.averages import cfg_norm, flipd_metric, score_norm

__all__ = ["cfg_norm", "flipd_metric", "score_norm"]
__getattr__ = lazy_names(
    __name__, {"cfg_norm": "averages", "flipd_metric": "averages", "score_norm": "averages"}
)
