"""Cosine of images and captions by a CLIP model's folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from mmh.compute.rows import fixed_batches
from mmh.errors import InputError
from mmh.light_transformers import transformers, uncompiled
from mmh.stats.clusters import share_interval
from mmh.worlds.sets.wordings import CONTENT, Grammar

Agree = Callable[[NDArray[np.uint8], Sequence[str]], NDArray[np.float64]]
AgreeTexts = Callable[[Sequence[str], Sequence[str]], NDArray[np.float64]]
BATCH_SIZE = 64


def similarity_by(folder: Path, *, device: str = "cpu") -> Agree:
    """Load a folder as `mmh.models.latent.clip.save` writes it, or a public one.

    Parameters
    ----------
    folder : path
        Model, tokenizer and the preparation of images.
    device : str

    Returns
    -------
    callable
        Images uint8 (n, 3, H, W) and as many captions to cosines, float64 (n,). A caption beyond the text
        encoder's length is cut.

    Raises
    ------
    InputError
        If the folder holds no such model.
    """
    model, tokens, prepare = _load(folder, device, images=True)

    def agree(images: NDArray[np.uint8], captions: Sequence[str]) -> NDArray[np.float64]:
        texts = [str(text) for text in captions]
        token = tokens(texts)
        pixels = prepare(list(np.moveaxis(images, 1, -1)), return_tensors="pt")["pixel_values"]
        out = np.empty(len(texts))
        with torch.no_grad():
            for rows, places in fixed_batches(np.arange(len(texts)), BATCH_SIZE):
                found = model(input_ids=token[rows].to(device), pixel_values=pixels[rows].to(device))
                cosine = (found.image_embeds.double() * found.text_embeds.double()).sum(1)
                out[rows[places]] = cosine.cpu().numpy()[places]
        return out

    return agree


def text_similarity_by(folder: Path, *, device: str = "cpu") -> AgreeTexts:
    """Load a folder as `similarity_by` does, to compare texts.

    Parameters
    ----------
    folder, device
        As for `similarity_by`.

    Returns
    -------
    callable
        Texts, and as many others, to the cosines of their embeddings, float64 (n,). A text beyond the text
        encoder's length is cut.

    Raises
    ------
    InputError
        As `similarity_by`.
    """
    model, tokens, _ = _load(folder, device, images=False)

    def agree(texts: Sequence[str], others: Sequence[str]) -> NDArray[np.float64]:
        token = [tokens([str(text) for text in each]) for each in (texts, others)]
        out = np.empty(len(texts))
        with torch.no_grad():
            for rows, places in fixed_batches(np.arange(len(texts)), BATCH_SIZE):
                one, other = (_embedded(model, each[rows].to(device)) for each in token)
                out[rows[places]] = (one * other).sum(1).cpu().numpy()[places]
        return out

    return agree


def _embedded(model: Any, token: torch.Tensor) -> torch.Tensor:
    """Unit embeddings of texts, float64 (n, d)."""
    found = model.text_projection(model.text_model(input_ids=token).pooler_output).double()
    return found / found.norm(dim=1, keepdim=True)


def _load(folder: Path, device: str, *, images: bool) -> tuple[Any, Callable[[list[str]], torch.Tensor], Any]:
    """Give the model, what makes tokens of texts, and what prepares images, if they are wanted."""
    library = transformers()
    try:
        with uncompiled():
            model: Any = library.CLIPModel.from_pretrained(folder)
        model = model.to(torch.device(device)).eval().requires_grad_(False)
        tokenizer = library.CLIPTokenizer.from_pretrained(folder)
        prepare = library.AutoImageProcessor.from_pretrained(folder, use_fast=False) if images else None
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: no CLIP model can be read from it ({error})") from error
    length = model.config.text_config.max_position_embeddings

    def tokens(texts: list[str]) -> torch.Tensor:
        how = {"padding": "max_length", "max_length": length, "truncation": True, "return_tensors": "pt"}
        token: torch.Tensor = tokenizer(texts, **how)["input_ids"]
        return token

    return model, tokens, prepare


def to_bytes(x: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Turn images (n, 3, H, W) in [-1, 1] back into bytes."""
    return np.rint((np.clip(x, -1, 1) + 1) * 127.5).astype(np.uint8)


def slot_accuracy(
    agree: Agree, images: NDArray[np.uint8], captions: Sequence[str], grammar: Grammar
) -> pd.DataFrame:
    """Say how often the best of several captions, equal but for one slot, names what the image shows.

    Parameters
    ----------
    agree : callable
        From `similarity_by`.
    images : numpy.ndarray
        uint8 (n, 3, H, W).
    captions : sequence of str
        Their captions, n.
    grammar : Grammar
        Knows the slots.

    Returns
    -------
    pandas.DataFrame
        `slot`, `values` (of the slot), `chance`, `n`, `accuracy`, `low`, `high` (95 %, over images).
    """
    rows = []
    for slot in CONTENT:
        asked = [grammar.alternatives(text, slot) for text in captions]
        count = len(asked[0])
        cosine = agree(np.repeat(images, count, axis=0), [text for texts in asked for text in texts])
        wanted = np.array([grammar.read(text)[slot] for text in captions])
        found = share_interval(cosine.reshape(-1, count).argmax(axis=1) == wanted, unit="image")
        row = {"slot": slot, "values": count, "chance": 1 / count, "n": found.n}
        rows.append(row | {"accuracy": found.estimate, "low": found.low, "high": found.high})
    return pd.DataFrame(rows)
