"""A control without any gradient: what is missing from the first step if a word is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmh.attributions.base import CallAttribution

if TYPE_CHECKING:
    import torch


class LeaveOneOut(CallAttribution):
    """||eps_c - eps_c'|| at the first step, c' the caption without the word."""

    name, printed = "leave-one-out", "left out"

    def compare(self, empty: torch.Tensor, whole: torch.Tensor, without: torch.Tensor) -> torch.Tensor:
        """Norm of the change of the noise."""
        return (whole - without).flatten(1).norm(dim=1)
