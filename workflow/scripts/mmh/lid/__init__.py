"""Estimators of local intrinsic dimension; PyTorch is imported only when a model-based one runs."""

from mmh.lid.flipd import FlipdEstimate, flipd, flipd_estimate
from mmh.lid.local_pca import LocalPCA, local_pca
from mmh.lid.neighbours import knn
from mmh.lid.normal_bundle import normal_bundle_spectrum
from mmh.lid.spectra import count_above, count_below, pooled_threshold

__all__ = [
    "FlipdEstimate",
    "LocalPCA",
    "count_above",
    "count_below",
    "flipd",
    "flipd_estimate",
    "knn",
    "local_pca",
    "normal_bundle_spectrum",
    "pooled_threshold",
]
