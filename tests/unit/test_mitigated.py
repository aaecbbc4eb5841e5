"""Measures of mitigated generations, their table, the claims and the figure, against numbers made by hand."""

import numpy as np
import pandas as pd
import pytest
import torch

from mmh.claims.base import CLAIMS
from mmh.claims.table import check_claims
from mmh.errors import InputError
from mmh.figures.base import FIGURES, About
from mmh.io.arrays import write_arrays
from mmh.io.table_files import read_table, write_csv, write_table
from mmh.io.tables import MITIGATED
from mmh.mitigated.classes import classifier, held_out_accuracy
from mmh.mitigated.measures import Truth, measured, noise_p
from mmh.mitigated.table import comparison, difference_interval
from mmh.models.latent import clip, word_tokenizer
from mmh.models.latent.clip_similarity import similarity_by, text_similarity_by
from mmh.models.latent.training import tokens
from mmh.stats.means import mean_interval
from mmh.worlds.sets import digits
from mmh.worlds.sets.captioned_digits import to_rgb

DIM = 64


def test_a_mean_has_the_interval_of_students_t_and_clusters_count_once():
    values = np.array([1.0, 2.0, 4.0, 7.0, 8.0])
    found = mean_interval(values)
    half = 2.7764451 * values.std(ddof=1) / np.sqrt(5)
    assert (found.low, found.high) == pytest.approx((4.4 - half, 4.4 + half), rel=1e-6)
    twice = mean_interval(np.repeat(values, 3), np.repeat(np.arange(5), 3), "family")
    assert (twice.low, twice.high) == pytest.approx((found.low, found.high), rel=1e-6)
    assert (twice.n, twice.n_clusters, twice.unit) == (15, 5, "family")
    same = mean_interval(np.zeros(40), within=1.0)
    assert same.high == pytest.approx(1 - 0.025 ** (1 / 40))
    assert same.low == -same.high
    assert np.isnan(mean_interval(np.full(40, 3.0)).low)
    assert "one family" in mean_interval(np.arange(3.0), np.zeros(3), "family").reason


def test_intervals_of_means_cover():
    """Of bounded differences in clusters of two; the margin is three standard errors of the count."""
    generator = np.random.default_rng(0)
    inside = 0
    for _ in range(400):
        own = generator.choice([-1.0, 0.0, 0.0, 1.0], size=30, p=[0.3, 0.3, 0.3, 0.1])
        values = np.clip(np.repeat(own, 2) * (generator.random(60) < 0.7), -1, 1)
        found = mean_interval(values, np.repeat(np.arange(30), 2), within=1.0)
        inside += found.low <= -0.2 * 0.7 <= found.high
    assert abs(inside / 400 - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 400)


@pytest.mark.parametrize(("worse", "better"), [(0.05, 0.0), (0.06, 0.01), (0.25, 0.05)])
def test_a_difference_of_shares_is_bounded_where_few_families_change(worse, better):
    """One generation in twenty is lost: of 48 families so few change that the jackknife is too sure, one in 22."""
    random, trials, missed = np.random.default_rng(3), 400, np.zeros(2)
    family = np.repeat(np.arange(48), 2)
    for _ in range(trials):
        u = random.random(len(family))
        rows = pd.DataFrame({"family": family, "difference": (u > 1 - better) * 1.0 - (u < worse)})
        found = difference_interval(rows, "correct")
        assert found.low <= found.estimate <= found.high
        assert found.estimate == pytest.approx(rows["difference"].mean())
        assert found.n_clusters == 48
        missed += [found.low > better - worse, found.high < better - worse]
    assert (missed / trials <= 0.025 + 2 * np.sqrt(0.025 * 0.975 / trials)).all()


def test_the_p_of_a_normal_noise_is_uniform_and_of_a_shrunk_one_small():
    squared = np.random.default_rng(0).chisquare(DIM, 4000)
    p = noise_p(squared, DIM)
    assert np.abs(np.sort(p) - (np.arange(4000) + 0.5) / 4000).max() < 0.03
    assert noise_p(np.array([35.0]), DIM)[0] < 0.01
    assert noise_p(np.array([100.0]), DIM)[0] < 0.01


def test_a_classifier_of_digits_is_right_on_digits_that_it_has_not_seen():
    x, known = to_rgb(digits.images()[:600]), digits.classes(np.arange(600))
    assert held_out_accuracy(np.concatenate([x, x[:50]]), np.concatenate([known, known[:50]])) >= 0.95
    with pytest.raises(InputError, match="two classes"):
        classifier(x[:5], np.zeros(5, dtype=np.int64))


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Six prompts of two sets, two generations, two mitigations; embeddings are the first pixels."""
    folder = tmp_path_factory.mktemp("mitigated")
    generator = np.random.default_rng(1)
    train = generator.integers(0, 256, (12, 3, 2, 2), dtype=np.uint8)
    keys = pd.MultiIndex.from_product([["memorized", "control"], range(6)], names=["prompt_set", "prompt"])
    truth = Truth(
        pd.Series(np.arange(12), index=keys),
        pd.Series(np.arange(12), index=keys),
        train,
        np.arange(12),
        np.arange(12) % 3,
    )
    files = []
    for name, copied in (("none", 5), ("sail", 2), ("redraw", 4)):
        for place, prompts in enumerate(("memorized", "control")):
            prompt, generation = np.repeat(np.arange(6), 2), np.tile([0, 1], 6)
            image = generator.integers(0, 256, (12, 3, 2, 2), dtype=np.uint8)
            if prompts == "memorized":
                image[prompt < copied] = train[prompt[prompt < copied]]
            latent = generator.standard_normal((12, 4, 4, 4), dtype=np.float32)
            arrays = {"image": image, "latent": latent, "id": 2 * prompt + generation, "prompt": prompt}
            arrays |= {"generation": generation, "text": np.array(["a digit"] * 12)}
            arrays |= {
                "squared_norm": np.full(12, 64.0 if name == "none" else 35.0),
                "rows": np.full(12, 10.0),
            }
            path = folder / name / prompts / "000000-000005.npz"
            path.parent.mkdir(parents=True)
            write_arrays(path, **arrays, accepted=np.ones(12, dtype=bool))
            files.append(path)
            assert place in (0, 1)

    def embedded(x, ids):
        flat = x.reshape(len(x), -1).astype(np.float32) - 127.5
        return flat / np.linalg.norm(flat, axis=1, keepdims=True)

    def classify(x):
        distance = ((x[:, None].astype(float) - train) ** 2).sum((2, 3, 4))
        return distance.argmin(1) % 3

    how = {"cut": 0.99, "tuned": 1, "report": lambda done: None}
    found = measured(files, truth, embedded, classify=classify, **how)
    write_table(found, folder / "mitigated.parquet", MITIGATED)
    return read_table(folder / "mitigated.parquet", MITIGATED)


def test_copies_classes_and_noises_are_counted(table):
    rows = comparison(table, "none").set_index(["part", "prompt_set", "mitigation", "metric"])
    at = lambda *keys: rows.loc[("evaluated", "memorized", *keys)]  # noqa: E731
    assert at("none", "copies")["estimate"] == 0.8  # prompts 1 to 4 of 1 to 5
    assert at("sail", "copies")["estimate"] == 0.2
    assert at("sail", "copies")["difference"] == pytest.approx(-0.6)
    assert np.isnan(at("none", "copies")["difference"])
    assert rows.loc[("tuning", "memorized", "sail", "copies"), "estimate"] == 1.0
    assert at("none", "unusual_noise")["estimate"] == 0.0
    assert at("sail", "unusual_noise")["estimate"] == 1.0
    assert at("sail", "log_norm")["estimate"] == pytest.approx(0.5 * np.log(35))
    assert at("sail", "rows")["difference"] == 0.0
    assert (at("none", "copies")["n"], at("none", "copies")["n_clusters"]) == (10, 5)
    change = table.query("part == 'evaluated' and prompt_set == 'memorized' and mitigation == 'none'")
    assert at("none", "similarity")["estimate"] == pytest.approx(change["similarity"].mean())
    assert at("none", "correct")["estimate"] == pytest.approx(change["correct"].mean())
    assert "clip" not in rows.index.get_level_values("metric")  # there is none


def test_images_of_a_prompt_are_compared_with_each_other(table):
    copied = table.query("mitigation == 'none' and prompt_set == 'memorized' and prompt < 5")
    np.testing.assert_allclose(copied["alike"], 1.0, rtol=1e-6)
    assert (table.query("prompt_set == 'control'")["alike"] < 0.99).all()


def test_claims_compare_pairs_on_evaluated_prompts(table):
    found = check_claims(["sail", "sail-redraw"], {"mitigated": table})
    asked = found.set_index(["claim", "role", "statistic"])["estimate"]
    fall = asked["sail"]["claim"]["share of copies, SAIL minus none, memorized prompts (below -0.05)"]
    assert fall == pytest.approx(-0.6)
    other = asked["sail-redraw"]["claim"][
        "share of copies, SAIL minus redraw, memorized prompts (below -0.05)"
    ]
    assert other == pytest.approx(-0.4)  # prompts 2 and 3 of 1 to 5
    control = found[found["role"] == "control"]
    assert len(control) == 2
    assert (control["estimate"] == 0).all()
    assert set(found["beside"]) == {"sail: 10 rows, none: 10 rows", "sail: 10 rows, redraw: 10 rows"}
    assert set(found["under"]) == {"sail"}
    assert len(found) == 6  # and the right class on both sets


def test_the_figure_is_drawn_from_the_table(table, tmp_path):
    row = FIGURES["sail"]
    write_csv(comparison(table, "none"), tmp_path / "mitigation.csv", digits=6)
    files = {name: tmp_path / f"sail.{name}" for name in ("pdf", "png", "csv")}
    how = {"table": tmp_path / "mitigation.csv", "about": About("world"), **files}
    row.draw(options=row.Options(), **how)
    plotted = pd.read_csv(files["csv"]).query("metric == 'copies' and mitigation == 'sail'")
    assert plotted.set_index("prompt_set").loc["memorized", "estimate"] == 0.2
    assert set(plotted["part"]) == {"evaluated"}
    assert files["png"].read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="no evaluated prompts of memorized, control have the metric 'clip'"):
        row.draw(options=row.Options(kept="clip"), **how)


def test_clip_compares_images_with_their_captions(tmp_path):
    """Against the model called directly on x / 127.5 - 1, in another order of the rows."""
    words = ["the", "plate", "with", "digit", "three", "seven"]
    tokenizer = word_tokenizer.save(tmp_path / "clip", words, length=8)
    model = clip.build(tokenizer, width=16, layers=1, dimension=8).eval()
    clip.save(tmp_path / "clip", model, words)
    x = np.random.default_rng(0).integers(0, 256, (3, 3, 8, 8), dtype=np.uint8)
    texts = ["the plate with digit three", "seven", "the digit"]
    found = similarity_by(tmp_path / "clip")(x, texts)
    with torch.no_grad():
        pixels = torch.from_numpy(x[::-1] / np.float32(127.5) - np.float32(1))
        out = model(input_ids=tokens(tokenizer, texts[::-1]), pixel_values=pixels)
        direct = torch.nn.functional.cosine_similarity(out.image_embeds, out.text_embeds)
    np.testing.assert_allclose(found[::-1], direct, atol=1e-5)
    others = ["three", "the plate", "seven digit"]
    with torch.no_grad():
        other = model.get_text_features(tokens(tokenizer, others))
        other = getattr(other, "pooler_output", other)
        wanted = torch.nn.functional.cosine_similarity(out.text_embeds, other[[2, 1, 0]])
    near = text_similarity_by(tmp_path / "clip")
    np.testing.assert_allclose(near(texts, others)[::-1], wanted, atol=1e-5)
    np.testing.assert_allclose(near(texts, texts), 1, atol=1e-9)
    with pytest.raises(InputError, match="no CLIP model can be read"):
        similarity_by(tmp_path)


def test_claims_have_a_row_each():
    assert {"sail", "sail-redraw"} <= set(CLAIMS.rows())
