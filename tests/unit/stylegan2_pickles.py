"""Pickles of the layout that StyleGAN2-ADA publishes, made without its authors' modules.

Their names are lent to stand-ins while a file is written: a pickle holds names, not code.
"""

import pickle
import re
import sys
import types
from collections import OrderedDict
from contextlib import contextmanager

import numpy as np
import torch

BUFFERS = ("w_avg", "resample_filter", "noise_const")
CLASSES = {
    r"mapping": "MappingNetwork",
    r"synthesis": "SynthesisNetwork",
    r"b\d+": "SynthesisBlock",
    r"conv\d": "SynthesisLayer",
    r"torgb": "ToRGBLayer",
    r"affine|embed|fc\d+": "FullyConnectedLayer",
}
# What their Python file would do if someone ran it: tests look for the file that it makes.
SOURCE = "open({sentinel!r}, 'w').write('ran')\nraise RuntimeError('the embedded source was run')\n"


class EasyDict(dict):
    """Named like theirs."""


def _reconstruct_persistent_obj(meta):
    raise AssertionError("only its name is needed")


class Record:
    """A network or layer, pickled as one call on the dictionary `meta`."""

    def __init__(self, class_name, state, source, **changes):
        self.meta = {
            "type": "class",
            "version": 6,
            "module_src": source,
            "class_name": class_name,
            "state": state,
        } | changes

    def __reduce__(self):
        return _reconstruct_persistent_obj, (self.meta,)


class Call:
    """Pickled as the call of a function, which may be the result of a call itself."""

    def __init__(self, function, *arguments, then=None):
        self.call = (function, arguments) if then is None else (function, arguments, then)

    def __call__(self):
        raise AssertionError("for pickle, which wants a callable")

    def __reduce__(self):
        return self.call


def module(class_name, source, **attributes):
    """Record of a module without tensors or children; the attributes are those of `torch.nn.Module`."""
    state = {
        "training": False,
        "_parameters": OrderedDict(),
        "_buffers": OrderedDict(),
        "_non_persistent_buffers_set": set(),
        "_backward_hooks": OrderedDict(),
        "_forward_hooks": OrderedDict(),
        "_modules": OrderedDict(),
        "weight_gain": np.float64(1) / np.sqrt(3),
        "num_ws": np.int64(8),
        "use_noise": np.bool_(True),
        "_init_args": (),
        "_init_kwargs": EasyDict(),
    }
    return Record(class_name, state | attributes, source)


def _class_of(name):
    for pattern, class_name in CLASSES.items():
        if re.fullmatch(pattern, name):
            return class_name
    return "Module"


def network(tensors, keywords, source, class_name="Generator"):
    """Record of a whole network from its state dict and the keywords it was made with."""
    root = module(class_name, source, _init_kwargs=keywords)
    for name, tensor in tensors.items():
        place = root
        *path, leaf = name.split(".")
        for step in path:
            children = place.meta["state"]["_modules"]
            if step not in children:
                children[step] = module(_class_of(step), source)
            place = children[step]
        if leaf in BUFFERS:
            place.meta["state"]["_buffers"][leaf] = tensor.detach()
        else:
            place.meta["state"]["_parameters"][leaf] = torch.nn.Parameter(tensor.detach())
    return root


def training_keywords(config):
    """Keywords as training writes them."""
    return EasyDict(
        z_dim=config["z_dim"],
        w_dim=config["w_dim"],
        mapping_kwargs=EasyDict(num_layers=config["mapping_layers"]),
        synthesis_kwargs=EasyDict(
            channel_base=config["channel_base"],
            channel_max=config["channel_max"],
            num_fp16_res=4,
            conv_clamp=config["conv_clamp"],
        ),
        c_dim=config["c_dim"],
        img_resolution=config["resolution"],
        img_channels=config["channels"],
    )


def converter_keywords(config):
    """Keywords as the converter from TensorFlow writes them; some of its numbers are NumPy's."""
    keywords = training_keywords(config)
    keywords["mapping_kwargs"].update(
        embed_features=None,
        layer_features=None,
        activation="lrelu",
        lr_multiplier=np.float32(config["mapping_lr"]),
        w_avg_beta=config["w_avg_beta"],
    )
    keywords["synthesis_kwargs"].update(
        architecture="skip",
        resample_filter=list(config["resample_filter"]),
        use_noise=True,
        activation="lrelu",
        num_fp16_res=np.int64(0),
    )
    return keywords


def stylegan3_keywords(config):
    """Keywords as StyleGAN3's training writes them for StyleGAN2: those of the synthesis beside the others."""
    return EasyDict(
        z_dim=config["z_dim"],
        w_dim=config["w_dim"],
        mapping_kwargs=EasyDict(num_layers=config["mapping_layers"]),
        channel_base=config["channel_base"],
        channel_max=config["channel_max"],
        fused_modconv_default="inference_only",
        c_dim=config["c_dim"],
        img_resolution=config["resolution"],
        img_channels=config["channels"],
    )


def published(record, source):
    """Give the content of a file: G_ema with what lies beside it."""
    other = module("Discriminator", source, _init_args=("unused", {1, 2}))
    other.meta["state"]["_parameters"]["weight"] = torch.nn.Parameter(torch.ones(2, 3))
    augment = module("AugmentPipe", source, xflip=np.float32(1))
    options = EasyDict(class_name="training.dataset.ImageFolderDataset", path="cifar10.zip")
    return {
        "G": other,
        "D": other,
        "G_ema": record,
        "training_set_kwargs": options,
        "augment_pipe": augment,
    }


@contextmanager
def _lent_names():
    lent = {
        "torch_utils": {},
        "torch_utils.persistence": {"_reconstruct_persistent_obj": _reconstruct_persistent_obj},
        "dnnlib": {},
        "dnnlib.util": {"EasyDict": EasyDict},
    }
    assert not set(lent) & set(sys.modules)
    own = {item: item.__module__ for item in (_reconstruct_persistent_obj, EasyDict)}
    try:
        for name, content in lent.items():
            sys.modules[name] = types.ModuleType(name)
            for key, value in content.items():
                setattr(sys.modules[name], key, value)
                value.__module__ = name
        yield
    finally:
        for name in lent:
            sys.modules.pop(name, None)
        for item, name in own.items():
            item.__module__ = name


def dumps(content, protocol=3, *, old_numpy=False):
    """Pickle with the names of the authors' modules; `old_numpy` spells NumPy's as its version 1 does."""
    with _lent_names():
        data = pickle.dumps(content, protocol)
    if old_numpy:
        assert protocol < 4  # names are lines there, of any length
        assert b"numpy._core.multiarray\n" in data
        data = data.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    return data
