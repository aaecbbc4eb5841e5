"""Folders of text-to-image models, as diffusers saves a StableDiffusionPipeline."""

from pathlib import Path
from typing import Any

import torch

from mmh.diffusion.ddim import ddim_scheduler
from mmh.errors import InputError, in_short
from mmh.io.model_folder import check_weights, read_json, refuse
from mmh.light_diffusers import diffusers
from mmh.light_transformers import transformers, uncompiled
from mmh.models.latent.model import TextToImageModel

DTYPES = ("float32", "float16", "bfloat16")
LONGEST_CAPTION = 10_000
"""A tokenizer that states more than so many tokens states no limit."""


def load_folder(
    path: Path,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    attention_slicing: bool = False,
    vae_tiling: bool = False,
) -> TextToImageModel:
    """Load a text-to-image model.

    Parameters
    ----------
    path : Path
        Folder in the layout of a StableDiffusionPipeline, weights as safetensors.
    device : str
        Where the networks are put.
    dtype : {"float32", "float16", "bfloat16"}
        Type of the UNet and the text encoder.
    attention_slicing : bool
        Compute attention in parts: less memory where the fused kernels are not available.
    vae_tiling : bool
        Encode and decode large images in overlapping tiles, one image at a time: less memory, other last
        digits.

    Returns
    -------
    TextToImageModel
        In evaluation mode, without gradients of the weights.

    Raises
    ------
    InputError
        If a file is missing, damaged or does not fit the others, or the type is unknown.
    """
    if dtype not in DTYPES:
        raise InputError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
    path = Path(path)
    # Named only where it changes something: diffusers warns of every cast.
    place = (device,) if dtype == "float32" else (device, getattr(torch, dtype))
    index = read_json(path / "model_index.json")
    for part, expected in (
        ("unet", "UNet2DConditionModel"),
        ("vae", "AutoencoderKL"),
        ("text_encoder", "CLIPTextModel"),
        ("tokenizer", "CLIPTokenizer"),
    ):
        entry = index.get(part)
        if not isinstance(entry, list) or str(entry[-1]).removesuffix("Fast") != expected:
            refuse(path / "model_index.json", f"names the {part} {entry!r}; {expected} can be loaded")
    settings = read_json(path / "scheduler" / "scheduler_config.json")
    if not {"beta_schedule", "num_train_timesteps"} <= set(settings):
        refuse(
            path / "scheduler" / "scheduler_config.json",
            "describes no variance-preserving process (it lacks beta_schedule or num_train_timesteps)",
        )
    try:
        scheduler = ddim_scheduler(settings)
    except (ValueError, TypeError, NotImplementedError) as error:
        refuse(path / "scheduler" / "scheduler_config.json", f"describes no noise schedule ({error})", error)
    tokenizer = _tokenizer(path / "tokenizer")
    text_encoder = _part(transformers().CLIPTextModel, path / "text_encoder", "model.safetensors")
    if tokenizer.model_max_length > text_encoder.config.max_position_embeddings:
        refuse(
            path / "tokenizer" / "tokenizer_config.json",
            f"allows {tokenizer.model_max_length} tokens where the text encoder takes "
            f"{text_encoder.config.max_position_embeddings}",
        )
    if getattr(text_encoder.config, "use_attention_mask", False):
        refuse(path / "text_encoder" / "config.json", "wants an attention mask, which is not supported")
    vae = _part(diffusers().AutoencoderKL, path / "vae", "diffusion_pytorch_model.safetensors").to(device)
    unet = _part(diffusers().UNet2DConditionModel, path / "unet", "diffusion_pytorch_model.safetensors")
    unet = unet.to(*place)
    if attention_slicing:
        unet.set_attention_slice("auto")
    if vae_tiling:
        vae.enable_tiling()
        vae.enable_slicing()
    return TextToImageModel(unet, vae, text_encoder.to(*place), tokenizer, scheduler)


def _part(kind: Any, folder: Path, weights: str) -> Any:
    """Load one network, eval mode, frozen, and see that every tensor fits."""
    read_json(folder / "config.json")
    check_weights(folder / weights)
    try:
        with uncompiled():
            network, loading = kind.from_pretrained(
                folder, use_safetensors=True, local_files_only=True, output_loading_info=True
            )
    except MemoryError:
        raise
    except Exception as error:  # a value that diffusers doesn't foresee can raise anything
        refuse(folder / weights, f"does not fit config.json ({in_short(error)})", error)
    misfits = sorted({str(key) for keys in loading.values() for key in keys})
    if misfits:
        refuse(
            folder / weights, f"does not fit config.json: {len(misfits)} tensors differ, first {misfits[0]}"
        )
    return network.eval().requires_grad_(False)


def _tokenizer(folder: Path) -> Any:
    # transformers 5 writes one file in place of two.
    pair = (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file()
    if not pair and not (folder / "tokenizer.json").is_file():
        refuse(folder, "lacks tokenizer.json, or vocab.json and merges.txt")
    try:
        tokenizer = transformers().CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the library raises plain Exception for a malformed file
        refuse(folder, f"cannot be read as a CLIP tokenizer ({in_short(error)})", error)
    if not 2 < tokenizer.model_max_length <= LONGEST_CAPTION:
        refuse(folder / "tokenizer_config.json", "states no model_max_length")
    return tokenizer
