"""Pickles of the published layout load bit for bit; hostile ones are refused before anything of them runs."""

import builtins
import codecs
import copyreg
import functools
import hashlib
import importlib
import io
import operator
import os
import pickle
import struct
import subprocess
import sys
import types
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import stylegan2_pickles as forge
import torch
from stylegan2_pickles import Call

from mmh.errors import InputError
from mmh.io.restricted_pickle import load
from mmh.models.stylegan.generator import Generator
from mmh.models.stylegan.published import load_stylegan2
from mmh.models.stylegan.stand_ins import ALLOWED

SMALL = {"z_dim": 6, "w_dim": 5, "c_dim": 3, "resolution": 8, "channel_base": 32, "channel_max": 8}


def generator(seed=0, **options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Generator(**{**SMALL, "conv_clamp": 256, **options}).requires_grad_(False)
        for tensor in network.state_dict().values():
            tensor.copy_(torch.randn(tensor.shape))
    return network


@pytest.fixture
def sentinel(tmp_path):
    """A file that hostile code would make."""
    return tmp_path / "code-was-run"


@pytest.fixture
def write(tmp_path, sentinel):
    """Write a pickle of a small generator; arguments change it."""

    def write(*, tensors=None, keywords=None, class_name="Generator", change=None, protocol=3, **pickling):
        network = generator()
        source = forge.SOURCE.format(sentinel=str(sentinel))
        keywords = forge.training_keywords(network.config) if keywords is None else keywords
        record = forge.network(
            network.state_dict() if tensors is None else tensors, keywords, source, class_name
        )
        if change is not None:
            change(record.meta["state"])
        path = tmp_path / "network.pkl"
        path.write_bytes(forge.dumps(forge.published(record, source), protocol, **pickling))
        return path

    return write


def assert_equal(state, expected):
    assert list(state) == list(expected)
    for name, tensor in expected.items():
        assert state[name].dtype == tensor.dtype, name
        assert state[name].shape == tensor.shape, name
        assert state[name].numpy().tobytes() == tensor.numpy().tobytes(), name


def refused(path, message):
    """The file is refused by one line that names it."""
    with pytest.raises(InputError, match=message) as caught:
        load_stylegan2(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    return str(caught.value)


@pytest.mark.parametrize("keywords", [forge.training_keywords, forge.converter_keywords])
@pytest.mark.parametrize(
    ("protocol", "old_numpy"), [(2, False), (2, True), (3, False), (3, True), (4, False), (5, False)]
)
def test_every_protocol_and_keyword_set(write, sentinel, protocol, old_numpy, keywords):
    network = generator()
    given = keywords(network.config)
    path = write(keywords=given, protocol=protocol, old_numpy=old_numpy)
    loaded = load_stylegan2(path)
    assert_equal(loaded.network.state_dict(), network.state_dict())
    assert not sentinel.exists()
    # The embedded source is live: whoever runs it makes the file.
    source = forge.SOURCE.format(sentinel=str(sentinel))
    with pytest.raises(RuntimeError, match="source was run"):
        exec(source, {})
    assert sentinel.exists()
    wanted = dict(network.config)
    if keywords is forge.converter_keywords:
        wanted["mapping_lr"] = float(np.float32(0.01))
    assert loaded.network.config == wanted
    assert loaded.source["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert loaded.source["module_sha256"] == hashlib.sha256(source.encode()).hexdigest()
    assert loaded.source["keywords"]["synthesis_kwargs.num_fp16_res"] in (0, 4)
    assert not loaded.network.training


def test_the_published_shape(write):
    network = generator(z_dim=512, w_dim=512, c_dim=10, resolution=32, channel_base=32768, channel_max=512)
    state = network.state_dict()
    assert (len(state), sum(t.numel() for t in state.values())) == (77, 20_218_707)
    path = write(tensors=state, keywords=forge.converter_keywords(network.config))
    loaded = load_stylegan2(path)
    assert_equal(loaded.network.state_dict(), state)
    z, c = torch.randn(1, 512, generator=torch.Generator().manual_seed(0)), torch.tensor([4])
    network.mapping.load_state_dict(loaded.network.mapping.state_dict())
    image = loaded(z, c)
    assert image.shape == (1, 3, 32, 32)
    assert torch.equal(image, network(z, torch.eye(10)[c]))


@pytest.mark.parametrize(
    ("given", "stored", "wanted"),
    [({}, ..., 256), ({"conv_clamp": None, "num_fp16_res": 0}, ..., None), ({}, None, None), ({}, 128, 128)],
)
def test_stylegan2_that_stylegan3s_code_wrote(write, sentinel, given, stored, wanted):
    network = generator()

    def change(state):
        if stored is not ...:  # its layers keep their options as attributes
            layer = state["_modules"]["synthesis"].meta["state"]["_modules"]["b4"]
            layer.meta["state"]["_modules"]["conv1"].meta["state"]["conv_clamp"] = stored

    keywords = forge.stylegan3_keywords(network.config) | given
    loaded = load_stylegan2(write(keywords=keywords, change=change, protocol=4))
    assert_equal(loaded.network.state_dict(), network.state_dict())
    assert loaded.network.config == dict(network.config) | {"conv_clamp": wanted}
    assert not sentinel.exists()


def test_a_clamp_that_no_keyword_states_is_none_for_stylegan2_ada(write):
    keywords = forge.training_keywords(generator().config)
    del keywords["synthesis_kwargs"]["conv_clamp"]
    assert load_stylegan2(write(keywords=keywords)).network.config["conv_clamp"] is None


@pytest.mark.parametrize(
    ("name", "keywords"),
    [
        ("L0_36_512", {"magnitude_ema_beta": 0.999}),
        ("L14_256_3", {"conv_kernel": 1, "use_radial_filters": True}),
    ],
)
def test_stylegan3_is_refused_by_the_name_of_a_layer(write, name, keywords):
    tensors = {"synthesis.input.transform": torch.eye(3), f"synthesis.{name}.weight": torch.ones(2, 2)}
    given = forge.stylegan3_keywords(generator().config) | keywords
    message = refused(write(tensors=tensors, keywords=given), "is a StyleGAN3 generator")
    assert name in message
    assert "--cfg=stylegan2" in message


def test_loading_draws_no_random_numbers(write):
    path = write()
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    load_stylegan2(path)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_other_options_are_translated(write):
    options = {
        "c_dim": 0,
        "mapping_layers": 8,
        "conv_clamp": None,
        "channels": 1,
        "resample_filter": [1, 2, 2, 1],
        "layer_features": 7,
        "use_noise": False,
    }
    network = generator(**options)
    keywords = forge.converter_keywords(network.config)
    del keywords["mapping_kwargs"]["num_layers"]  # the authors' classes assume 8
    keywords["mapping_kwargs"]["layer_features"] = 7
    keywords["synthesis_kwargs"].update(use_noise=False, fp16_channels_last=True, kernel_size=3)
    loaded = load_stylegan2(write(tensors=network.state_dict(), keywords=keywords))
    assert_equal(loaded.network.state_dict(), network.state_dict())
    assert loaded.network.config["mapping_layers"] == 8
    assert loaded.network.config["conv_clamp"] is None


def test_tensors_may_share_a_storage_or_lie_otherwise_in_it(write):
    """Views with an offset, and the channels-last layout of half-precision blocks."""
    state = generator().state_dict()
    shared = torch.arange(40.0)
    changed = dict(state)
    changed["mapping.w_avg"] = shared[3:8]
    name = "synthesis.b8.conv1.weight"
    changed[name] = state[name].contiguous(memory_format=torch.channels_last)
    loaded = load_stylegan2(write(tensors=changed)).network.state_dict()
    assert loaded["mapping.w_avg"].tolist() == [3, 4, 5, 6, 7]
    assert torch.equal(loaded[name], state[name])
    assert loaded[name].is_contiguous()


# -- Networks that are something else ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("group", "name", "value", "message"),
    [
        ("synthesis_kwargs", "architecture", "resnet", "architecture' 'resnet', which is not supported"),
        ("synthesis_kwargs", "activation", "relu", "'synthesis_kwargs.activation' 'relu'"),
        ("mapping_kwargs", "activation", "linear", "'mapping_kwargs.activation' 'linear'"),
        ("synthesis_kwargs", "kernel_size", 5, "'synthesis_kwargs.kernel_size' 5"),
        ("synthesis_kwargs", "magic", 1, "'synthesis_kwargs.magic' 1"),
        (None, "truncation_psi", 1, "'truncation_psi' 1"),
        (None, "img_resolution", 12, "power of two"),
        (None, "img_resolution", 2**40, "'img_resolution' 1099511627776"),
        (None, "z_dim", "512", "'z_dim' '512'"),
        (None, "mapping_kwargs", [8], r"'mapping_kwargs' \[8\]"),
        ("mapping_kwargs", "w_avg_beta", None, "w_avg_beta' None"),
        ("mapping_kwargs", "lr_multiplier", float("nan"), "lr_multiplier' nan"),
        ("synthesis_kwargs", "resample_filter", [1, 2, 1], "four numbers"),
        ("synthesis_kwargs", "resample_filter", None, "resample_filter' None"),
        ("synthesis_kwargs", "channel_max", True, "channel_max' True"),
        ("synthesis_kwargs", "kernel_size", 3.0, "kernel_size' 3.0"),
    ],
)
def test_keywords_that_are_not_supported_are_named(write, group, name, value, message):
    keywords = forge.training_keywords(generator().config)
    (keywords[group] if group else keywords)[name] = value
    refused(write(keywords=keywords), message)


def test_missing_keywords_are_named(write):
    keywords = forge.training_keywords(generator().config)
    del keywords["img_channels"]
    refused(write(keywords=keywords), "lack img_channels")
    refused(write(change=lambda state: state.pop("_init_kwargs")), "by which keywords")
    refused(write(change=lambda state: state.update(_init_args=(512,))), "by which keywords")


def test_the_class_must_be_a_generator(write):
    refused(write(class_name="Discriminator"), "G_ema is a 'Discriminator'")


def test_a_state_dict_must_fit_both_ways(write):
    state = generator().state_dict()
    name = "synthesis.b8.conv1.bias"
    refused(write(tensors={k: v for k, v in state.items() if k != name}), f"lacks the tensor {name} \\(4,\\)")
    refused(write(tensors=state | {name: torch.zeros(5)}), rf"{name} has shape \(5,\), .* ask for \(4,\)")
    refused(
        write(tensors=state | {"synthesis.b8.conv1.extra": torch.zeros(1)}),
        "tensor 'synthesis.b8.conv1.extra'",
    )
    refused(write(tensors=state | {"synthesis.b16.const": torch.zeros(1)}), "module 'synthesis.b16'")
    refused(
        write(tensors=state | {name: state[name].double()}), f"{name} .*torch.float64, expected torch.float32"
    )
    refused(write(tensors=state | {name: state[name].bfloat16()}), f"{name} is torch.bfloat16")
    no_mapping = {k: v for k, v in state.items() if not k.startswith("mapping")}
    refused(write(tensors=no_mapping), "lacks the tensor mapping.w_avg")


def test_records_that_hold_each_other(write):
    def circle(state):
        state["_modules"]["mapping"] = forge.Record("MappingNetwork", state, "")

    refused(write(change=circle), "module 'mapping.synthesis'|module 'mapping.mapping'")
    refused(write(change=lambda state: state["_modules"].update(mapping=3)), "'mapping' is no module")
    refused(write(change=lambda state: state["_parameters"].update(weight=3)), "'weight' is no tensor")
    refused(write(change=lambda state: state.update(_buffers=[])), "G_ema has no _buffers")
    refused(
        write(change=lambda state: state["_buffers"].update({("a",): torch.ones(1)})), "_buffers with names"
    )


# -- Files that are no pickles -----------------------------------------------------------------------------------


def test_files_that_are_no_pickles(tmp_path, write):
    path = tmp_path / "file.pkl"
    for content in (
        b"",
        b"<!DOCTYPE html><html>404</html>",
        b"\x89PNG\r\n",
        b"version https://git-lfs.github.com\n",
    ):
        path.write_bytes(content)
        refused(path, "no whole pickle .*fetch the file anew")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", "x")
    refused(path, "no whole pickle")
    path.write_bytes(pickle.dumps({"G": 1}))
    refused(path, "no network G_ema")
    path.write_bytes(pickle.dumps([1, 2]))
    refused(path, "no network G_ema")
    path.unlink()
    refused(path, "No such file")
    refused(tmp_path, "Is a directory")
    whole = write().read_bytes()
    for cut in (1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        refused(path, "no whole pickle")


# -- Hostile files -----------------------------------------------------------------------------------------------


def _import_target(folder, sentinel):
    (folder / "planted_module.py").write_text(f"open({str(sentinel)!r}, 'w')\n")
    sys.modules.pop("planted_module", None)
    return "planted_module"


def _touch(sentinel):
    return f"touch {sentinel}"


ATTACKS = {
    "os.system": lambda path, _: Call(os.system, _touch(path)),
    "eval": lambda path, _: Call(builtins.eval, f"open({str(path)!r}, 'w')"),
    "exec": lambda path, _: Call(builtins.exec, f"open({str(path)!r}, 'w')"),
    "open": lambda path, _: Call(io.open, str(path), "w"),
    "subprocess": lambda path, _: Call(subprocess.check_call, ["touch", str(path)]),
    "pickle.loads": lambda path, _: Call(pickle.loads, pickle.dumps(Call(os.system, _touch(path)))),
    "partial": lambda path, _: Call(functools.partial(os.system, _touch(path))),
    "getattr": lambda path, _: Call(
        Call(getattr, Call(importlib.import_module, "os"), "system"), _touch(path)
    ),
    "attrgetter": lambda path, _: Call(
        Call(operator.attrgetter("system"), Call(importlib.import_module, "os")), _touch(path)
    ),
    "methodcaller": lambda path, _: Call(
        operator.methodcaller("system", _touch(path)), Call(importlib.import_module, "os")
    ),
    "import_module": lambda path, folder: Call(importlib.import_module, _import_target(folder, path)),
    "storage": lambda path, _: Call(
        torch.storage._load_from_bytes, _old_storage(Call(os.system, _touch(path)))
    ),
}


def _old_storage(content):
    """A file in PyTorch's old format whose pickle holds `content` in place of a storage."""
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


@pytest.mark.parametrize("place", ["network", "beside", "inside"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_calls_are_refused_and_not_run(write, tmp_path, monkeypatch, sentinel, attack, place):
    monkeypatch.syspath_prepend(tmp_path)
    weapon = ATTACKS[attack](sentinel, tmp_path)
    path = tmp_path / "network.pkl"
    if place == "inside":
        write(change=lambda state: state.update(num_ws=weapon))
    else:
        content = {"G_ema": weapon} if place == "network" else forge.published(weapon, "")
        path.write_bytes(forge.dumps(content))
    if attack == "storage" and place != "network":
        assert load_stylegan2(path) if place == "inside" else refused(path, "no network G_ema")
    else:
        refused(path, "no network G_ema" if attack == "storage" else "nothing of it was run")
    assert not sentinel.exists()
    # The weapon is loaded: the standard reader fires it.
    pickle.loads(pickle.dumps(weapon))
    assert sentinel.exists()


def _text(value):
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def _named(module, name, protocol):
    if protocol < 4:
        return b"c" + f"{module}\n{name}\n".encode()
    return _text(module) + _text(name) + b"\x93"


def _stream(body, protocol=4):
    return b"\x80" + bytes([protocol]) + body + b"."


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("module", ["os", "posix"])
def test_a_shell_under_either_name(tmp_path, sentinel, module, protocol):
    data = _stream(_named(module, "system", protocol) + b"(" + _text(_touch(sentinel)) + b"tR", protocol)
    path = tmp_path / "network.pkl"
    path.write_bytes(data)
    refused(path, f"asks for {module}.system")
    assert not sentinel.exists()
    pickle.loads(data)
    assert sentinel.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("torch.serialization", "os.system"),
        ("torch.storage", "io.open"),
        ("torch.storage", "_load_from_bytes.__globals__"),
        ("torch._utils", "_rebuild_parameter.__globals__"),
        ("collections", "OrderedDict.__init__"),
        ("builtins", "set.__class__.__subclasses__"),
        ("numpy", "dtype.__new__"),
        ("numpy", "load"),
        ("_codecs", "encode.__self__"),
        ("torch.serialization", "load"),
        ("torch._utils", "_rebuild_tensor"),
        ("torch", "_utils._rebuild_tensor_v2"),
    ],
)
def test_names_near_an_allowed_one_are_refused(tmp_path, module, name):
    path = tmp_path / "network.pkl"
    data = _stream(_named(module, name, 4))
    path.write_bytes(data)
    refused(path, f"asks for {module}.{name}".replace(".", r"\."))
    assert pickle.loads(data) is not None  # the name exists


def test_extension_codes_are_refused(tmp_path, sentinel):
    data = _stream(b"\x82\xf0(" + _text(_touch(sentinel)) + b"tR", 2)
    path = tmp_path / "network.pkl"
    path.write_bytes(data)
    copyreg.add_extension("posix", "system", 0xF0)
    try:
        # Whoever reads it first caches the function, and then no name is asked for again.
        pickle.loads(data)
        assert sentinel.exists()
        sentinel.unlink()
        refused(path, "extension code 240")
        assert not sentinel.exists()
    finally:
        copyreg.remove_extension("posix", "system", 0xF0)
        copyreg._extension_cache.clear()


def test_references_out_of_the_file_are_refused(tmp_path):
    path = tmp_path / "network.pkl"
    for body in (b"Pelsewhere\n", _text("elsewhere") + b"Q"):
        path.write_bytes(_stream(body, 2))
        refused(path, "outside of itself")


_REAL = {
    "function": _named("torch.storage", "_load_from_bytes", 4),
    "storage": _named("torch.storage", "_load_from_bytes", 4) + b"(C\x01xtR",
    "number type": _named("numpy", "dtype", 4) + b"(" + _text("f8") + b"tR",
    "tensor": _named("torch._utils", "_rebuild_tensor_v2", 4)
    + b"("
    + _named("torch.storage", "_load_from_bytes", 4)
    + b"(C\x01xtRK\x00))\x89NtR",
    "record": _named("torch_utils.persistence", "_reconstruct_persistent_obj", 4)
    + b"(}("
    + b"".join(
        _text(k) + (_text(v) if isinstance(v, str) else v)
        for k, v in {
            "type": "class",
            "version": b"K\x06",
            "class_name": "Generator",
            "state": b"}",
            "module_src": "",
        }.items()
    )
    + b"utR",
    "dictionary": _named("dnnlib.util", "EasyDict", 4) + b")R",
    "ordered dictionary": _named("collections", "OrderedDict", 4) + b")R",
    "class": _named("dnnlib.util", "EasyDict", 4),
    "set": _named("builtins", "set", 4) + b")R",
}


@pytest.mark.parametrize("what", _REAL)
def test_nothing_that_a_stream_gets_takes_attributes(what):
    body = _REAL[what]
    given = load(io.BytesIO(_stream(body)), ALLOWED, what="file")
    names = ["function", "data", "state", "class_name", "code", "items", "__call__", "__class__", "extra"]
    for name in names:
        attributes = b"}" + _text(name) + b"Ns"
        for state in (attributes, b"N" + attributes + b"\x86", attributes + attributes + b"\x86"):
            with pytest.raises(InputError, match="no whole pickle of the expected kind"):
                load(io.BytesIO(_stream(body + state + b"b")), ALLOWED, what="file")
        with pytest.raises((AttributeError, TypeError)):
            setattr(given, name, None)
    callables = {"function", "class"}
    assert callable(given) == (what in callables)


def test_a_reader_that_hands_out_plain_functions_would_take_attributes():
    """What the test above rests on: BUILD does change a function."""

    def function():
        return 1

    data = _stream(_named("m", "f", 4) + b"N}" + _text("__defaults__") + b"K\x07\x85s\x86b")
    load(io.BytesIO(data), {("m", "f"): function}, what="file")
    assert function.__defaults__ == (7,)


# -- Tensors that reach out of their storage -----------------------------------------------------------------------


def _placed(offset, size, stride, numbers=8, hooks=None, data=None):
    """Call that places a tensor in a storage; the tensor takes the part of mapping.w_avg (5,)."""
    tensor = torch.arange(float(numbers))
    storage = torch.storage.TypedStorage(
        wrap_storage=tensor.untyped_storage(), dtype=tensor.dtype, _internal=True
    )
    if data is not None:
        storage = Call(torch.storage._load_from_bytes, data)
    return Call(torch._utils._rebuild_tensor_v2, storage, offset, size, stride, False, hooks or OrderedDict())


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ((4, (5,), (1,)), "outside of its storage"),
        ((0, (5,), (2,)), "outside of its storage"),
        ((10**12, (5,), (1,)), "outside of its storage"),
        ((0, (2**40,), (0,)), "outside of its storage"),
        ((0, (2**62, 2**62), (1, 1)), "outside of its storage"),
        ((0, (5,), (2**62,)), "outside of its storage"),
        ((0, (0,), (1,)), "outside of its storage"),
        ((-1, (5,), (1,)), "no count"),
        ((0, (5,), (-1,)), "no count"),
        ((0, (-5,), (1,)), "no count"),
        ((0, (2**64,), (1,)), "no count"),
        ((True, (5,), (1,)), "no count"),
        ((0, (5.0,), (1,)), "no count"),
        ((0, (5,), (1, 1)), "no shape"),
        ((0, [5], [1]), "no shape"),
        ((0, (1,) * 9, (1,) * 9), "no shape"),
        ((0, (5,), (1,), 4), "outside of its storage"),
        ((0, (5,), (1,), 8, OrderedDict(a=print)), "builtins.print|hooks"),
        ((0, (5,), (1,), 8, {1: 2}), "hooks"),
    ],
)
def test_a_tensor_must_lie_within_its_storage(write, place, message):
    refused(write(change=_instead_of_w_avg(_placed(*place))), message)


def _instead_of_w_avg(value):
    def change(state):
        state["_modules"]["mapping"].meta["state"]["_buffers"]["w_avg"] = value

    return change


def test_a_tensor_that_lies_within_its_storage_is_taken(write):
    """The other side of the refusals above."""
    loaded = load_stylegan2(write(change=_instead_of_w_avg(_placed(3, (5,), (1,)))))
    assert loaded.network.mapping.w_avg.tolist() == [3, 4, 5, 6, 7]
    loaded = load_stylegan2(write(change=_instead_of_w_avg(_placed(0, (5,), (1,), 5))))
    assert loaded.network.mapping.w_avg.tolist() == [0, 1, 2, 3, 4]


def test_code_in_a_storage_is_refused(write, sentinel):
    weapon = _old_storage(Call(os.system, _touch(sentinel)))
    refused(write(change=_instead_of_w_avg(_placed(0, (5,), (1,), data=weapon))), "numbers of mapping.w_avg")
    assert not sentinel.exists()
    torch.storage._load_from_bytes(weapon)  # what the name means to PyTorch
    assert sentinel.exists()


def test_damaged_storages_are_refused(write):
    whole = _old_storage(torch.arange(8.0).untyped_storage())
    typed = _old_storage(
        torch.storage.TypedStorage(
            wrap_storage=torch.arange(8.0).untyped_storage(), dtype=torch.float32, _internal=True
        )
    )
    load_stylegan2(write(change=_instead_of_w_avg(_placed(0, (5,), (1,), data=typed))))
    count = struct.pack("<q", 8)
    assert typed.count(count) == 1
    for data in (
        b"",
        b"x",
        typed[:-1],
        typed[: len(typed) // 2],
        typed.replace(count, struct.pack("<q", 2**40)),
        whole,
    ):
        path = write(change=_instead_of_w_avg(_placed(0, (5,), (1,), data=data)))
        refused(path, "numbers of mapping.w_avg cannot be read")
    # A storage that is announced and not filled: the list of those that follow is empty.
    start = typed.rindex(b"\x80\x02]q")
    assert len(pickle.loads(typed[start:])) == 1
    unfilled = typed[:start] + pickle.dumps([], 2)
    refused(write(change=_instead_of_w_avg(_placed(0, (5,), (1,), data=unfilled))), "are not in the file")
    tensor = _old_storage(torch.arange(5.0))
    refused(write(change=_instead_of_w_avg(_placed(0, (5,), (1,), data=tensor))), "cannot be read")


# -- Sizes, and values in disguise ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"Nr\xff\xff\xff\x7f", "memo slot 2147483647"),
        (b"Np2000000000\n", "memo slot 2000000000"),
        (b"Nq\x05", "memo slot 5 in a stream of 3 steps"),
        (b"\x8e" + struct.pack("<Q", 2**62), "no whole pickle"),  # bytes
        (b"\x8d" + struct.pack("<Q", 2**40) + b"ab", "no whole pickle"),  # text
        (b"\x96" + struct.pack("<Q", 2**60), "no whole pickle"),  # bytearray
        (b"\x95" + struct.pack("<Q", 2**60) + b"N", "no whole pickle"),  # frame
        (b"\x8b" + struct.pack("<i", 2**31 - 1), "no whole pickle"),  # integer
    ],
)
def test_sizes_beyond_the_file_are_refused_at_once(tmp_path, body, message):
    path = tmp_path / "network.pkl"
    path.write_bytes(_stream(body))
    refused(path, message)


@pytest.mark.parametrize(
    "value",
    [
        Call(np.dtype, "O"),
        Call(np.dtype, "V8"),
        Call(np.dtype, [("a", "O")]),
        Call(np.dtype, "f8", then=(3, ">", None, None, None, -1, -1, 0)),
        Call(np.dtype, "f8", then=(3, "<", None, ("a",), {"a": 1}, -1, -1, 0)),
        np.datetime64("2020-01-01"),
        np.array([1.0]),
        Call(np.float64(1).__reduce__()[0], np.dtype("f8"), b"123"),
        Call(codecs.encode, "a", "rot13"),
    ],
)
def test_only_plain_numbers_of_numpy_are_read(write, value):
    refused(
        write(change=lambda state: state.update(weight_gain=value)),
        "NumPy|no whole pickle|asks for numpy|encodes text",
    )


def test_numpy_numbers_become_python_numbers():
    values = [np.float32(1.5), np.float64(-2), np.int64(2**40), np.uint8(7), np.bool_(True)]
    for protocol in (2, 3, 4, 5):
        read = load(io.BytesIO(forge.dumps(values, protocol)), ALLOWED, what="file")
        assert read == values
        assert [type(value) for value in read] == [float, float, int, int, bool]


def test_the_stand_ins_are_no_modules_of_the_authors():
    """The tests above would mean little if the real packages were there to be found."""
    assert "torch_utils" not in sys.modules
    assert "dnnlib" not in sys.modules
    with pytest.raises(ModuleNotFoundError):
        pickle.loads(forge.dumps(forge.EasyDict()))
    assert isinstance(load(io.BytesIO(forge.dumps(forge.EasyDict(a=1))), ALLOWED, what="file"), dict)
    assert not any(isinstance(stand_in, types.FunctionType) for stand_in in ALLOWED.values())


@pytest.mark.parametrize(
    "body", [b"}" + b"N" + b"\x85" * 200_000 + b"Ns.", b"}N2\x86Ns."], ids=["nested", "doubled"]
)
def test_tuples_that_would_end_the_process_are_refused(tmp_path, body):
    path = tmp_path / "file.pkl"
    path.write_bytes(b"\x80\x02" + body)
    with pytest.raises(InputError, match="builds tuples as no file of this kind does"):
        load_stylegan2(path)
