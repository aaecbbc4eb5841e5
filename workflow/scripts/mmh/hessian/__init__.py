"""The Hessian of the log-density that a score model has: Krylov passes, quadrature, directions."""

from typing import TYPE_CHECKING

from mmh.lazy import lazy_names

if TYPE_CHECKING:
    from mmh.hessian.estimate import hessian_geometry
    from mmh.hessian.geometry import Geometry

__all__ = ["Geometry", "hessian_geometry"]
__getattr__ = lazy_names(__name__, {"hessian_geometry": "estimate", "Geometry": "geometry"})
