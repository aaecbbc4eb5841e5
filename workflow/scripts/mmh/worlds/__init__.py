"""Embedded data sets ("worlds"): real digits or a stated law, with populations planted on purpose."""

from mmh.worlds.catalogue import NAMES, make

__all__ = ["NAMES", "make"]
