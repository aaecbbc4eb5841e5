"""Model folders of GANs: samples, latents, the map whose Jacobian is taken, and the two scripts around them."""

import json
import math

import convert_model
import numpy as np
import pytest
import score_spectra
import stylegan2_pickles as forge
import stylegan2_reference as reference
import torch
from safetensors.torch import load_file, save_file

from mmh.errors import InputError
from mmh.io.arrays import read_arrays, write_arrays
from mmh.lid.jacobian import jacobian_spectrum
from mmh.models.loading import load_model
from mmh.models.stylegan.generator import Generator
from mmh.models.stylegan.model import GeneratorModel, load_folder

OPTIONS = {
    "z_dim": 9,
    "w_dim": 8,
    "c_dim": 3,
    "resolution": 8,
    "channels": 1,
    "channel_base": 64,
    "channel_max": 12,
}
SOURCE = {"file": "network.pkl", "sha256": "0" * 64}


def make(**options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = Generator(**{**OPTIONS, **options}).requires_grad_(False)
        for name, tensor in network.state_dict().items():
            if name.endswith(("noise_strength", "w_avg")):
                tensor.copy_(torch.randn(tensor.shape))
    return GeneratorModel(network.train(), dict(SOURCE))


@pytest.fixture(scope="module")
def model():
    return make()


def test_latents_belong_to_the_seed_and_the_id(model):
    drawn = model.latents([5, 0, 5, 7], seed=3)
    assert drawn["z"].dtype == np.float32
    assert drawn["z"].shape == (4, 9)
    assert drawn["class"].dtype == np.int64
    assert drawn["class"].tolist() == [2, 0, 2, 1]
    np.testing.assert_array_equal(drawn["z"][0], drawn["z"][2])
    np.testing.assert_array_equal(model.latents([7], seed=3)["z"][0], drawn["z"][3])
    assert (model.latents([7], seed=4)["z"][0] != drawn["z"][3]).any()
    many = model.latents(range(3000), seed=0)
    assert np.bincount(many["class"]).tolist() == [1000, 1000, 1000]
    # 27,000 standard normal numbers: mean within 5 standard errors, variance likewise.
    assert abs(many["z"].mean()) < 5 / math.sqrt(many["z"].size)
    assert abs(many["z"].var() - 1) < 5 * math.sqrt(2 / many["z"].size)
    assert list(make(c_dim=0).latents([1], seed=0)) == ["z"]


@pytest.mark.parametrize("noise", ["const", "none"])
@pytest.mark.parametrize("truncation", [1.0, 0.6])
def test_samples_are_the_images_of_their_latents(model, truncation, noise):
    ids = [4, 11, 2]
    x = model.sample(ids, seed=8, batch_size=5, truncation=truncation, noise=noise)
    assert x.dtype == np.float32
    assert x.shape == (3, 1, 8, 8)
    drawn = model.latents(ids, seed=8)
    state = {name: tensor.double() for name, tensor in model.network.state_dict().items()}
    z = torch.from_numpy(drawn["z"]).double()
    expected = reference.images(state, z, drawn["class"], psi=truncation, noise=noise)
    np.testing.assert_allclose(x, expected, atol=1e-5)
    assert np.abs(x).max() > 1  # not clipped


@pytest.mark.parametrize("noise", ["const", "random"])
def test_bytes_do_not_depend_on_the_cut_or_the_order(model, noise):
    call = {"seed": 1, "batch_size": 4, "noise": noise}
    whole = model.sample(range(11), **call)
    parts = [model.sample(part, **call) for part in (range(3), range(3, 4), range(4, 11))]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    assert model.sample([9, 2, 5], **call).tobytes() == whole[[9, 2, 5]].tobytes()
    assert len({image.tobytes() for image in whole}) == 11
    assert (model.sample([2], **call | {"seed": 2}) != whole[2]).any()
    assert model.sample([], **call).shape == (0, 1, 8, 8)


def test_random_noise_is_noise(model):
    call = {"seed": 1, "batch_size": 4}
    random, const = (model.sample([0, 4], noise=noise, **call) for noise in ("random", "const"))
    assert np.abs(random - const).max() > 1e-2
    # Its key is the id, not the place in a batch.
    drawn = model.latents([0, 4], seed=1)
    z, hot = torch.from_numpy(drawn["z"]), torch.eye(3)[torch.from_numpy(drawn["class"])]
    expected = model.network(z, hot, noise="random", noise_seed=1, noise_ids=[0, 4])
    np.testing.assert_allclose(random, expected.numpy(), atol=1e-5)
    with pytest.raises(InputError, match="const, none, random"):
        model.sample([0], noise="some", **call)


def test_progress_is_reported(model):
    done = []
    model.sample(range(6), seed=0, batch_size=4, progress=done.append)
    assert done == [4, 6]


def test_the_map_of_the_jacobian(model):
    ids = [3, 10]
    drawn = model.latents(ids, seed=0)
    z, c = torch.from_numpy(drawn["z"]), torch.from_numpy(drawn["class"])
    np.testing.assert_allclose(model(z, c).numpy(), model.sample(ids, seed=0), atol=1e-5)
    assert not torch.allclose(model(z, c), model(z, (c + 1) % 3))
    spectra = jacobian_spectrum(model, z, c)
    assert spectra.shape == (2, 9)
    assert (spectra[:, -1] < 1e-5 * spectra[:, 0]).all()  # z only counts by its direction
    # The class is held fixed, and a row is the same alone and among others.
    alone = jacobian_spectrum(model, z[1:], c[1:])
    assert alone.tobytes() == spectra[1:].tobytes()
    state = {name: tensor.double() for name, tensor in model.network.state_dict().items()}
    label = int(c[0])
    matrix = torch.autograd.functional.jacobian(
        lambda v: reference.images(state, v[None], [label]).flatten(), z[0].double()
    )
    np.testing.assert_allclose(spectra[0], torch.linalg.svdvals(matrix), rtol=1e-4, atol=1e-5)
    twin = GeneratorModel(make().network.double())
    exact = jacobian_spectrum(twin, z[:1].double(), c[:1])
    np.testing.assert_allclose(exact[0], torch.linalg.svdvals(matrix), rtol=1e-8, atol=1e-7)


def test_class_ids_are_checked(model):
    z = torch.zeros(2, 9)
    for c, message in [
        (None, "3 classes, but class ids are not given"),
        (torch.tensor([0, 3]), r"0\.\.2"),
        (torch.tensor([-1, 0]), r"0\.\.2"),
        (torch.eye(3)[:2], r"0\.\.2, got given \(torch.float32 \(2, 3\)\)"),
    ]:
        with pytest.raises(InputError, match=message):
            model(z, c)
    with pytest.raises(InputError, match="0 classes, but class ids are given"):
        make(c_dim=0)(z, torch.tensor([0, 1]))


def test_a_gan_has_no_score(model):
    assert model.attention() == "none"
    assert model.classes == 3
    assert make(c_dim=0).classes is None
    with pytest.raises(InputError, match='method "jacobian"'):
        model.score_model()


def test_a_folder_gives_the_same_model(tmp_path, model):
    model.save(tmp_path / "model")
    assert sorted(file.name for file in (tmp_path / "model").iterdir()) == [
        "model.json",
        "weights.safetensors",
    ]
    description = json.loads((tmp_path / "model" / "model.json").read_text())
    assert description["class"] == "StyleGan2Generator"
    assert description["options"] == model.network.config
    assert description["source"] == SOURCE
    for load in (load_folder, load_model):
        loaded = load(tmp_path / "model")
        assert isinstance(loaded, GeneratorModel)
        assert loaded.source == SOURCE
        assert loaded.sample([1, 2], seed=0).tobytes() == model.sample([1, 2], seed=0).tobytes()
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    load_folder(tmp_path / "model")
    assert torch.equal(torch.random.get_rng_state(), before)


def test_bad_folders_are_named(tmp_path, model):
    def refused(message):
        with pytest.raises(InputError, match=message) as caught:
            load_folder(tmp_path)
        assert str(tmp_path) in str(caught.value)
        assert "\n" not in str(caught.value)

    refused("model.json describes no generator")
    model.save(tmp_path)
    weights, text = tmp_path / "weights.safetensors", (tmp_path / "model.json").read_text()
    good = load_file(weights)
    name = "synthesis.b8.conv0.weight"
    for tensors, message in [
        ({k: v for k, v in good.items() if k != name}, f"lacks the tensor {name}"),
        (good | {name: torch.zeros(3, 2)}, rf"{name} has shape \(3, 2\)"),
        (good | {name: good[name].double()}, f"{name} is torch.float64"),
        (good | {"extra": torch.zeros(1)}, "holds a tensor 'extra'"),
    ]:
        save_file(tensors, weights)
        refused(f"weights.safetensors does not fit model.json: .*{message}")
    weights.write_bytes(weights.read_bytes()[:-100])
    refused("weights.safetensors is missing or damaged")
    weights.unlink()
    refused("weights.safetensors is missing or damaged")
    save_file(good, weights)
    for changed, message in [
        (text.replace("StyleGan2Generator", "EdmNetwork"), "names the class 'EdmNetwork'"),
        (text.replace('"resolution": 8', '"resolution": 9'), "power of two"),
        (text.replace("z_dim", "zdim"), "options make no generator .*zdim"),
        (text[:-20], "describes no generator"),
        ("[]", "describes no generator"),
    ]:
        assert changed != text
        (tmp_path / "model.json").write_text(changed)
        refused(message)


def no_progress(total, unit=""):
    return lambda done: None


def test_the_scripts_from_a_pickle_to_spectra(tmp_path, model):
    state = model.network.state_dict()
    record = forge.network(state, forge.training_keywords(model.network.config), "raise SystemExit")
    (tmp_path / "network.pkl").write_bytes(forge.dumps(forge.published(record, "")))
    checkpoint, kind = tmp_path / "network.pkl", "stylegan2"
    with pytest.raises(InputError, match=r"config\.yaml declares 0{64}"):
        convert_model.main(
            checkpoint, tmp_path / "model", kind=kind, options={"source": "x"}, sha256="0" * 64
        )
    note = convert_model.main(checkpoint, tmp_path / "model", kind=kind, options={"source": "x"})
    assert note["source"]["file"] == "network.pkl"
    converted = load_folder(tmp_path / "model")
    for name, tensor in state.items():
        assert torch.equal(converted.network.state_dict()[name], tensor), name
    shards = []
    for ids in (np.arange(0, 4), np.arange(4, 8)):
        shards.append(tmp_path / f"{ids[0]}.npz")
        x = converted.sample(ids, seed=6)
        write_arrays(shards[-1], x=x, id=ids, **converted.latents(ids, seed=6))

    def spectra(span, files, items="samples"):
        note = {}
        out = tmp_path / "out.npz"
        call = {"items": items, "device": "cpu", "record": note, "progress": no_progress}
        call |= {"method": "jacobian", "options": {"chunk": 64}, "load": {}, "seed": 0}
        score_spectra.main(files, [], tmp_path / "model", out, span=span, **call)
        assert note["numerics"]["dtype"] == "float32"
        return read_arrays(out, "spectrum", "id")

    found, ids = spectra("000002-000005", shards)
    assert ids.tolist() == [2, 3, 4, 5]
    assert note["source"]["sha256"] == converted.source["sha256"]
    drawn = model.latents(ids, seed=6)
    expected = jacobian_spectrum(model, torch.from_numpy(drawn["z"]), torch.from_numpy(drawn["class"]))
    assert found.dtype == np.float64
    assert found.tobytes() == expected.tobytes()
    again, _ = spectra("000004-000005", shards[::-1])
    assert again.tobytes() == found[2:].tobytes()
    # Spans of the selected set count places in the ascending list of its ids.
    chosen = tmp_path / "selected.npz"
    drawn = converted.latents([5, 2, 4], seed=6)
    write_arrays(chosen, id=np.array([5, 2, 4]), **drawn)
    picked, ids = spectra("000001-000002", [chosen], items="selected")
    assert ids.tolist() == [4, 5]
    assert picked.tobytes() == found[2:].tobytes()
    with pytest.raises(InputError, match="holds no id 8"):
        spectra("000006-000008", shards)
    write_arrays(chosen, id=np.arange(2), x=np.zeros((2, 1, 8, 8), np.float32))
    with pytest.raises(InputError, match="lacks z or class"):
        spectra("000000-000001", [chosen])
