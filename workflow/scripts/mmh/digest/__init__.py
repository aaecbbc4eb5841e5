"""Which code a job can execute, and a digest of it."""

from typing import TYPE_CHECKING

from mmh.lazy import lazy_names

if TYPE_CHECKING:
    from mmh.digest.code import code_digest, edited_digest, reached_lines

__all__ = ["code_digest", "edited_digest", "reached_lines"]
__getattr__ = lazy_names(__name__, dict.fromkeys(__all__, "code"))
