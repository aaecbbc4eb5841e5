"""The PNG size in bits of what a text-to-image model decodes latents to: the divisor of Fig. 8 in latents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmh.scores.base import NetworkOptions, SpanScore

if TYPE_CHECKING:
    from mmh.plan.work import Need, Work
    from mmh.scores.base import Arrays, Places
    from mmh.scores.setting import Setting


class DecodedPng(SpanScore):
    """Bits of the PNG file of each decoded image.

    Formula: 8 times the bytes of the PNG file of the decoder's image, 8 bits a channel.

    Source: the paper's proxy of complexity, Fig. 8c.

    Cost: one pass of the decoder and one compression for each image.

    Fails: as `png`; and what the decoder smooths is not counted.
    """

    name, needs, numerics, random = "decoded-png", "decoder", False, False
    label, unit = "PNG size, decoded", "bits"

    class Options(NetworkOptions):
        """PNG size of the decoded latents."""

    @classmethod
    def cost(cls, work: Work) -> Need:
        """Decoding, then the compression of each image."""
        decoding = work.of_decoder()
        compression = work.n * (1e-4 + work.pixels * 2e-7)
        return work.need(decoding.seconds + compression, decoding.mem_mb)

    @classmethod
    def values(cls, setting: Setting, rows: Places, numbers: Places, size: int) -> Arrays:
        """Decode and measure one batch."""
        import numpy as np

        from mmh.compute.complexity import png_bits

        pixels = setting.model.decode(setting.x[rows], batch_size=size, ids=numbers)
        return {"value": png_bits(np.moveaxis(pixels, 1, -1)).astype(float)}

    @classmethod
    def columns(cls, setting: Setting) -> dict[str, Any]:
        """Bytes are measured, whatever they were computed in."""
        return {"dtype": "uint8"}

    @classmethod
    def describe(cls, setting: Setting) -> dict[str, Any]:
        """Say of what."""
        return {"method": "PNG size of the decoded latents"}
