"""Noise schedules, score models and samplers."""

from typing import TYPE_CHECKING

from mmh.lazy import lazy_names

if TYPE_CHECKING:
    from mmh.diffusion.schedule import Schedule
    from mmh.diffusion.score_model import ScoreModel

__all__ = ["Schedule", "ScoreModel"]
__getattr__ = lazy_names(__name__, {"Schedule": "schedule", "ScoreModel": "score_model"})
