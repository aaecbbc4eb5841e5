"""Parts of a diffusers pipeline that a score model is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from mmh.errors import InputError

Prompts = str | Sequence[str] | None


def pipeline_parts(pipe: Any) -> tuple[Any, Any]:
    """Find the network and the scheduler of a diffusers pipeline.

    Parameters
    ----------
    pipe : diffusers pipeline

    Returns
    -------
    (network, scheduler)

    Raises
    ------
    InputError
        If it has none, or its network wants more than one condition.
    """
    name = type(pipe).__name__
    network = getattr(pipe, "unet", None)
    network = getattr(pipe, "transformer", None) if network is None else network
    scheduler = getattr(pipe, "scheduler", None)
    if network is None or scheduler is None:
        raise InputError(
            f"a diffusers pipeline with a unet or a transformer, and a scheduler, was expected, got {name}; "
            "of parts make a model by ScoreModel.from_diffusers(network, scheduler)"
        )
    extra = getattr(network.config, "addition_embed_type", None)
    if extra is not None:
        raise InputError(
            f"the network of {name} wants conditions of the kind {extra!r} besides its captions; bind them "
            "in a function of your own: ScoreModel.from_function(lambda z, t, c: ..., shape, schedule)"
        )
    return network, scheduler


def embedded(pipe: Any, prompts: Prompts, *, empty: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Embed captions by the encoder of their pipeline.

    Parameters
    ----------
    pipe : diffusers pipeline
    prompts : str or sequence of str, optional
    empty : bool
        Whether the empty caption is wanted, too.

    Returns
    -------
    (c, null)
        (n, L, D) of the captions and (1, L, D) of the empty one, which is that of the captions if not wanted.

    Raises
    ------
    InputError
        If the pipeline takes no captions, or none are given.
    """
    texts = [prompts] if isinstance(prompts, str) else [str(text) for text in prompts or ()]
    encode = getattr(pipe, "encode_prompt", None)
    if encode is None:
        raise InputError(f"{type(pipe).__name__} takes no captions; leave prompts out")
    if not texts:
        raise InputError("no prompts are given; give one caption for all rows, or one for each")
    with torch.no_grad():
        c, null = encode(texts, pipe.device, 1, empty)[:2]
    return c, (null if empty else c)[:1]
