"""AUC, error rates, bootstrap and intervals."""

from typing import TYPE_CHECKING

from mmh.lazy import lazy_names

if TYPE_CHECKING:
    from mmh.stats.curves import auc, cluster_bootstrap, paired_auc_difference, tpr_at_fpr

__all__ = ["auc", "cluster_bootstrap", "paired_auc_difference", "tpr_at_fpr"]
__getattr__ = lazy_names(
    __name__,
    {
        "auc": "curves",
        "cluster_bootstrap": "curves",
        "paired_auc_difference": "curves",
        "tpr_at_fpr": "curves",
    },
)
