"""A small CLIP model of an embedded world, saved as the public ones are: images and captions in one space."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from mmh.compute import rng
from mmh.compute.optimisation import Report, minimise
from mmh.errors import InputError
from mmh.models.latent.training import Tokenizer, tokens
from mmh.retrieval.descriptor import augment

# transformers builds its public names at import time, so type checkers know nothing of them.
Clip = Any


def build(
    tokenizer: Tokenizer,
    *,
    side: int = 8,
    patch: int = 2,
    width: int = 64,
    layers: int = 2,
    heads: int = 4,
    dimension: int = 64,
    seed: int = 0,
) -> Clip:
    """Build the untrained model.

    Parameters
    ----------
    tokenizer : transformers.CLIPTokenizer
        Gives the vocabulary, the special tokens and the length of a caption.
    side, patch : int
        Sides of the RGB images and of their patches, pixels.
    width, layers, heads : int
        Of both transformers; hidden layers of their perceptrons are four times as wide.
    dimension : int
        Length of an embedding.
    seed : int
        Root seed of the initial weights; the global generator is left as it was.

    Returns
    -------
    transformers.CLIPModel
        float32.
    """
    from transformers import CLIPConfig, CLIPModel

    transformer = {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "projection_dim": dimension,
    }
    text = {
        "vocab_size": len(tokenizer),
        "max_position_embeddings": tokenizer.model_max_length,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = CLIPConfig(
        text_config={**transformer, **text},
        vision_config={**transformer, "image_size": side, "patch_size": patch},
        projection_dim=dimension,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.item_seed(seed, "clip-weights", 0)))
        return CLIPModel(config)


def contrastive_loss(logits: torch.Tensor, same: torch.Tensor) -> torch.Tensor:
    """Symmetric cross-entropy of a batch of pairs, in which several images may share a caption.

        L = (H(P, softmax over captions) + H(P, softmax over images)) / 2, P spread evenly over what fits

    Parameters
    ----------
    logits : (n, n) float32
        Scaled cosines of image i and caption j.
    same : (n, n) bool
        Captions i and j are equal.

    Returns
    -------
    scalar
        With all captions different, the loss of Radford et al. (2021).
    """
    target = same / same.sum(dim=1, keepdim=True)
    return 0.5 * (
        torch.nn.functional.cross_entropy(logits, target)
        + torch.nn.functional.cross_entropy(logits.T, target)
    )


def train(
    x: np.ndarray,
    captions: Sequence[str],
    tokenizer: Tokenizer,
    *,
    seed: int,
    exchanged: Sequence[str] = (),
    exchange_share: float = 0.5,
    steps: int = 600,
    batch_size: int = 128,
    learning_rate: float = 2e-3,
    width: int = 64,
    layers: int = 2,
    dimension: int = 64,
    log_every: int = 20,
    progress: Report | None = None,
) -> tuple[Clip, pd.DataFrame]:
    """Train on pairs of augmented images and captions; the result depends on the arguments alone.

    Parameters
    ----------
    x : (n, 3, H, H) float32
        Distinct images in [-1, 1].
    captions : sequence of str
        One per image.
    tokenizer : transformers.CLIPTokenizer
    seed : int
        Root seed of weights, batches and augmentations.
    exchanged : sequence of str
        Words, one token each, that are exchanged for one another at random, so that the model cannot do
        without the rest of a caption.
    exchange_share : float
        Share of captions to which that happens.
    steps, batch_size : int
        Optimizer steps, and pairs per step, all different.
    learning_rate : float
        AdamW's rate at the start, with cosine decay to 0.
    width, layers, dimension
        As for `build`.
    log_every, progress
        As for `optimisation.minimise`.

    Returns
    -------
    model : transformers.CLIPModel
        In evaluation mode.
    history : pandas.DataFrame
        As for `optimisation.minimise`.

    Raises
    ------
    InputError
        If images and captions do not fit each other, or a word to exchange is no token.
    FloatingPointError
        If the loss ceases to be finite.
    """
    if x.ndim != 4 or x.shape[1] != 3 or x.shape[2] != x.shape[3] or len(x) < 2:
        raise InputError(f"CLIP is trained on (n >= 2, 3, H, H) images, they have the shape {x.shape}")
    if len(captions) != len(x):
        raise InputError(f"there are {len(x)} images but {len(captions)} captions; give one for each")
    pieces = [tokenizer(word, add_special_tokens=False).input_ids for word in exchanged]
    if any(len(piece) != 1 for piece in pieces):
        raise InputError(
            "a word to exchange is more than one token; give the tokenizer all words of the captions"
        )
    words = torch.tensor(pieces, dtype=torch.int64).flatten()
    model = build(
        tokenizer, side=x.shape[-1], width=width, layers=layers, dimension=dimension, seed=seed
    ).train()
    images = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))
    token = tokens(tokenizer, captions)
    batch = min(batch_size, len(images))
    generator = rng.torch_generator(seed, "clip-training")

    def loss(step: int) -> torch.Tensor:
        row = torch.randperm(len(images), generator=generator)[:batch]
        view, text = augment(images[row], generator), token[row]
        if len(words):
            other = words[torch.randint(len(words), (batch, 1), generator=generator)]
            changed = torch.rand(batch, 1, generator=generator) < exchange_share
            text = torch.where(changed & torch.isin(text, words), other, text)
        same = (text[:, None] == text[None]).all(dim=2)
        return contrastive_loss(model(input_ids=text, pixel_values=view).logits_per_image, same)

    history = minimise(
        loss,
        list(model.parameters()),
        steps=steps,
        learning_rate=learning_rate,
        log_every=log_every,
        progress=progress,
    )
    return model.eval().requires_grad_(False), history


def save(path: Path, model: Clip, words: Sequence[str]) -> None:
    """Write a folder that `CLIPModel`, `CLIPTokenizer` and `CLIPProcessor.from_pretrained` load.

    Parameters
    ----------
    path : Path
        Folder to write, made if it does not exist.
    model : transformers.CLIPModel
        Its weights are written as safetensors.
    words : sequence of str
        Words of the tokenizer, as for `word_tokenizer.save`.
    """
    from mmh.models.latent import word_tokenizer

    path = Path(path)
    model.save_pretrained(path, safe_serialization=True)
    word_tokenizer.save(path, words, length=model.config.text_config.max_position_embeddings)
    side = model.config.vision_config.image_size
    preparation = {
        "image_processor_type": "CLIPImageProcessor",
        "do_resize": True,
        "size": {"shortest_edge": side},
        "resample": 3,  # bicubic
        "do_center_crop": True,
        "crop_size": {"height": side, "width": side},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
        "do_convert_rgb": True,
    }
    (path / "preprocessor_config.json").write_text(json.dumps(preparation, indent=1) + "\n")
