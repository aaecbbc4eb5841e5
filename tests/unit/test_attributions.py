"""Attributions of memorization to tokens: a closed form, finite differences, the encoder's input, scores."""

import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from diffusers import PNDMScheduler
from tiny_pipeline import SCHEDULER, WORDS, write_pipeline

from mmh.attributed.gradients import token_attributions
from mmh.attributed.occlusion import occlude_span, occluded_texts, similarity_to
from mmh.attributed.scores import hit, mass, prompt_scores, summary, with_truth, word_values
from mmh.attributed.span import COLUMNS, attribute_span
from mmh.attributions.base import ATTRIBUTIONS, made
from mmh.diffusion.schedule import Schedule
from mmh.diffusion.score_model import ScoreModel
from mmh.errors import InputError
from mmh.figures.base import FIGURES, About
from mmh.io.table_files import read_table, write_table
from mmh.io.tables import ATTRIBUTED, OCCLUSION, WORD_VALUES
from mmh.mitigated.measures import Truth
from mmh.models.latent.caption_tokens import pull_back, words_of
from mmh.models.latent.folder import load_folder
from mmh.sampling.guided import ddim_grid, guided_ddim, initial_noise
from mmh.worlds.sets.caption_words import shared_words
from mmh.worlds.sets.wordings import GRAMMAR

SHAPE, TOKENS, WIDTH, LAMBDA = (1, 2, 2), 3, 2, 3.0
GRID = ddim_grid(PNDMScheduler.from_config(SCHEDULER), 10)


def scale(c):
    """Slope of the noise in the state, a number for each row of captions (n, L, D)."""
    return 0.3 + 0.2 * torch.tanh(
        (c * torch.arange(1.0, 7.0, dtype=c.dtype).reshape(TOKENS, WIDTH)).sum((1, 2))
    )


def shift(c):
    """Constant part of the noise, (n, 4)."""
    return torch.stack([c[:, 0, 0], c[:, 1].sum(1), c[:, 2, 1] ** 2, c[:, 0, 1] * c[:, 2, 0]], dim=1)


def field(z, t, c):
    """Noise a(c) z + b(c): its trace in z is 4 a(c)."""
    return scale(c)[:, None, None, None] * z + shift(c).reshape(-1, *SHAPE)


@pytest.fixture(scope="module")
def exact():
    schedule = Schedule.from_scheduler(PNDMScheduler.from_config(SCHEDULER))
    model = ScoreModel.from_function(field, SHAPE, schedule, dtype=torch.float64)
    drawn = torch.randn(2, TOKENS, WIDTH, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return model, drawn, torch.full((1, TOKENS, WIDTH), 0.1, dtype=torch.float64)


def of(name, **options):
    row = ATTRIBUTIONS[name]
    return row(row.Options.model_validate(options))


def attributed(exact, asked, **more):
    model, c, null = exact
    how = {"grid": GRID, "prompt_set": "memorized", "prompts": [4, 7], "generations": 3, "guidance": LAMBDA}
    return token_attributions(model, c, null, asked, **how, seed=5, batch_size=2, **more)


class States:
    """Keeps the latents of each step."""

    def __init__(self):
        self.seen = []

    def wants_graph(self, t, number):
        return False

    def see(self, step):
        self.seen.append((step.t, step.sigma, step.z.clone()))


def along(exact, prompt, generation, *, exchanged):
    """Latents of one trajectory, from a run of its own."""
    model, c, null = exact
    states = States()
    pair = (null, c[[prompt]]) if exchanged else (c[[prompt]], null)
    noise = initial_noise(5, "memorized", [[4, 7][prompt]], [generation], SHAPE)
    guided_ddim(model, noise, *pair, grid=GRID, guidance=LAMBDA, observer=states)
    return states.seen


def metric(name, c, null, z, sigma, *, code):
    """The metric at fixed latents, in closed form."""
    empty, caption = field(z, 0, null), field(z, 0, c)
    a_empty, a_caption = scale(null), scale(c)
    if code:
        guided = caption + LAMBDA * (empty - caption)
        trace = 4 * LAMBDA * (a_empty - a_caption)
    else:
        guided = empty + LAMBDA * (caption - empty)
        trace = 4 * (a_empty + LAMBDA * (a_caption - a_empty))
    squared = guided.square().sum()
    difference = (caption - empty).square().sum()
    if name == "flipd":
        return 4 - sigma * trace.sum() + squared
    value = difference if name == "cfg" else squared
    return value.sqrt() if code else value


def differences(function, c, h=1e-6):
    """Central differences of a function of c (1, L, D)."""
    out = torch.zeros_like(c)
    for i in range(TOKENS):
        for j in range(WIDTH):
            step = torch.zeros_like(c)
            step[0, i, j] = h
            out[0, i, j] = (function(c + step) - function(c - step)) / (2 * h)
    return out


@pytest.mark.parametrize("code", [False, True])
@pytest.mark.parametrize("name", ["cfg", "scfg", "flipd"])
def test_gradients_are_those_of_the_closed_form_at_fixed_latents(exact, name, code):
    _, c, null = exact
    options = {"combine": "norms", "variant": "official-code"} if code else {}
    options |= {"steps": "all"} | ({"trace": "exact"} if name == "flipd" else {})
    found = attributed(exact, {"a": of(name, **options)})["a", "output"]
    for prompt in range(2):
        gradients = [
            differences(lambda c, z=z, s=s: metric(name, c, null, z, s, code=code), c[[prompt]])
            for generation in range(3)
            for _, s, z in along(exact, prompt, generation, exchanged=code)
        ]
        every = torch.cat(gradients)
        wanted = every.norm(dim=2).mean(0) if code else every.mean(0).norm(dim=1)
        np.testing.assert_allclose(found[prompt], wanted, rtol=1e-6)


def test_steps_are_all_the_last_ones_or_one(exact):
    _, c, null = exact
    asked = {"low": of("cfg", steps="low"), "first": of("cfg", steps=1)}
    found = attributed(exact, asked)
    for name, wanted in (("low", [t for t in GRID.t if t <= 0.2]), ("first", GRID.t[:1])):
        states = [along(exact, 0, g, exchanged=False) for g in range(3)]
        every = [
            differences(lambda c, z=z, s=s: metric("cfg", c, null, z, s, code=False), c[[0]])
            for seen in states
            for t, s, z in seen
            if t in wanted
        ]
        np.testing.assert_allclose(found[name, "output"][0], torch.cat(every).mean(0).norm(dim=1), rtol=1e-6)


def test_probes_average_to_the_exact_trace(exact):
    one = {"steps": "low"}
    exactly = attributed(exact, {"a": of("flipd", trace="exact", **one)})["a", "output"]
    # J is a multiple of one, so each Rademacher probe gives the trace itself.
    drawn = attributed(exact, {"a": of("flipd", trace=1, probe="rademacher", **one)})["a", "output"]
    np.testing.assert_allclose(drawn, exactly, rtol=1e-10)
    many = attributed(exact, {"a": of("flipd", trace=200, **one)})["a", "output"]
    np.testing.assert_allclose(many, exactly, rtol=0.1)


def test_the_means_of_norms_are_no_smaller_than_the_norm_of_the_mean(exact):
    found = attributed(exact, {"joint": of("cfg"), "norms": of("cfg", combine="norms")})
    assert (found["norms", "output"] >= found["joint", "output"] - 1e-12).all()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return load_folder(write_pipeline(tmp_path_factory.mktemp("tiny") / "model"))


TEXTS = pd.Series(["the red plate", "digit seven", "the plate with red digit three"], index=[2, 5, 9])
ASKED = {
    "cfg": {"method": "cfg"},
    "norms": {"method": "scfg", "combine": "norms", "steps": 2},
    "flipd": {"method": "flipd"},
    "code": {"method": "flipd", "variant": "official-code", "combine": "norms"},
    "rarest": {"method": "rarest-word"},
    "left": {"method": "leave-one-out"},
    "uniform": {"method": "uniform"},
}
OPTIONS = {"generations": 2, "steps": 4, "guidance": 3.0, "batch_size": 4, "levels": ["output", "input"]}
COUNTS = {"the": 9, "red": 1, "plate": 4}


def span(tiny, texts=TEXTS, **changes):
    options = OPTIONS | changes
    return attribute_span(tiny, texts, made(ASKED), prompt_set="a", options=options, counts=COUNTS, seed=1)


def test_a_span_gives_every_token_and_word(tiny, tmp_path):
    table = span(tiny)
    assert list(table.columns) == COLUMNS
    write_table(table, tmp_path / "t.parquet", ATTRIBUTED)
    cfg = table.query("attribution == 'cfg' and level == 'input' and prompt == 2")
    assert cfg["word"].tolist()[:5] == ["", "the", "red", "plate", ""]
    assert cfg["place"].tolist()[:5] == [-1, 0, 1, 2, -1]
    assert (cfg["value"][cfg["place"] >= 0] > 0).all()
    rare = table.query("attribution == 'rarest' and prompt == 2")
    assert rare["value"].tolist() == [0.1, 0.5, 0.2]
    assert rare["piece"].tolist() == ["the</w>", "red</w>", "plate</w>"]
    left = table.query("attribution == 'left' and prompt == 9")
    assert len(left) == 6
    assert (left["value"] > 0).all()
    assert set(table["level"]) == {"output", "input", "text"}


def test_values_do_not_depend_on_the_prompts_beside(tiny):
    whole, part = span(tiny), span(tiny, TEXTS[[9]])
    both = whole[whole["prompt"] == 9].reset_index(drop=True)
    pd.testing.assert_frame_equal(both, part.reset_index(drop=True), rtol=0, atol=0)


def test_the_input_level_is_the_gradient_in_the_token_embeddings(tiny):
    texts = ["the red plate with digit three"]
    tokens, _ = tiny.tokens(texts)
    tiny = replace(tiny, text_encoder=copy.deepcopy(tiny.text_encoder).double())
    weight = tiny.text_encoder.get_input_embeddings().weight
    g = torch.randn(1, *tiny.null().shape[1:], generator=torch.Generator().manual_seed(0)).double()
    pulled = pull_back(tiny, texts)(torch.tensor([0]), g)
    for place in (1, 4):  # words that occur once
        direction = torch.randn(weight.shape[1], generator=torch.Generator().manual_seed(place)).double()
        ends = []
        for h in (1e-4, -1e-4):
            with torch.no_grad():
                weight[tokens[0, place]] += h * direction
                ends.append(float((tiny.text_encoder(tokens)[0] * g).sum()))
                weight[tokens[0, place]] -= h * direction
        assert float(pulled[0, place] @ direction) == pytest.approx((ends[0] - ends[1]) / 2e-4, rel=1e-5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "prompt set a: a prompt is empty, so no word can be named"),
        (" ".join(WORDS * 3), "has more than 10 tokens; shorten it"),
    ],
)
def test_prompts_that_cannot_be_attributed_are_named(tiny, text, said):
    with pytest.raises(InputError, match=said):
        span(tiny, pd.Series([text], index=[0]))


def test_words_of_several_tokens_are_put_together(tiny):
    cut = words_of(tiny, ["the redplate"], "x")[0]
    assert cut.words == ["the", "redplate"]
    assert cut.word.count(1) > 1
    rows = [
        {"token": i, "piece": p, "place": w, "word": cut.words[w] if w >= 0 else "", "value": 2.0}
        for i, (p, w) in enumerate(zip(cut.pieces, cut.word, strict=True))
    ]
    table = pd.DataFrame(rows).assign(prompt_set="a", prompt=0, attribution="cfg", level="output")
    value = word_values(table).set_index("word")["value"]
    assert value["redplate"] == pytest.approx(2 * np.sqrt(cut.word.count(1)))


def test_words_are_replaced_by_others_of_their_part():
    text = "a scarlet heavy figure efilit single showing tovafu upon dazobo card"
    others = ["bamadu", "ofolik", "tovafu"]
    found = occluded_texts(text.split(), grammar=GRAMMAR, others=others, seed=0, prompt=3, prompt_set="a")
    assert [GRAMMAR.role(new) for new, _ in found] == GRAMMAR.roles(text)
    assert all(new != old for (new, _), old in zip(found, text.split(), strict=True))
    assert found[7] == ("bamadu", text.replace("tovafu", "bamadu"))
    assert GRAMMAR.read(found[1][1]) == {"colour": 1, "stroke": 2, "numeral": 1}
    left = occluded_texts(["red", "plate"], grammar=None, others=[], seed=0, prompt=3, prompt_set="a")
    assert left == [("", "plate"), ("", "red")]
    with pytest.raises(InputError, match="no word to put in the place of 'tovafu'"):
        occluded_texts(["tovafu"], grammar=GRAMMAR, others=["tovafu"], seed=0, prompt=0, prompt_set="a")
    assert shared_words(["tovafu red", "tovafu bamadu", "efilit", "efilit one"]) == ["efilit", "tovafu"]


def test_occlusion_compares_with_the_generations_of_the_whole_prompt(tiny, tmp_path):
    keys = pd.MultiIndex.from_tuples([("a", 2), ("a", 5), ("a", 9)])
    image = np.zeros((3, 3, 8, 8), dtype=np.uint8)
    truth = Truth(pd.Series([0, 1, 2], index=keys), pd.Series([0, 1, 2], index=keys), image, np.arange(3))

    def embedded(x, ids):
        flat = x.reshape(len(x), -1).astype(np.float32) + 1
        return flat / np.linalg.norm(flat, axis=1, keepdims=True)

    options = {"generations": 2, "steps": 3, "guidance": 3.0, "batch_size": 4, "decode_batch_size": 4}
    how = {"prompt_set": "a", "options": options, "grammar": None, "others": [], "seed": 1}
    how["similar"] = similarity_to(truth, embedded, "a")
    table = occlude_span(tiny, TEXTS, **how)
    write_table(table, tmp_path / "o.parquet", OCCLUSION)
    assert table["word"].tolist() == [word for text in TEXTS for word in text.split()]
    np.testing.assert_allclose(table["drop"], table["whole"] - table["occluded"])
    pd.testing.assert_frame_equal(
        table[table["prompt"] == 9].reset_index(drop=True), occlude_span(tiny, TEXTS[[9]], **how), atol=0
    )
    other = how | {"similar": similarity_to(truth, embedded, "b")}
    with pytest.raises(InputError, match="prompt 2 of set b has no training image"):
        occlude_span(tiny, TEXTS, **other)


def test_ties_are_drawn_among_and_masses_are_shares():
    assert hit(np.array([1.0, 2.0, 2.0]), np.array([False, True, False])) == 0.5
    assert mass(np.array([1.0, 2.0, 1.0]), np.array([False, True, False])) == 0.5
    assert np.isnan(mass(np.zeros(2), np.array([True, False])))


def planted(n=8):
    """Attributions of prompts of four words: KEY largest but in prompt 7; falls in the order of `good`."""
    rows, falls = [], []
    for prompt in range(n):
        words = ["red", "tovafu", "efilit", "two"] if prompt % 2 else ["red", "tovafu", "efilit", "dazobo"]
        for name, values in (("good", [2.0, 4.0, 1.0, 3.0]), ("flat", [1.0] * 4)):
            values = [4.0, 2.0, 1.0, 3.0] if prompt == 7 and name == "good" else values
            level = "output" if name == "good" else "text"
            for place, (word, value) in enumerate(zip(words, values, strict=True)):
                row = {"prompt_set": "a", "prompt": prompt, "attribution": name, "level": level}
                row |= {"token": place + 1, "piece": word, "place": place, "word": word, "value": value}
                rows.append(row)
            if level == "output":
                rows.append(rows[-1] | {"token": 5, "piece": "", "place": -1, "word": "", "value": 10.0})
        for place, (word, fall) in enumerate(zip(words, [0.2, 0.6, 0.0, 0.3], strict=True)):
            falls.append(
                {"prompt_set": "a", "prompt": prompt, "place": place, "word": word, "replacement": ""}
                | {"whole": 0.9, "occluded": 0.9 - fall, "drop": fall}
            )
    return pd.DataFrame(rows), pd.DataFrame(falls)


def test_scores_are_averaged_over_prompts_with_intervals():
    table, falls = planted()
    scores = prompt_scores(table, falls, GRAMMAR)
    families = {("a", prompt): prompt for prompt in range(8)}
    found = summary(scores, families, 2).set_index(["attribution", "part", "keys", "measure"])
    good = found.loc[("good", "evaluated")]
    assert good.loc[("all", "key_hit"), "estimate"] == pytest.approx(5 / 6)
    assert good.loc[("all", "key_hit"), "n"] == 6
    assert good.loc[("1", "key_hit"), "estimate"] == pytest.approx(2 / 3)  # prompts 3, 5 and 7
    assert good.loc[("2", "key_hit"), "estimate"] == 1
    assert good.loc[("2", "key_mass"), "estimate"] == pytest.approx(0.7)
    assert good.loc[("all", "ends_mass"), "estimate"] == pytest.approx(0.5)
    assert good.loc[("2", "occlusion_rank"), "estimate"] == pytest.approx(1)
    assert good.loc[("all", "key_hit"), "low"] < 5 / 6 < good.loc[("all", "key_hit"), "high"]
    flat = found.loc[("flat", "evaluated")]
    assert flat.loc[("1", "key_hit"), "estimate"] == 0.25
    assert "occlusion_rank" not in flat.index.get_level_values("measure")
    assert found.loc[("good", "tuning", "all", "key_hit"), "n"] == 2
    without = prompt_scores(table, None, None)
    assert set(without["measure"]) == {"ends_mass"}


def test_the_figure_shows_shares_and_what_words_cost(tmp_path):
    table, falls = planted()
    both = pd.concat([table, table[table["level"] == "output"].assign(level="input")])
    families = {
        (name, prompt): prompt for name, prompt in zip(both["prompt_set"], both["prompt"], strict=True)
    }
    words = with_truth(word_values(both), falls, GRAMMAR, families=families, tune=1)
    assert words.drop_duplicates("prompt")["part"].tolist()[:2] == ["tuning", "evaluated"]
    write_table(words, tmp_path / "words.parquet", WORD_VALUES)
    row = FIGURES["token_attribution"]
    files = {kind: tmp_path / f"figure.{kind}" for kind in ("pdf", "png", "csv")}
    options = row.Options(prompt_set="a", prompts=[0, 7], metrics=["good"])
    about = About("here", more={"printed": {"good": "A"}})
    row.draw(words=tmp_path / "words.parquet", **files, options=options, about=about)
    drawn = pd.read_csv(files["csv"], comment="#")
    share = drawn.query("prompt == 0 and level == 'output'")["share"]
    assert share.tolist() == pytest.approx([0.2, 0.4, 0.1, 0.3])
    assert drawn.query("attribution == 'occlusion' and prompt == 7")["share"].max() == pytest.approx(0.6)
    with pytest.raises(InputError, match="prompt 0 of a has no attribution 'bad'"):
        row.draw(
            words=tmp_path / "words.parquet",
            **files,
            options=row.Options(prompt_set="a", prompts=[0], metrics=["bad"]),
            about=about,
        )
    assert read_table(tmp_path / "words.parquet", WORD_VALUES)["role"].iloc[1] == "key"
