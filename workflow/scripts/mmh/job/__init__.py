"""The frame around every job."""

from typing import TYPE_CHECKING

from mmh.lazy import lazy_names

if TYPE_CHECKING:
    from mmh.job.frame import job

__all__ = ["job"]
__getattr__ = lazy_names(__name__, {"job": "frame"})
