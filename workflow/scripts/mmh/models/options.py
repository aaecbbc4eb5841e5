"""Options of models that no kind has for itself: how latents are computed, and a small CLIP model."""

from typing import Annotated, Literal

from mmh.options.base import BatchSize, Field, Options, Unique


class Latents(Options):
    """How a text-to-image model is run on real images."""

    dtype: Literal["float32", "float16", "bfloat16"]
    """Type of UNet and text encoder; the VAE is always float32."""
    attention_slicing: bool
    """Compute attention in parts: less memory, slower."""
    vae_tiling: bool
    """Encode and decode in tiles: less memory, other last digits."""
    batch_size: BatchSize
    """Images per VAE call: an integer >= 1, or auto (what a GPU's free memory holds; 8 on a CPU); part of a
    result's bytes."""
    shard_size: int = Field(ge=1)
    """Images per encoding job."""


class Clip(Options):
    """A small CLIP model trained on the same pairs."""

    tokens: int = Field(ge=4, le=77)
    """Tokens of a caption, its ends included."""
    steps: int = Field(ge=1)
    """Optimiser steps."""
    batch_size: int = Field(ge=2)
    """Pairs per step."""
    learning_rate: float = Field(gt=0)
    """Peak learning rate."""
    width: int = Field(ge=8)
    """Width of both towers."""
    layers: int = Field(ge=1)
    """Layers of both."""
    dimension: int = Field(ge=2)
    """Length of the embedding."""
    exchange_share: float = Field(ge=0, le=1)
    """Share of captions whose made-up words are exchanged, as negatives."""
    alike: Annotated[list[Literal["colour", "stroke"]], Unique()] = []
    """Slots of the captions that all pairs of a batch agree in, so that they do not stand for the others."""
    alike_share: float = Field(default=0.7, ge=0, le=1)
    """Share of batches to which that happens."""
    held_out: int = Field(default=0, ge=0)
    """Images that are kept from the training, the last ones: by them it is checked what the model reads."""
