"""Estimators of local intrinsic dimension; PyTorch is imported only when a model-based one runs."""

from mmh.lid.flipd import FlipdEstimate, flipd, flipd_estimate
from mmh.lid.jacobian import jacobian_spectrum
from mmh.lid.local_pca import LocalPCA, local_pca
from mmh.lid.model_free import model_free
from mmh.lid.neighbours import knn
from mmh.lid.normal_bundle import count_stderr, normal_bundle_groups, normal_bundle_spectrum
from mmh.lid.spectra import count_above, count_below, pooled_threshold
from mmh.lid.verdict import verdicts

__all__ = [
    "FlipdEstimate",
    "LocalPCA",
    "count_above",
    "count_below",
    "count_stderr",
    "flipd",
    "flipd_estimate",
    "jacobian_spectrum",
    "knn",
    "local_pca",
    "model_free",
    "normal_bundle_groups",
    "normal_bundle_spectrum",
    "pooled_threshold",
    "verdicts",
]
