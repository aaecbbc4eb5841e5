"""A small CLIP model of an embedded world, saved as the public ones are: images and captions in one space."""

import json
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from mmh.compute import rng
from mmh.compute.optimisation import Report, minimise
from mmh.errors import InputError
from mmh.light_transformers import transformers
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
    library = transformers()
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
    config = library.CLIPConfig(
        text_config={**transformer, **text},
        vision_config={**transformer, "image_size": side, "patch_size": patch},
        projection_dim=dimension,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.item_seed(seed, "clip-weights", 0)))
        return library.CLIPModel(config)


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
    alike: Sequence[Hashable] | None = None,
    alike_share: float = 0.7,
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
    alike : sequence of hashable, optional
        What all pairs of a batch agree in, one for each pair: the batch is drawn among those that are like a
        pair drawn at random. A model that tells colours in its first steps learns nothing else of batches
        in which colours differ.
    alike_share : float
        Share of batches to which that happens.
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
    generator, kin = rng.torch_generator(seed, "clip-training"), alike_rows(alike)

    def loss(step: int) -> torch.Tensor:
        if kin is None or float(torch.rand((), generator=generator)) >= alike_share:
            row = torch.randperm(len(images), generator=generator)[:batch]
        else:
            own = kin[int(torch.randint(len(kin), (1,), generator=generator))]
            row = own[torch.randperm(len(own), generator=generator)[:batch]]
        view, text = augment(images[row], generator), token[row]
        if len(words):
            other = words[torch.randint(len(words), (len(row), 1), generator=generator)]
            changed = torch.rand(len(row), 1, generator=generator) < exchange_share
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


def alike_rows(alike: Sequence[Hashable] | None) -> list[torch.Tensor] | None:
    """List the rows (m,) that are like each row, of those that are not alone; None for None."""
    if alike is None:
        return None
    groups: dict[Hashable, list[int]] = {}
    for row, key in enumerate(alike):
        groups.setdefault(key, []).append(row)
    found = [torch.tensor(groups[key]) for key in alike if len(groups[key]) > 1]
    if not found:
        raise InputError(
            "clip.alike: no two captions agree in these slots; name fewer, or train on more images"
        )
    return found


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
