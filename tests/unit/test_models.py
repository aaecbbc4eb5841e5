"""Model folders: round trips and refusals."""

import json

import numpy as np
import pytest
import torch

from mmh.errors import InputError
from mmh.models import loading as models
from mmh.models.ddpm import model as ddpm_model
from mmh.models.ddpm import network as ddpm_network
from mmh.models.ddpm import sampling as ddpm_sampling
from mmh.models.edm import model as edm_model
from mmh.models.edm import sampling as edm_sampling
from mmh.models.edm import training as edm_training


@pytest.fixture
def unet_folder(tmp_path):
    network = ddpm_network.build(seed=4, block_out_channels=(8, 16), norm_num_groups=4).eval()
    ddpm_model.save(tmp_path / "model", network, ddpm_network.noise_schedule())
    return tmp_path / "model", network


@pytest.fixture
def edm_folder(tmp_path):
    points = np.array([[1.0, 0.0], [0.0, 0.0]], dtype=np.float32)
    network, _ = edm_training.train(points, seed=0, steps=3, width=16, depth=2, features=4, sigma_max=2.0)
    edm_model.save(tmp_path / "model", network)
    return tmp_path / "model", network


def test_unet_survives_the_round_trip(unet_folder):
    folder, network = unet_folder
    model = models.load_model(folder)
    assert isinstance(model, ddpm_model.UNetModel)
    ids = np.arange(3)
    expected = ddpm_sampling.sample(
        network, ddpm_network.noise_schedule(), ids, seed=1, steps=2, batch_size=4
    )
    assert model.sample(ids, seed=1, steps=2, batch_size=4).tobytes() == expected.tobytes()


def test_unet_folder_is_a_diffusers_pipeline(unet_folder):
    from diffusers import DDPMPipeline

    folder, network = unet_folder
    pipeline = DDPMPipeline.from_pretrained(folder, local_files_only=True)
    z = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(pipeline.unet(z, 30).sample, network(z, 30).sample, rtol=0, atol=0)
    assert pipeline.scheduler.config.beta_schedule == "squaredcos_cap_v2"


def test_unet_score_model_is_the_network(unet_folder):
    folder, network = unet_folder
    score = models.load_model(folder).score_model()
    assert score.shape == (1, 8, 8)
    z = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(score.eps(z, 0.1), network(z, 100).sample)
    assert score.schedule.sigma(0.1) == pytest.approx(
        float(1 - ddpm_network.noise_schedule().alphas_cumprod[100]) ** 0.5, rel=1e-5
    )


def test_saving_twice_gives_the_same_bytes(unet_folder, tmp_path):
    folder, network = unet_folder
    ddpm_model.save(tmp_path / "again", network, ddpm_network.noise_schedule())
    files = sorted(f.relative_to(folder) for f in folder.rglob("*") if f.is_file())
    assert [str(f) for f in files] == [
        "model_index.json",
        "scheduler/scheduler_config.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
    ]
    for file in files:
        assert (folder / file).read_bytes() == (tmp_path / "again" / file).read_bytes()


def test_edm_survives_the_round_trip(edm_folder):
    folder, network = edm_folder
    model = models.load_model(folder)
    assert isinstance(model, edm_model.EdmModel)
    assert model.network.config == network.config
    ids = np.arange(7)
    expected = edm_sampling.sample(network, ids, seed=1, steps=3, batch_size=4)
    assert model.sample(ids, seed=1, steps=3, batch_size=4).tobytes() == expected.tobytes()


def test_edm_score_model_is_the_denoiser_on_the_ve_schedule(edm_folder):
    folder, network = edm_folder
    score = models.load_model(folder).score_model()
    t = float(np.log(0.05 / 0.005) / np.log(2.0 / 0.005))
    assert score.schedule.sigma(t) == pytest.approx(0.05)
    assert score.schedule.psi(t) == 1.0
    assert score.shape == (2,)
    z = torch.tensor([[0.2, 0.1], [1.0, -0.3]])
    with torch.no_grad():
        denoised = network(z, torch.full((2, 1), 0.05))
        torch.testing.assert_close(score.eps(z, t), (z - denoised) / 0.05, rtol=1e-4, atol=1e-4)


def damage(folder, what):
    file = folder / what
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize("name", ["unet_folder", "edm_folder"])
def test_every_missing_or_truncated_file_is_named(name, request):
    folder, _ = request.getfixturevalue(name)
    files = [f for f in folder.rglob("*") if f.is_file()]
    assert len(files) in (2, 4)
    for file in files:
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2])
        with pytest.raises(InputError, match=r"(?s)" + file.name + ".*the rule that makes it") as error:
            models.load_model(folder)
        assert "\n" not in str(error.value)
        file.unlink()
        with pytest.raises(InputError, match=r"(model_index\.json|model\.json|" + file.name + ")"):
            models.load_model(folder)
        file.write_bytes(content)
    models.load_model(folder)


def test_an_absent_or_empty_folder_is_refused(tmp_path):
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(InputError, match="neither"):
            models.load_model(folder)


def rewrite(file, **changes):
    content = json.loads(file.read_text())
    content.update(changes)
    file.write_text(json.dumps(content))


def test_weights_of_another_architecture_are_refused(unet_folder):
    folder, _ = unet_folder
    rewrite(folder / "unet" / "config.json", layers_per_block=2)
    with pytest.raises(InputError, match=r"safetensors does not fit"):
        models.load_model(folder)


def test_widths_of_another_architecture_are_refused(unet_folder):
    folder, _ = unet_folder
    rewrite(folder / "unet" / "config.json", block_out_channels=[8, 32])
    with pytest.raises(InputError, match=r"safetensors does not fit"):
        models.load_model(folder)


def test_other_classes_are_refused(unet_folder):
    folder, _ = unet_folder
    rewrite(folder / "model_index.json", unet=["diffusers", "UNet2DConditionModel"])
    with pytest.raises(InputError, match="UNet2DConditionModel"):
        models.load_model(folder)


def test_misfitting_edm_options_are_refused(edm_folder):
    folder, _ = edm_folder
    options = json.loads((folder / "model.json").read_text())["options"]
    rewrite(folder / "model.json", options={**options, "width": 8})
    with pytest.raises(InputError, match="does not fit"):
        models.load_model(folder)
    rewrite(folder / "model.json", options={**options, "widht": 8})
    with pytest.raises(InputError, match="widht"):
        models.load_model(folder)
    rewrite(folder / "model.json", **{"class": "Other"})
    with pytest.raises(InputError, match="Other"):
        models.load_model(folder)
