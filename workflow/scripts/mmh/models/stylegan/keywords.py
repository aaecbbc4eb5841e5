"""The keywords that a StyleGAN2 network was made with, as options of `Generator`.

The code of StyleGAN2-ADA takes those of the synthesis network as one keyword, ``synthesis_kwargs``; that of
StyleGAN3, which trains StyleGAN2 as well, takes them beside the others, and clamps where nothing is said.
"""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmh.errors import InputError
from mmh.models.stylegan.stand_ins import Record, short

LARGEST = 2**16  # of sizes among the keywords, far above any generator


def _integer(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LARGEST


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _or_none(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or test(value)


def _numbers(value: Any) -> bool:
    return isinstance(value, list | tuple) and 0 < len(value) < 64 and all(map(_number, value))


def _flag(value: Any) -> bool:
    return type(value) is bool


def _only(value: Any) -> Callable[[Any], bool]:
    return lambda given: type(given) is type(value) and given == value


# Keyword -> option of `Generator`, test of its value. Without an option the value changes nothing here (it is
# about speed on a GPU), or `Generator` knows one value only.
KEYWORDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "z_dim": ("z_dim", _integer),
    "w_dim": ("w_dim", _integer),
    "c_dim": ("c_dim", _integer),
    "img_resolution": ("resolution", _integer),
    "img_channels": ("channels", _integer),
    "mapping_kwargs.num_layers": ("mapping_layers", _integer),
    "mapping_kwargs.embed_features": ("embed_features", _or_none(_integer)),
    "mapping_kwargs.layer_features": ("layer_features", _or_none(_integer)),
    "mapping_kwargs.activation": ("", _only("lrelu")),
    "mapping_kwargs.lr_multiplier": ("mapping_lr", _number),
    "mapping_kwargs.w_avg_beta": ("w_avg_beta", _number),
    "synthesis_kwargs.channel_base": ("channel_base", _integer),
    "synthesis_kwargs.channel_max": ("channel_max", _integer),
    "synthesis_kwargs.conv_clamp": ("conv_clamp", _or_none(_number)),
    "synthesis_kwargs.resample_filter": ("resample_filter", _numbers),
    "synthesis_kwargs.use_noise": ("use_noise", _flag),
    "synthesis_kwargs.architecture": ("", _only("skip")),
    "synthesis_kwargs.activation": ("", _only("lrelu")),
    "synthesis_kwargs.kernel_size": ("", _only(3)),
    "synthesis_kwargs.num_fp16_res": ("", _integer),
    "synthesis_kwargs.fp16_channels_last": ("", _flag),
    "synthesis_kwargs.fused_modconv_default": ("", lambda value: _flag(value) or value == "inference_only"),
}
REQUIRED = [name for name in KEYWORDS if "." not in name]
# What the authors' classes assume for keywords that are left out, where `Generator` assumes otherwise.
DEFAULTS = {"mapping_layers": 8}
CLAMP = 256  # conv_clamp where StyleGAN3's code is told nothing; StyleGAN2-ADA's does not clamp then


def generator_options(record: Record, path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Translate the keywords that the network was made with; also give them as they are, for the record."""
    given = record.state.get("_init_kwargs")
    if not isinstance(given, dict) or record.state.get("_init_args"):
        raise InputError(f"{path}: G_ema does not say by which keywords it was made")
    keywords: dict[Any, Any] = {}
    for name, value in given.items():
        if name in ("mapping_kwargs", "synthesis_kwargs") and isinstance(value, dict):
            keywords |= {f"{name}.{key}": inner for key, inner in value.items()}
        else:
            inner_name = f"synthesis_kwargs.{name}"
            keywords[inner_name if inner_name in KEYWORDS else name] = value
    options: dict[str, Any] = dict(DEFAULTS)
    if (clamp := _stored_clamp(record, CLAMP if "synthesis_kwargs" not in given else None)) is not None:
        options["conv_clamp"] = clamp
    for name, value in keywords.items():
        option, test = KEYWORDS.get(name, ("", lambda _: False))
        if not test(value):
            given_as = f"{short(name)} {short(value)}"
            raise InputError(f"{path}: G_ema was made with {given_as}, which is not supported")
        if option:
            options[option] = value
    if missing := [name for name in REQUIRED if name not in keywords]:
        raise InputError(f"{path}: the keywords of G_ema lack {', '.join(missing)}")
    return options, keywords


def refuse_stylegan3(record: Record, path: Path) -> None:
    """Refuse a generator of StyleGAN3 by the names of its layers: its class has the same name."""
    children = _children(_children(record).get("synthesis"))
    layers = [name for name in children if isinstance(name, str) and re.fullmatch(r"L[0-9]+_.*", name)]
    if layers:
        raise InputError(
            f"{path}: G_ema is a StyleGAN3 generator (its synthesis network has the layer "
            f"{short(layers[0])}); StyleGAN2 is read, by whichever code it was written: take a model of "
            "--cfg=stylegan2"
        )


def _stored_clamp(record: Record, default: float | None) -> Any:
    """Say where outputs are clamped if no keyword does: the first layer knows, if the writer kept that."""
    layer: Any = record
    for name in ("synthesis", "b4", "conv1"):
        layer = _children(layer).get(name)
        if not isinstance(layer, Record):
            return default
    value = layer.state.get("conv_clamp", default)
    return value if _or_none(_number)(value) else default


def _children(record: Any) -> dict[Any, Any]:
    children = record.state.get("_modules") if isinstance(record, Record) else None
    return children if isinstance(children, dict) else {}
