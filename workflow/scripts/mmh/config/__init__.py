"""Checks of the configuration."""

from typing import TYPE_CHECKING

from mmh.lazy import lazy_names

if TYPE_CHECKING:
    from mmh.config.check import check_config

__all__ = ["check_config"]
__getattr__ = lazy_names(__name__, {"check_config": "check"})
