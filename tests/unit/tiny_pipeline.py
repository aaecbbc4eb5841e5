"""A tiny text-to-image pipeline with random weights, laid out as Stable Diffusion v1.5 is on the hub."""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel

LENGTH = 12
"""Tokens of a caption, start and end included."""

SCHEDULER = {
    "_class_name": "PNDMScheduler",
    "_diffusers_version": "0.6.0",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
}
WORDS = ("three", "seven", "plate", "with", "digit", "the", "red")
# The names that the attention of a VAE had before diffusers 0.12, as in the published weights.
OLD_NAMES = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


def write_pipeline(folder: Path, *, seed: int = 0, side: int = 4, prediction: str = "epsilon") -> Path:
    """Write the folder: latents 4 x side x side, images 3 x 2 side x 2 side, captions of 12 tokens.

    Parameters
    ----------
    folder : Path
        Folder to make.
    seed : int
        Of the weights.
    side : int
        Side of the latents.
    prediction : str
        Prediction type that the scheduler states.

    Returns
    -------
    Path
        The folder.
    """
    torch.manual_seed(seed)
    _tokenizer(folder / "tokenizer")
    size = len(json.loads((folder / "tokenizer" / "vocab.json").read_text()))
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=size,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=LENGTH,
            bos_token_id=size - 2,
            eos_token_id=size - 1,
            pad_token_id=size - 1,
        )
    )
    with torch.no_grad():
        # At their initial size the captions would hardly differ.
        text.get_input_embeddings().weight.mul_(50)
    text.save_pretrained(folder / "text_encoder")
    unet = UNet2DConditionModel(
        sample_size=side,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=16,
        attention_head_dim=2,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )
    with torch.no_grad():
        unet.conv_out.weight.mul_(8)  # noise of about unit size, as from a trained network
    unet.save_pretrained(folder / "unet")
    vae = AutoencoderKL(
        sample_size=2 * side,
        block_out_channels=(8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
    )
    vae.save_pretrained(folder / "vae")
    _as_published(folder)
    (folder / "scheduler").mkdir()
    settings = SCHEDULER | ({} if prediction == "epsilon" else {"prediction_type": prediction})
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(settings))
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.6.0",
        "feature_extractor": ["transformers", "CLIPImageProcessor"],
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        "scheduler": ["diffusers", "PNDMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def _tokenizer(folder: Path) -> None:
    """Write vocab.json and merges.txt: single letters, and each of `WORDS` (in this order) as one token."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    vocabulary = [*letters, *(letter + "</w>" for letter in letters)]
    merges: list[str] = []
    for word in WORDS:
        left = word[0]
        for place, letter in enumerate(word[1:], start=2):
            right = letter + ("</w>" if place == len(word) else "")
            if f"{left} {right}" not in merges:
                merges.append(f"{left} {right}")
                vocabulary.append(left + right)
            left += letter
    vocabulary += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(vocabulary)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    special["unk_token"] = "<|endoftext|>"
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            special
            | {
                "add_prefix_space": False,
                "do_lower_case": True,
                "errors": "replace",
                "model_max_length": LENGTH,
                "tokenizer_class": "CLIPTokenizer",
            }
        )
    )


def _as_published(folder: Path) -> None:
    """Name weights as the published files do: the VAE's attention, position ids, the text model's prefix."""
    file = folder / "vae" / "diffusion_pytorch_model.safetensors"
    renamed = {}
    for name, values in load_file(file).items():
        old = name
        for new_part, old_part in OLD_NAMES.items():
            old = old.replace(f".{new_part}.", f".{old_part}.")
        renamed[old] = values
    assert set(renamed) != set(load_file(file))
    save_file(renamed, file, metadata={"format": "pt"})
    file = folder / "text_encoder" / "model.safetensors"
    weights = load_file(file)
    weights = {
        name if name.startswith("text_model.") else f"text_model.{name}": v for name, v in weights.items()
    }
    weights["text_model.embeddings.position_ids"] = torch.arange(LENGTH)[None]
    save_file(weights, file, metadata={"format": "pt"})
