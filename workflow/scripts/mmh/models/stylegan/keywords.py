"""The keywords that a StyleGAN2-ADA network was made with, as options of `Generator`."""

import math
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
}
REQUIRED = [name for name in KEYWORDS if "." not in name]
# What the authors' classes assume for keywords that are left out, where `Generator` assumes otherwise.
DEFAULTS = {"mapping_layers": 8}


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
            keywords[name] = value
    options: dict[str, Any] = dict(DEFAULTS)
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
