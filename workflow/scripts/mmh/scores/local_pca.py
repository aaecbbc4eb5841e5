"""LID_* of the training images by local PCA with the paper's two modifications (Appendix C.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from mmh.options import base as declared
from mmh.options.base import Field, Percentile
from mmh.scores.base import Config, SetScore
from mmh.worlds.base import train_size

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mmh.options.entries import Entry
    from mmh.plan.work import Need, Work
    from mmh.scores.base import Places


class LocalPca(SetScore):
    """Dimension of the data around each training image.

    Formula: number of variances of the k nearest training images above a percentile of the pool.

    Source: Fukunaga and Olsen 1971; pooled threshold and radius rule as in the paper.

    Cost: all distances once, then one k x k eigenvalue problem for each image.

    Fails: a curved or sparse neighbourhood reads too high, k below the dimension too low; `knn` cuts every
    neighbourhood of a set without duplicates.
    """

    name, numerics = "local-pca", True
    label, unit = "LPCA", "dimensions"

    class Options(declared.Options):
        """Local PCA on the data."""

        k: int = Field(ge=2)
        """neighbours"""
        percentile: Percentile
        """percentile of the pool, in (0, 100)"""
        radius: Literal["knn", "all", "none"]
        """distances of the radius rule"""
        bootstrap: int = Field(default=0, ge=0)
        """replicates over the neighbours, for the standard error of LID_*; 0: none"""

    @classmethod
    def has_stderr(cls, options: Config) -> bool:
        """Over replicates of the neighbours."""
        return options.get("bootstrap", 0) > 1

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Find more neighbours than there are images."""
        yield from super().check(options, experiment, where)
        n = train_size(experiment)
        if options.k >= n:
            yield f"{where}.k: {options.k} neighbours need more than {n} training images; use k < {n}"

    @classmethod
    def cost(cls, work: Work) -> Need:
        """All distances, then one decomposition for each image and replicate."""
        n, dim, k = work.n, work.dim, work.options["k"]
        draws = 1 + work.options.get("bootstrap", 0)
        seconds = 2 + n**2 * dim * 1.5e-11 + n * k**2 * (dim * 3.5e-11 + draws * min(k, dim) * 1e-10)
        return work.need(seconds, 170 + 2.9 * work.images_mb)

    @classmethod
    def of_set(
        cls, x: NDArray[Any], ids: Places, options: Any, seed: int, record: dict[str, Any]
    ) -> dict[str, Any]:
        """Estimate all images; the threshold with its pool goes to the run record."""
        import numpy as np

        from mmh.lid.local_pca import local_pca

        result = local_pca(
            x.reshape(len(x), -1),
            k=options.k,
            percentile=options.percentile,
            radius=None if options.radius == "none" else options.radius,
            bootstrap=options.bootstrap,
            seed=seed,
            ids=ids,
        )
        record["numerics"] = {
            "method": f"local PCA, k = {options.k}, radius rule {options.radius}",
            "dtype": "float64",
            "attention": "none",
            "items": len(ids),
            "non_finite": 0,  # anything else stops the job
        }
        record.update(
            threshold=result.threshold,
            percentile=options.percentile,
            pool_values=result.pool_used,
            pool_zeros_left_out=result.pool_zero,
            kept_neighbours_median=float(np.median(result.kept)),
        )
        drawn = seed if options.bootstrap else None
        value = result.lid.astype(float)
        return {"value": value, "stderr": result.stderr, "seed": drawn, "dtype": "float64"}
