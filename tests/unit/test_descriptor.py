"""The small copy descriptor."""

import numpy as np
import pytest
import torch

from mmh.compute import rng
from mmh.errors import InputError
from mmh.retrieval import descriptor, embedding
from mmh.worlds.sets import digits

QUICK = {"steps": 400, "batch_size": 128, "width": 16}


@pytest.fixture(scope="module")
def images():
    return digits.images()[:300]


@pytest.fixture(scope="module")
def trained(images):
    return descriptor.train(images, **QUICK)[0]


def test_training_finds_copies(images, trained):
    recall = descriptor.copy_recall(trained, images)
    torch.manual_seed(0)
    untrained = descriptor.copy_recall(descriptor.CopyDescriptor(width=16).eval(), images)
    assert set(recall) == {"noise", "shift", "patch"}
    assert recall["noise"] > 0.95
    assert recall["patch"] > 0.9
    assert recall["shift"] > max(0.7, untrained["shift"] + 0.3)


def test_same_seed_same_weights(images):
    torch.manual_seed(99)
    before = torch.get_rng_state()
    runs = [descriptor.train(images, **{**QUICK, "steps": 20}, seed=seed)[0] for seed in (0, 0, 1)]
    assert torch.equal(before, torch.get_rng_state())  # the global generator is neither used nor moved
    parameters = list(zip(*(run.parameters() for run in runs), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in parameters)
    assert not any(torch.equal(a, c) for a, _, c in parameters)


def test_torchscript_gives_the_same_unit_vectors(images, trained, tmp_path):
    descriptor.save(trained, tmp_path / "d.pt")
    loaded = embedding.load_descriptor(tmp_path / "d.pt")
    pixels = np.round((images.transpose(0, 2, 3, 1) + 1) * 127.5).astype(np.uint8)
    rows = embedding.embed(loaded, pixels, "native", batch_size=64)
    with torch.inference_mode():
        x = torch.from_numpy(pixels.transpose(0, 3, 1, 2)).float() / 127.5 - 1
        direct = trained(x.expand(-1, 3, -1, -1)).numpy()
    assert rows.shape == (300, 64)
    np.testing.assert_allclose(rows, direct, atol=1e-5)
    assert tuple(loaded(torch.zeros(2, 3, 20, 30)).shape) == (2, 64)  # any size


def test_embedding_bytes_do_not_depend_on_the_cut(images, trained):
    pixels = np.round((images.transpose(0, 2, 3, 1) + 1) * 127.5).astype(np.uint8)
    ids = np.arange(len(pixels))
    whole = embedding.embed(trained, pixels, "native", 64, ids)
    order = np.random.default_rng(0).permutation(len(pixels))
    parts = [embedding.embed(trained, pixels[p], "native", 64, ids[p]) for p in np.split(order, [37, 101])]
    np.testing.assert_array_equal(whole[order], np.concatenate(parts))


def test_progress_is_called_with_both_terms(images):
    seen = []
    _, history = descriptor.train(
        images, **{**QUICK, "steps": 3}, progress=lambda done, **values: seen.append((done, sorted(values)))
    )
    assert seen == [(k, ["entropy", "infonce"]) for k in (1, 2, 3)]
    assert history["step"].tolist() == [1, 2, 3]
    assert np.isfinite(history.to_numpy()).all()


def test_loss_equals_the_formula():
    z = np.random.default_rng(0).normal(size=(10, 4))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    infonce = entropy = 0.0
    for i in range(10):
        partner = (i + 5) % 10
        others = [j for j in range(10) if j != i]
        infonce += np.log(sum(np.exp(z[i] @ z[j] / 0.1) for j in others)) - z[i] @ z[partner] / 0.1
        entropy -= np.log(min(np.linalg.norm(z[i] - z[j]) for j in others if j != partner))
    first, second = torch.from_numpy(z[:5]), torch.from_numpy(z[5:])
    found = descriptor.sscd_loss(first, second, 0.1, 3.0)
    np.testing.assert_allclose([float(f) for f in found], [infonce / 10, 3 * entropy / 10], rtol=1e-9)


def test_loss_of_coinciding_descriptors_has_a_finite_gradient():
    z = torch.ones(4, 3, requires_grad=True)
    sum(descriptor.sscd_loss(z / 3**0.5, z / 3**0.5, 0.05, 1.0)).backward()
    assert torch.isfinite(z.grad).all()


def test_augmentation_is_repeatable_and_moves_by_one_pixel_at_most():
    x = torch.full((400, 1, 8, 8), -1.0)
    x[:, :, 4, 4] = 1.0
    first, again = (descriptor.augment(x, rng.torch_generator(0, "test")) for _ in range(2))
    assert torch.equal(first, again)
    assert first.shape == x.shape
    untouched = first[(first == 1.0).flatten(1).sum(1) == 1]  # no noise, contrast, blur, and not occluded
    places = {tuple(p.tolist()) for p in (untouched[:, 0] == 1.0).nonzero()[:, 1:]}
    assert places <= {(r, c) for r in (3, 4, 5) for c in (3, 4, 5)}
    assert len(places) == 9


@pytest.mark.parametrize("shape", [(1, 1, 8, 8), (5, 3, 8, 8), (5, 64)])
def test_bad_images(shape):
    with pytest.raises(InputError, match="trained on"):
        descriptor.train(np.zeros(shape, dtype=np.float32))
