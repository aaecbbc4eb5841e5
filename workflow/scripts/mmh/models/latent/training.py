"""A small latent text-to-image model: text encoder and UNet trained together, saved like Stable Diffusion."""

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
from mmh.light_diffusers import diffusers
from mmh.light_transformers import transformers

# diffusers and transformers build their public names at import time, so type checkers know nothing of them.
UNet = Any
TextEncoder = Any
Tokenizer = Any
Scheduler = Any


def build_text_encoder(
    tokenizer: Tokenizer, *, width: int = 64, layers: int = 2, heads: int = 4, seed: int = 0
) -> TextEncoder:
    """Build the untrained text encoder.

    Parameters
    ----------
    tokenizer : transformers.CLIPTokenizer
        Gives the vocabulary, the special tokens and the length of a prompt.
    width, layers, heads : int
        Of the transformer; the hidden layer of its perceptrons is four times as wide.
    seed : int
        Root seed of the initial weights; the global generator is left as it was.

    Returns
    -------
    transformers.CLIPTextModel
        float32.
    """
    config = transformers().CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        max_position_embeddings=tokenizer.model_max_length,
        projection_dim=width,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.item_seed(seed, "text-encoder-weights", 0)))
        return transformers().CLIPTextModel(config)


def build_unet(
    *,
    channels: int = 4,
    side: int = 4,
    text_width: int = 64,
    block_out_channels: Sequence[int] = (64,),
    heads: int = 8,
    norm_num_groups: int = 8,
    seed: int = 0,
) -> UNet:
    """Build the untrained UNet, with attention to the text at every resolution.

    Parameters
    ----------
    channels, side : int
        Of a latent.
    text_width : int
        Width of the text encoder.
    block_out_channels : sequence of int
        Width at each resolution; every one after the first halves the side.
    heads : int
        Attention heads; `attention_head_dim` in the configuration, as in Stable Diffusion's.
    norm_num_groups : int
        Groups of every group norm; divides every width.
    seed : int
        Root seed of the initial weights; the global generator is left as it was.

    Returns
    -------
    diffusers.UNet2DConditionModel
        float32.
    """
    levels = len(block_out_channels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.item_seed(seed, "text-unet-weights", 0)))
        return diffusers().UNet2DConditionModel(
            sample_size=side,
            in_channels=channels,
            out_channels=channels,
            layers_per_block=1,
            block_out_channels=tuple(block_out_channels),
            down_block_types=("CrossAttnDownBlock2D",) * levels,
            up_block_types=("CrossAttnUpBlock2D",) * levels,
            cross_attention_dim=text_width,
            attention_head_dim=heads,
            norm_num_groups=norm_num_groups,
        )


def noise_schedule(num_train_timesteps: int = 1000) -> Scheduler:
    """Make Stable Diffusion's forward process: scaled-linear beta from .00085 to .012, noise prediction.

    Parameters
    ----------
    num_train_timesteps : int
        Number of noise levels, T.

    Returns
    -------
    diffusers.DDIMScheduler
        With Stable Diffusion's grid: leading spacing, offset 1, last alpha not set to one; clips nothing.
    """
    return diffusers().DDIMScheduler(
        num_train_timesteps=num_train_timesteps,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def tokens(tokenizer: Tokenizer, texts: Sequence[str]) -> torch.Tensor:
    """Turn prompts into padded token numbers, as Stable Diffusion does.

    Parameters
    ----------
    tokenizer : transformers.CLIPTokenizer
    texts : sequence of str

    Returns
    -------
    (n, model_max_length) int64
    """
    cut = {"padding": "max_length", "max_length": tokenizer.model_max_length, "truncation": True}
    return tokenizer(list(texts), return_tensors="pt", **cut).input_ids


def train(
    latents: np.ndarray,
    captions: Sequence[str],
    tokenizer: Tokenizer,
    *,
    seed: int,
    steps: int = 3500,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    ema_decay: float = 0.999,
    empty_share: float = 0.1,
    block_out_channels: Sequence[int] = (64,),
    heads: int = 8,
    text_width: int = 64,
    text_layers: int = 2,
    num_train_timesteps: int = 1000,
    log_every: int = 20,
    progress: Report | None = None,
) -> tuple[UNet, TextEncoder, Scheduler, pd.DataFrame]:
    """Train UNet and text encoder together with DDPM's loss; the result depends on the arguments alone.

    Parameters
    ----------
    latents : (n, c, h, h) float32
        Training images as scaled latents; exact copies count as often as they occur.
    captions : sequence of str
        One per image.
    tokenizer : transformers.CLIPTokenizer
    seed : int
        Root seed of weights, batches, noise levels, noise and emptied captions.
    steps, batch_size : int
        Optimizer steps, and images per step, drawn with replacement.
    learning_rate : float
        AdamW's rate at the start; half a cosine takes it to 0 at the last step.
    ema_decay : float
        Decay of the running mean of the weights, which is what is returned.
    empty_share : float
        Share of captions that are replaced by the empty one, for guidance.
    block_out_channels, heads
        As for `build_unet`.
    text_width, text_layers
        As for `build_text_encoder`.
    num_train_timesteps
        As for `noise_schedule`.
    log_every, progress
        As for `optimisation.minimise`.

    Returns
    -------
    unet : diffusers.UNet2DConditionModel
        The averaged network, in evaluation mode.
    text_encoder : transformers.CLIPTextModel
        The same.
    scheduler : diffusers.DDIMScheduler
        Their forward process.
    history : pandas.DataFrame
        As for `optimisation.minimise`; the loss is the mean squared error of the noise.

    Raises
    ------
    InputError
        If latents and captions do not fit each other.
    FloatingPointError
        If the loss ceases to be finite.
    """
    if latents.ndim != 4 or latents.shape[2] != latents.shape[3] or len(latents) == 0:
        raise InputError(f"training latents must have the shape (n, c, h, h), they have {latents.shape}")
    if len(captions) != len(latents):
        raise InputError(
            f"there are {len(latents)} training images but {len(captions)} captions; give one for each"
        )
    shape: dict[str, Any] = {
        "channels": latents.shape[1],
        "side": latents.shape[2],
        "text_width": text_width,
        "block_out_channels": block_out_channels,
        "heads": heads,
        "seed": seed,
    }
    reading: dict[str, Any] = {"width": text_width, "layers": text_layers, "seed": seed}
    unet, encoder = build_unet(**shape).train(), build_text_encoder(tokenizer, **reading).train()
    average = build_unet(**shape).eval().requires_grad_(False)
    average_encoder = build_text_encoder(tokenizer, **reading).eval().requires_grad_(False)
    scheduler = noise_schedule(num_train_timesteps)
    clean = torch.from_numpy(np.ascontiguousarray(latents, dtype=np.float32))
    texts = sorted(set(captions))
    number = {text: i for i, text in enumerate(texts)}
    caption = torch.tensor([number[text] for text in captions])
    token = tokens(tokenizer, [*texts, ""])
    generator = rng.torch_generator(seed, "text-to-image-training")

    def loss(step: int) -> torch.Tensor:
        row = torch.randint(len(clean), (batch_size,), generator=generator)
        level = torch.randint(num_train_timesteps, (batch_size,), generator=generator)
        noise = torch.randn(batch_size, *clean.shape[1:], generator=generator)
        emptied = torch.rand(batch_size, generator=generator) < empty_share
        text = encoder(token[torch.where(emptied, len(texts), caption[row])]).last_hidden_state
        noisy = scheduler.add_noise(clean[row], noise, level)
        return torch.nn.functional.mse_loss(unet(noisy, level, encoder_hidden_states=text).sample, noise)

    history = minimise(
        loss,
        [*unet.parameters(), *encoder.parameters()],
        steps=steps,
        learning_rate=learning_rate,
        averages=[*average.parameters(), *average_encoder.parameters()],
        ema_decay=ema_decay,
        log_every=log_every,
        progress=progress,
    )
    return average, average_encoder, scheduler, history


def save(
    path: Path, *, vae: Any, text_encoder: TextEncoder, unet: UNet, scheduler: Scheduler, words: Sequence[str]
) -> None:
    """Write a folder that `StableDiffusionPipeline.from_pretrained(path, safety_checker=None)` loads.

    Parameters
    ----------
    path : Path
        Folder to write, made if it does not exist; gets `vae/`, `text_encoder/`, `tokenizer/`, `unet/`,
        `scheduler/` and `model_index.json`. Weights are safetensors.
    vae : diffusers.AutoencoderKL
    text_encoder : transformers.CLIPTextModel
    unet : diffusers.UNet2DConditionModel
    scheduler : diffusers.DDIMScheduler
    words : sequence of str
        Words of the tokenizer, as for `word_tokenizer.save`.
    """
    from mmh.models.latent import word_tokenizer

    path = Path(path)
    for name, part in (("vae", vae), ("text_encoder", text_encoder), ("unet", unet)):
        part.save_pretrained(path / name, safe_serialization=True)
    scheduler.save_pretrained(path / "scheduler")
    word_tokenizer.save(path / "tokenizer", words, length=text_encoder.config.max_position_embeddings)
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": diffusers().__version__,
        "feature_extractor": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", type(scheduler).__name__],
        "text_encoder": ["transformers", type(text_encoder).__name__],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", type(unet).__name__],
        "vae": ["diffusers", type(vae).__name__],
    }
    (path / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
