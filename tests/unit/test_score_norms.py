"""Norms of scores at clean images: closed forms of a Gaussian pair, order, errors."""

import numpy as np
import pandas as pd
import pytest
import score_span
import torch
from diffusers import PNDMScheduler
from gaussian_pair import conditions, gaussian_model
from tiny_pipeline import SCHEDULER, write_pipeline

from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError
from mmh.io.arrays import write_arrays
from mmh.io.table_files import read_table, write_table
from mmh.io.tables import IMAGE_SET, SCORES
from mmh.models.latent import folder as text_to_image
from mmh.scores.exchanged_norm import partners
from mmh.scores.score_norm import score_norms

DIM, N = 4, 5
STABLE = Schedule.from_scheduler(PNDMScheduler.from_config(SCHEDULER))
X = torch.randn(N, DIM, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
C, NULL = conditions(N, DIM), conditions(1, DIM, seed=9)


def stable_level(t):
    """1 - abar of Stable Diffusion's betas, square roots evenly spaced: entry round(1000 t)."""
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    return 1 - np.cumprod(1 - betas)[round(1000 * t)]


def linear_level(t):
    return -np.expm1(-(0.1 * t + 19.9 * t**2 / 2))


LAWS = {"stable": (STABLE, stable_level), "linear": (Schedule.linear_vp(), linear_level)}


def norms(schedule=STABLE, x=X, c=C, null=NULL, **options):
    return score_norms(gaussian_model(schedule, DIM), x, c, null, **{"batch_size": 2} | options)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("t", [0.02, 0.4])
def test_norms_of_a_gaussian_pair_are_their_closed_forms(law, t):
    """The score of N(m, v) carried to t is -(z - psi m) / (psi^2 v + sigma^2), here at z = psi x."""
    schedule, level = LAWS[law]
    noise = level(t)
    psi = np.sqrt(1 - noise)

    def score(condition):
        return -(psi * X.numpy() - psi * condition[:, 0]) / (psi**2 * condition[:, 1] + noise)

    given, empty = score(C.numpy()), score(NULL.numpy())
    found = norms(schedule, t=t, of="difference", guidance=3.0)
    np.testing.assert_allclose(found, np.linalg.norm(given - empty, axis=1), rtol=1e-5)
    found = norms(schedule, t=t, of="guided", guidance=3.0)
    np.testing.assert_allclose(found, np.linalg.norm(empty + 3.0 * (given - empty), axis=1), rtol=1e-5)


def test_a_guidance_of_one_is_the_score_under_the_caption_and_of_zero_that_under_none():
    for guidance, condition in ((1.0, C), (0.0, NULL.expand(N, -1, -1))):
        score = gaussian_model(STABLE, DIM).conditioned(condition)
        psi, sigma = STABLE.psi(0.1), STABLE.sigma(0.1)
        expected = (score.eps(psi * X, 0.1).norm(dim=1) / sigma).numpy()
        np.testing.assert_allclose(norms(t=0.1, guidance=guidance), expected, rtol=1e-5)


def test_a_caption_that_says_nothing_has_no_cfg_vector():
    assert norms(c=NULL.expand(N, -1, -1), of="difference").tolist() == [0.0] * N


def test_a_norm_depends_neither_on_order_nor_on_company(tmp_path):
    """Of a network, whose kernels round by row: bytes."""
    model = text_to_image.load_folder(write_pipeline(tmp_path / "model"))
    score, null = model.score_model(), model.null()
    x = torch.randn(6, *score.shape, generator=torch.Generator().manual_seed(1)).numpy()
    ids = np.arange(6)
    c = model.embed([f"digit {'plate ' * k}" for k in range(6)], ids=ids)
    whole = score_norms(score, x, c, null, ids=ids, batch_size=4)
    assert len(set(whole)) == 6
    for chosen in ([4, 5], [2], [5, 0, 3]):
        part = score_norms(score, x[chosen], c[chosen], null, ids=ids[chosen], batch_size=4)
        assert part.tobytes() == whole[chosen].tobytes()


def test_mistakes_are_refused():
    with pytest.raises(InputError, match="of must be guided or difference, got 'both'"):
        norms(of="both")
    with pytest.raises(InputError, match="needs 5 conditions and one empty one: 4, 1"):
        norms(c=C[:4])
    with pytest.raises(InputError, match="needs 5 conditions and one empty one: 5, 5"):
        norms(null=NULL.expand(N, -1, -1))
    with pytest.raises(InputError, match=r"t must lie in \(0, 1\], got 0"):
        norms(t=0.0)


def test_a_norm_that_is_not_finite_is_named_by_its_image():
    def eps(z, t, c):
        return torch.where(z > 1e3, torch.nan, z) * c[:, 0]

    model = ScoreModel.from_function(eps, (DIM,), STABLE, dtype=torch.float64)
    x = X.clone()
    x[3] = 1e6
    with pytest.raises(InputError, match=r"the norm of the score at t=0.02 is not finite: id 13$"):
        score_norms(model, x, C, NULL, ids=np.arange(10, 15), batch_size=2)


@pytest.mark.parametrize("law", LAWS)
def test_exchanged_parts_are_those_of_two_images(law):
    schedule, level = LAWS[law]
    noise, t = level(0.4), 0.4
    psi, others = np.sqrt(1 - noise), X.flip(0)

    def score(condition, x):
        return -(psi * x.numpy() - psi * condition[:, 0]) / (psi**2 * condition[:, 1] + noise)

    given, empty = score(C.numpy(), X), score(NULL.numpy(), X)
    expected = np.linalg.norm(score(NULL.numpy(), others) + 3.0 * (given - empty), axis=1)
    found = norms(schedule, t=t, guidance=3.0, exchanged=others)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(norms(schedule, t=t, exchanged=X), norms(schedule, t=t), rtol=1e-6)
    with pytest.raises(InputError, match="needs 5 images to exchange with, got 4"):
        norms(exchanged=X[:4])


def test_every_image_gets_another_one_by_its_id_alone():
    ids = np.random.default_rng(0).permutation(np.arange(50, 90))
    found = ids[partners(ids, ids, seed=3)]
    assert (found != ids).all()
    assert len(set(found)) > 20
    some = np.array([61, 88, 50])
    np.testing.assert_array_equal(ids[partners(some, ids, seed=3)], [found[list(ids).index(i)] for i in some])
    in_order = np.sort(ids)
    np.testing.assert_array_equal(
        in_order[partners(some, in_order, seed=3)], ids[partners(some, ids, seed=3)]
    )
    assert (ids[partners(ids, ids, seed=4)] != found).any()
    with pytest.raises(InputError, match="one image has no other"):
        partners(np.array([7]), np.array([7]), seed=0)


def test_an_exchanged_norm_does_not_depend_on_how_spans_are_cut(tmp_path):
    estimate, _ = scripted(
        tmp_path / "exchanged", "exchanged-norm", {"t": 0.02, "guidance": 7.5, "batch_size": 2}
    )
    whole, part = estimate("000000-000009"), estimate("000003-000005")
    assert part["value"].tolist() == whole["value"].tolist()[3:]
    plain, _ = scripted(
        tmp_path / "plain", "score-norm", {"t": 0.02, "of": "guided", "guidance": 7.5, "batch_size": 2}
    )
    assert (whole["value"] != plain("000000-000009")["value"]).all()


def scripted(tmp_path, method, options):
    """A function that runs the script on a span of five images, and what it reads."""
    tmp_path.mkdir(exist_ok=True)
    texts = ["the red plate", "digit seven", "plate", "with digit three", "red"]
    model = text_to_image.load_folder(write_pipeline(tmp_path / "model"))
    x = torch.randn(5, 4, 4, 4, generator=torch.Generator().manual_seed(2)).numpy()
    write_arrays(tmp_path / "latents.npz", x=x, id=np.arange(5))
    table = pd.DataFrame({"item": range(5), "caption": texts, "family": range(5), "source": "test"})
    write_table(table, tmp_path / "set.parquet", IMAGE_SET)

    def estimate(span):
        record, out = {}, tmp_path / f"{span}.parquet"
        score_span.main(
            [tmp_path / "latents.npz"],
            tmp_path / "set.parquet",
            tmp_path / "model",
            out,
            method=method,
            span=span,
            items="set",
            estimator="guided",
            options=options,
            load={},
            seed=0,
            device="cpu",
            record=record,
            progress=lambda total, unit="step": lambda done, **values: None,
        )
        assert record["numerics"]["items"] == len(read_table(out, SCORES))
        return read_table(out, SCORES)

    return estimate, (model, x, texts)


def test_the_script_scores_the_items_of_a_span_that_are_there(tmp_path):
    """Items 0..4 of a set whose list ends early, cut in the middle of a batch; one span holds nothing."""
    options = {"t": 0.02, "of": "guided", "guidance": 7.5, "batch_size": 2}
    estimate, (model, x, texts) = scripted(tmp_path, "score-norm", options)
    whole, part, nothing = (estimate(s) for s in ("000000-000009", "000003-000005", "000010-000019"))
    ids = np.arange(5)
    expected = score_norms(
        model.score_model(), x, model.embed(texts, ids=ids), model.null(), ids=ids, batch_size=2
    )
    assert whole["value"].tolist() == expected.tolist()
    assert set(whole["index"]) == {20}
    np.testing.assert_allclose(whole["sigma"], np.sqrt(stable_level(0.02)))
    assert part["item"].tolist() == [3, 4]
    assert part["value"].tolist() == whole["value"].tolist()[3:]
    assert len(nothing) == 0
