"""LoRA files: every spelling of names, alpha over rank, and the same numbers as a low-rank path beside each layer."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mmh.errors import InputError
from mmh.models.latent.lora import check_lora, merge_lora

RANK = 2
UNET, TEXT = "unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"
LAYER = "down_blocks.0.attentions.0.transformer_blocks.0.attn1"
ENCODER = "encoder.layers.0.self_attn"


def weights(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Weights of three layers of a UNet, one of them a convolution, and of one layer of a text encoder."""
    unet = {f"{LAYER}.to_q.weight": weights(6, 4), f"{LAYER}.to_out.0.weight": weights(6, 6)}
    text = {f"text_model.{ENCODER}.q_proj.weight": weights(6, 6)}
    for name, tensors in ((UNET, unet | {"conv_in.weight": weights(6, 4, 3, 3)}), (TEXT, text)):
        (tmp_path / name).parent.mkdir()
        save_file({key: value.contiguous() for key, value in tensors.items()}, tmp_path / name)
    return tmp_path


def written(folder: Path, tensors: dict[str, torch.Tensor], **settings: object) -> Path:
    metadata = {"lora_adapter_metadata": json.dumps(settings)} if settings else None
    save_file(tensors, folder / "lora.safetensors", metadata=metadata)
    return folder / "lora.safetensors"


DOWN, UP = weights(RANK, 4, seed=1), weights(6, RANK, seed=2)
NAMES = {  # of the layer to_q of the UNet
    "peft": (f"unet.{LAYER}.to_q.lora_A.weight", f"unet.{LAYER}.to_q.lora_B.weight"),
    "diffusers": (f"unet.{LAYER}.to_q.lora.down.weight", f"unet.{LAYER}.to_q.lora.up.weight"),
    "processors": (
        f"unet.{LAYER}.processor.to_q_lora.down.weight",
        f"unet.{LAYER}.processor.to_q_lora.up.weight",
    ),
    "no prefix": (f"{LAYER}.processor.to_q_lora.down.weight", f"{LAYER}.processor.to_q_lora.up.weight"),
}


@pytest.mark.parametrize("form", NAMES)
def test_every_spelling_is_the_same_change(form: str, folder: Path) -> None:
    down, up = NAMES[form]
    before = load_file(folder / UNET)
    said = merge_lora(written(folder, {down: DOWN, up: UP}), folder, scale=0.5)
    after = load_file(folder / UNET)
    name = f"{LAYER}.to_q.weight"
    assert torch.allclose(after[name], before[name] + 0.5 * UP @ DOWN, atol=1e-6)  # alpha is the rank
    assert all(torch.equal(after[key], before[key]) for key in before if key != name)
    assert said["layers"] == {"unet": 1, "text_encoder": 0}
    assert said["ranks"] == [RANK]
    assert len(said["sha256"]) == 64


@pytest.mark.parametrize(
    ("settings", "alpha", "factor"),
    [
        ({}, None, 1.0),
        ({}, 8.0, 4.0),
        ({"unet.lora_alpha": 6}, None, 3.0),
        ({"unet.lora_alpha": 6, "unet.alpha_pattern": {"attn1.to_q": 1}}, None, 0.5),
        ({"unet.lora_alpha": 6, "unet.alpha_pattern": {"attn2.to_q": 1}}, None, 3.0),
        ({"unet.lora_alpha": 6, "unet.use_rslora": True}, None, 6 / 2**0.5),
        ({"text_encoder.lora_alpha": 6}, None, 1.0),
        ({"unet.lora_alpha": 6}, 8.0, 4.0),
    ],
)
def test_the_change_is_scaled_by_alpha_over_rank(
    settings: dict[str, object], alpha: float | None, factor: float, folder: Path
) -> None:
    down, up = NAMES["peft"]
    tensors = {down: DOWN, up: UP}
    if alpha is not None:
        tensors[f"unet.{LAYER}.to_q.alpha"] = torch.tensor(alpha)
    name = f"{LAYER}.to_q.weight"
    before = load_file(folder / UNET)[name]
    merge_lora(written(folder, tensors, **settings), folder)
    assert torch.allclose(load_file(folder / UNET)[name], before + factor * UP @ DOWN, atol=1e-5)


def test_half_precision_stays_half_precision(folder: Path) -> None:
    half = {key: value.half() for key, value in load_file(folder / UNET).items()}
    save_file(half, folder / UNET)
    down, up = NAMES["peft"]
    merge_lora(written(folder, {down: DOWN, up: UP}), folder)
    assert {value.dtype for value in load_file(folder / UNET).values()} == {torch.float16}


BAD = {
    "lora_unet_down_blocks_0.lora_down.weight": "is no name that is known here; it is a file of kohya's scripts",
    "unet.mid_block.gate": "unet.mid_block.gate is no name that is known here",
    "text_encoder_2.q_proj.lora_A.weight": "text_encoder_2.q_proj.lora_A.weight is there without its up",
}


@pytest.mark.parametrize("name", BAD)
def test_an_unknown_name_is_told(name: str, folder: Path) -> None:
    with pytest.raises(InputError) as told:
        check_lora(written(folder, {name: DOWN}), folder)
    assert BAD[name] in str(told.value)
    assert "\n" not in str(told.value)


def test_what_is_of_another_model_or_no_lora_is_refused(folder: Path) -> None:
    down, up = NAMES["peft"]
    refused = {
        "has not; it is a LoRA of another model": {
            key.replace("attn1", "attn9"): value for key, value in ((down, DOWN), (up, UP))
        },
        "the layer's weights are (6, 4)": {down: weights(RANK, 5), up: UP},
    }
    for said, tensors in refused.items():
        with pytest.raises(InputError, match=said.replace("(", r"\(").replace(")", r"\)")):
            check_lora(written(folder, tensors), folder)
    with pytest.raises(InputError, match="was made with use_dora"):
        check_lora(written(folder, {down: DOWN, up: UP}, **{"unet.use_dora": True}), folder)
    (folder / "pickled.bin").write_bytes(b"x")
    (folder / "torn.safetensors").write_bytes(b"x" * 20)
    for file, said in (
        ("pickled.bin", "only safetensors"),
        ("torn.safetensors", "is damaged"),
        ("none.safetensors", "no such"),
    ):
        with pytest.raises(InputError, match=f"--lora .*{said}"):
            check_lora(folder / file, folder, "--lora ")


def test_a_merged_pipeline_computes_what_a_path_beside_each_layer_does(tmp_path: Path) -> None:
    """The brute-force twin: hooks add up(down(x)) to what linear layers and a convolution give."""
    from tiny_pipeline import write_pipeline

    from mmh.models.latent.folder import load_folder

    pipeline = write_pipeline(tmp_path / "model")
    plain = load_folder(pipeline)
    layers = {
        ("unet", f"{LAYER}.to_k"): "lora_A lora_B",
        ("unet", "down_blocks.0.attentions.0.proj_in"): "lora_A lora_B",
        ("unet", "down_blocks.0.resnets.0.conv1"): "lora.down lora.up",
        ("text_encoder", f"text_model.{ENCODER}.q_proj"): "lora_linear_layer.down lora_linear_layer.up",
    }
    tensors: dict[str, torch.Tensor] = {}
    for number, ((part, name), words) in enumerate(layers.items()):
        found = dict(getattr(plain, part).named_modules())
        module = found.get(name) or found[name.removeprefix("text_model.")]
        out, inner, *kernel = module.weight.shape
        down = weights(RANK, inner, *kernel, seed=number) / 2
        up = weights(out, RANK, *[1] * len(kernel), seed=50 + number) / 2
        for word, tensor in zip(words.split(), (down, up), strict=True):
            tensors[f"{part}.{name}.{word}.weight"] = tensor
        tensors[f"{part}.{name}.alpha"] = torch.tensor(3.0)

        def beside(module, given, gave, down=down, up=up):
            if down.dim() == 2:
                return gave + 3.0 / RANK * given[0] @ down.T @ up.T
            low = torch.nn.functional.conv2d(given[0], down, padding=module.padding, stride=module.stride)
            return gave + 3.0 / RANK * torch.nn.functional.conv2d(low, up)

        module.register_forward_hook(beside)
    z, prompt = weights(2, 4, 4, 4), ["three red plate", "seven"]

    def noise(model) -> torch.Tensor:
        with torch.no_grad():
            return model.unet(z, 500, encoder_hidden_states=model.embed(prompt)).sample

    before = noise(load_folder(pipeline))
    lora = written(tmp_path, tensors)
    assert len(check_lora(lora, pipeline)) == len(layers)
    merge_lora(lora, pipeline)
    after = noise(load_folder(pipeline))
    assert torch.allclose(after, noise(plain), atol=1e-4)
    assert not torch.allclose(after, before, atol=1e-2)
