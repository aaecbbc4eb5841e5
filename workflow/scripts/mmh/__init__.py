"""Memorization of generative models, measured by local intrinsic dimension.

Modules are imported one by one (``from mmh.stats.curves import auc``), so that a job loads only what it
needs.
"""

__version__ = "0.1.0"
