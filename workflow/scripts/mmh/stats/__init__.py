"""AUC, error rates, jackknife, bootstrap and intervals."""

from typing import TYPE_CHECKING

from mmh.lazy import lazy_names

if TYPE_CHECKING:
    from mmh.stats.curves import auc, auc_interval, compare, paired_auc_difference, tpr_at_fpr

__all__ = ["auc", "auc_interval", "compare", "paired_auc_difference", "tpr_at_fpr"]
__getattr__ = lazy_names(
    __name__,
    {
        "auc": "curves",
        "auc_interval": "curves",
        "compare": "curves",
        "paired_auc_difference": "curves",
        "tpr_at_fpr": "curves",
    },
)
