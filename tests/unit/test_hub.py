"""Diffusers folders of other people: what is copied, and what is refused."""

import json

import numpy as np
import pytest
from diffusers import DDIMScheduler, UNet2DModel

from mmh.compute import rng
from mmh.errors import InputError
from mmh.fetch import hub
from mmh.models import loading as models
from mmh.models.ddpm import model as ddpm_model
from mmh.models.ddpm import sampling as ddpm_sampling


@pytest.fixture
def folder(tmp_path):
    """A class-conditional network with a learned variance, as a pipeline folder."""
    network = UNet2DModel(
        sample_size=8,
        in_channels=3,
        out_channels=6,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        num_class_embeds=4,
    ).eval()
    ddpm_model.save(tmp_path / "theirs", network, DDIMScheduler(beta_schedule="linear"))
    return tmp_path / "theirs", network


def test_a_copied_folder_is_the_same_model(folder, tmp_path):
    theirs, network = folder
    (theirs / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"a pickle")
    hub.copy_pipeline(theirs, tmp_path / "ours")
    assert not list((tmp_path / "ours").rglob("*.bin"))
    model = models.load_model(tmp_path / "ours")
    assert model.classes == 4
    for name, values in network.state_dict().items():
        assert model.unet.state_dict()[name].equal(values)


def test_files_at_the_top_are_put_where_they_belong(folder, tmp_path):
    theirs, _ = folder
    for part in ("unet", "scheduler"):
        for file in (theirs / part).iterdir():
            file.rename(theirs / file.name)
        (theirs / part).rmdir()
    hub.copy_pipeline(theirs, tmp_path / "ours")
    assert models.load_model(tmp_path / "ours").classes == 4


def test_an_image_depends_on_its_class_and_not_on_the_span(folder):
    theirs, _ = folder
    model = models.load_model(theirs)
    options = {"seed": 0, "steps": 2, "batch_size": 4}
    x = model.sample(np.arange(8), **options)
    assert x.shape == (8, 3, 8, 8)
    np.testing.assert_array_equal(model.sample(np.array([6, 1]), **options), x[[6, 1]])
    assert model.latents(np.array([6, 1]), seed=0)["class"].tolist() == [2, 1]
    # The same noise under another class is another image.
    others = ddpm_sampling.sample(model.unet, model.scheduler, np.arange(8), classes=3, **options)
    same = [bool((x[i] == others[i]).all()) for i in range(8)]
    assert same == [i % 4 == i % 3 for i in range(8)]


def test_a_conditional_score_needs_and_uses_the_class(folder):
    score = models.load_model(folder[0]).score_model()
    z = rng.normal(0, "test", range(2), (3, 8, 8))
    first, second = (score.conditioned(np.array(classes)).eps(z, 0.1) for classes in ([0, 1], [0, 2]))
    assert first.shape == (2, 3, 8, 8)
    assert first[0].equal(second[0])
    assert not first[1].equal(second[1])


@pytest.mark.parametrize("classes", [None, np.array([0, 4])])
def test_images_without_fitting_classes_are_refused(folder, classes):
    model = models.load_model(folder[0])
    assert models.class_score(model, np.array([3, 0])).rows == 2
    with pytest.raises(InputError, match="conditional on 4 classes and the images have"):
        models.class_score(model, classes)


def test_a_process_that_is_not_variance_preserving_is_refused(folder):
    settings = folder[0] / "scheduler" / "scheduler_config.json"
    settings.write_text(json.dumps({"_class_name": "ScoreSdeVeScheduler", "sigma_min": 0.01}))
    with pytest.raises(InputError, match="no variance-preserving process"):
        models.load_model(folder[0])


def test_pickled_weights_are_refused_by_the_name_of_their_folder(folder, tmp_path):
    (folder[0] / "unet" / "diffusion_pytorch_model.safetensors").rename(folder[0] / "unet" / "model.bin")
    with pytest.raises(
        InputError, match=r"theirs/unet: holds no diffusion_pytorch_model\.safetensors but model\.bin"
    ):
        hub.copy_pipeline(folder[0], tmp_path / "ours")


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match="no diffusers folder"):
        hub.copy_pipeline(tmp_path, tmp_path / "ours")


def test_a_repository_that_cannot_be_had_is_one_error(tmp_path):
    with pytest.raises(InputError, match="someone/model at revision 'abc' cannot be had from the hub"):
        hub.fetch_pipeline("someone/model", "abc", tmp_path / "ours", offline=True)
    assert not (tmp_path / "ours").exists()
