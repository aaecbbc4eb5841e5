"""Rewritten prompts: words drawn by choices, texts put in, images from the same noises, measures and the frontier."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_pipeline import WORDS, write_pipeline

from mmh.choices.base import CHOICES, WordChoice, made
from mmh.compute import rng
from mmh.errors import InputError
from mmh.io.arrays import read_arrays, write_arrays
from mmh.io.table_files import read_table, write_table
from mmh.io.tables import PROMPTS, REWRITES, REWRITTEN, WORD_VALUES
from mmh.mitigated.frontier import Frontier, clip_at
from mmh.mitigated.measures import Truth
from mmh.mitigated.rewrites import measured_rewrites, rewrites_of_span, sample_rewrites_span
from mmh.mitigated.rewriting import rewriting_table
from mmh.mitigated.sampling import mitigated_latents
from mmh.mitigations.base import made as mitigation
from mmh.models.latent.caption_tokens import token_texts
from mmh.models.latent.folder import load_folder
from mmh.rewriters.base import made as rewriter
from mmh.rewriting.asked import KEYS, Prompt, all_rewrites, asked, sampled
from mmh.rewriting.draws import drawn_words
from mmh.sampling.guided import ddim_grid

TEXT = "a scarlet heavy figure efilit single showing tovafu upon dazobo card"
PROMPT = Prompt("a", 2, TEXT, tuple(TEXT.split()))
OTHER = Prompt("a", 3, "the red plate", ("the", "red", "plate"))


def silent(total, unit="step"):
    return lambda done, **values: None


def words_of(*prompts, **columns):
    """Values of the words of prompts, by attribution and level: `name__level`."""
    parts = []
    for name, values in columns.items():
        for one in prompts:
            row = {"prompt_set": one.prompt_set, "prompt": one.number, "attribution": name.split("__")[0]}
            row |= {"level": name.split("__")[1], "place": np.arange(len(one.words)), "word": one.words}
            parts.append(pd.DataFrame({**row, "value": np.asarray(values[: len(one.words)], dtype=float)}))
    table = pd.concat(parts, ignore_index=True)
    table = table.assign(role=pd.array([None] * len(table), dtype="string"), drop=np.nan)
    return table.assign(family=table["prompt"], part="evaluated")[list(WORD_VALUES.columns)]


def test_every_choice_is_a_row():
    augmentations = {"random-numbers", "random-tokens", "repeated-word"}
    assert set(CHOICES.rows()) == {"attribution", "key-first", "random", *augmentations}
    words = {name for name, row in CHOICES.rows().items() if issubclass(row, WordChoice)}
    assert words == {"attribution", "key-first", "random"}


def test_choices_differ_by_their_weights_alone():
    named = {
        "random": {"method": "random"},
        "key": {"method": "key-first"},
        "in": {"method": "attribution", "attribution": "cfg", "level": "input"},
        "soft": {"method": "attribution", "attribution": "cfg", "level": "output", "law": "softmax"},
        "rare": {"method": "attribution", "attribution": "rarest"},
    }
    value = {"cfg__input": np.arange(11.0), "cfg__output": np.arange(11.0)[::-1], "rarest__text": [1.0] * 11}
    table = words_of(PROMPT, **value)
    shuffled = table.sample(frac=1, random_state=0)
    found = asked([PROMPT], made(named), k=[1, 3], repeats=6, seed=4, words=shuffled)
    how = {"seed": 4, "prompt_set": "a", "prompt": 2}
    for name, weights, law in (
        ("random", np.ones(11), "uniform"),
        ("in", np.arange(11.0), "normalised"),
        ("soft", np.arange(11.0)[::-1], "softmax"),
    ):
        wanted = [drawn_words(weights, k, law, repeat=r, **how) for k in (1, 3) for r in range(6)]
        assert [one.chosen for one in found[name]] == wanted, name
    assert [one.chosen for one in found["rare"]] == [one.chosen for one in found["random"]]
    for one in found["key"]:
        assert {one.words[place] for place in one.chosen[:2]} <= {"tovafu", "dazobo"}
        assert len(one.chosen) < 3 or one.words[one.chosen[2]] not in ("tovafu", "dazobo")
    assert {one.chosen[0] for one in found["key"]} == {7, 9}


def test_what_cannot_be_drawn_is_named():
    with pytest.raises(
        InputError, match=r"rewriting.k: 4 words are to be replaced, but prompt 3 of set a has 3"
    ):
        asked([PROMPT, OTHER], made({"r": {"method": "random"}}), k=[1, 4], repeats=1, seed=0, words=None)
    by = made({"c": {"method": "attribution", "attribution": "cfg"}})
    table = words_of(PROMPT, cfg__output=np.ones(11), cfg__input=np.ones(11))
    said = r"lacks cfg \(output\) of prompt 3 of set a; attribute it"
    with pytest.raises(InputError, match=said):
        asked([PROMPT, OTHER], by, k=[1], repeats=1, seed=0, words=table)
    renamed = table.assign(word=table["word"].replace("card", "tile"))
    with pytest.raises(InputError, match=r"lacks cfg \(output\) of prompt 2"):
        asked([PROMPT], by, k=[1], repeats=1, seed=0, words=renamed)
    # What puts something in has no use for words.
    assert (
        asked([OTHER], made({"t": {"method": "random-tokens"}}), k=[9], repeats=1, seed=0, words=None) == {}
    )


@pytest.mark.parametrize("method", ["random-tokens", "random-numbers", "repeated-word"])
def test_additions_stand_at_any_place_and_the_prompt_stays(method):
    (row,) = made({"x": {"method": method}}).values()
    words = TEXT.split()
    places, drawn = np.zeros(12), []
    for number in range(1500):
        one = row.augmented(words, 1, ["<one>", "<two>"], rng.generator(0, "test", number)).split()
        place = next(i for i in range(12) if one[:i] + one[i + 1 :] == words)
        drawn.append(one[place])
        if method != "repeated-word":  # beside itself a word has two places
            places[place] += 1
    if method != "repeated-word":
        assert ((places / 1500 - 1 / 12) ** 2).sum() < 0.002  # its mean, if all are alike, is .0006
    if method == "random-tokens":
        assert abs(drawn.count("<one>") / 1500 - 0.5) < 0.05
    elif method == "random-numbers":
        numbers = np.array(drawn, dtype=int)
        assert numbers.min() >= 0
        assert numbers.max() < 100_000
        assert abs(numbers.mean() - 50_000) < 3000
    else:
        assert set(drawn) == set(words)
    three = row.augmented(words, 3, ["<one>"], rng.generator(0, "test", 7)).split()
    two = row.augmented(words, 2, ["<one>"], rng.generator(0, "test", 7)).split()
    assert any(three[:i] + three[i + 1 :] == two for i in range(14))
    left = list(three)
    for word in words:
        left.remove(word)
    assert len(left) == 3


def rewritten(prompts=(PROMPT,), choices=None, **how):
    named = choices or {"random": {"method": "random"}, "numbers": {"method": "random-numbers"}}
    lexicon = rewriter("lexicon", {"others": ["bamadu", "ofolik", "rerifo", "edinom"]})
    how = {"k": [1, 2], "repeats": 2, "attempts": 3, "seed": 0, "words": None, "vocabulary": ["x"]} | how
    too_long = how.pop("too_long", lambda text: len(text.split()) > 12)
    return all_rewrites(
        prompts, made(named), how.pop("by", lexicon), **how, too_long=too_long, report=lambda n: None
    )


def test_all_rewritings_have_a_row_and_what_the_encoder_cuts_is_told_from_what_will_not_do(tmp_path):
    table = rewritten()
    write_table(table, tmp_path / "t.parquet", REWRITES)
    assert read_table(tmp_path / "t.parquet", REWRITES)["text"].eq(TEXT).all()
    assert table.groupby(["choice", "k"], sort=False).size().to_dict() == {
        ("none", 0): 2,
        ("random", 1): 2,
        ("random", 2): 2,
        ("numbers", 1): 2,
        ("numbers", 2): 2,
    }
    assert (table.query("choice == 'none'")["rewrite"] == TEXT).all()
    one = table.query("choice == 'random' and k == 2 and repeat == 1").iloc[0]
    assert len(one["replaced"].split()) == 2
    assert sum(a != b for a, b in zip(one["rewrite"].split(), TEXT.split(), strict=True)) == 2
    assert table.query("choice == 'numbers'")["problem"].tolist() == ["", "", "cut", "cut"]
    assert len(sampled(table)) == len(table)
    # Shorter still, and a rewriter's answer is left out, an addition is cut.
    short = rewritten(too_long=lambda text: True)
    assert set(sampled(short)["choice"]) == {"none", "numbers"}
    assert set(short.query("choice == 'random'")["problem"]) == {"too long"}
    assert set(short.query("choice == 'random'")["attempts"]) == {3}


def test_a_rewriting_depends_on_its_prompt_alone_and_begins_alike_for_any_k():
    both = rewritten([OTHER, PROMPT], k=[1, 2, 3]).query("prompt == 2 and k in (0, 1, 2)")
    pd.testing.assert_frame_equal(both.reset_index(drop=True), rewritten().reset_index(drop=True))
    drawn = both.query("choice == 'random'").set_index(["k", "repeat"])["replaced"]
    assert drawn[2, 0].startswith(drawn[1, 0])
    assert not both.duplicated(KEYS).any()


def test_words_need_a_rewriter():
    with pytest.raises(InputError, match="choice 'random' names words, and nothing replaces them"):
        rewritten(by=None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_pipeline(tmp_path_factory.mktemp("tiny") / "model")


TEXTS = pd.Series(["the red plate", "digit seven with plate", "plate with red digit three"], index=[2, 5, 9])
OPTIONS = {"generations": 2, "steps": 4, "guidance": 3.0, "batch_size": 4, "decode_batch_size": 4}


def prompts_of(texts=TEXTS):
    return [Prompt("a", int(i), text, tuple(text.split())) for i, text in texts.items()]


def sampled_span(model, table, texts=TEXTS, **changes):
    rows = sampled(rewrites_of_span(table, texts, "a"))
    options = OPTIONS | changes
    return sample_rewrites_span(model, rows, prompt_set="a", options=options, seed=1, progress=silent)


@pytest.fixture(scope="module")
def rewrites():
    """Of three prompts, each word replaced by another."""
    lines = []
    for one in prompts_of():
        for place, word in enumerate(one.words):
            new = " ".join([*one.words[:place], "zed", *one.words[place + 1 :]])
            lines += [(one.text, word, new)] * 6
    return pd.DataFrame(lines, columns=["text", "replaced", "rewrite"])


@pytest.fixture(scope="module")
def table(rewrites, tmp_path_factory):
    file = tmp_path_factory.mktemp("written") / "mine.csv"
    rewrites.to_csv(file, index=False)
    named = {"random": {"method": "random"}, "cwr": {"method": "repeated-word"}}
    by = rewriter("table", {"file": str(file)})
    found = rewritten(prompts_of(), named, k=[1], by=by, attempts=1, too_long=lambda text: False)
    refused = (found["choice"] == "random") & (found["prompt"] == 5)
    return found.assign(problem=found["problem"].mask(refused, "refusal"))


def test_rewritings_start_from_the_noises_of_the_prompt(folder, table):
    model = load_folder(folder)
    arrays, numerics = sampled_span(model, table)
    assert (
        len(arrays["image"]) == (3 * 3 * 2 - 2) * 2
    )  # prompts, choices, repeats; but those refused; generations
    assert numerics["network_rows"] == 2 * 4 * len(arrays["image"])
    plain = arrays["choice"] == "none"
    how = {"grid": ddim_grid(model.scheduler, 4), "prompt_set": "a", "guidance": 3.0, "seed": 1}
    latents = mitigated_latents(
        model.score_model(), model.embed(TEXTS.tolist(), ids=TEXTS.index), model.null(), mitigation("none", {}),
        prompts=TEXTS.index.to_numpy(), generations=4, batch_size=4, **how,
    )["latents"]  # fmt: skip
    whole = model.decode(latents, batch_size=4)
    order = np.lexsort((arrays["generation"][plain], arrays["prompt"][plain]))
    assert np.abs(arrays["image"][plain][order].astype(int) - whole).max() <= 1
    assert arrays["generation"][plain][order].tolist() == [0, 1, 2, 3] * 3
    # A word repeated gives another image from the same noise; the original text stands beside it.
    other = (arrays["choice"] == "cwr") & (arrays["prompt"] == 2) & (arrays["generation"] == 3)
    assert np.abs(arrays["image"][other][0].astype(int) - whole[3]).max() > 3
    assert arrays["text"][other][0] == "the red plate"
    assert len(arrays["rewrite"][other][0].split()) == 4


def test_spans_and_what_else_is_rewritten_do_not_matter(folder, table):
    model = load_folder(folder)
    whole, _ = sampled_span(model, table)
    part, _ = sampled_span(model, table, TEXTS[[5]])
    here = whole["prompt"] == 5
    assert part["id"].tolist() == whole["id"][here].tolist()
    assert part["image"].tobytes() == whole["image"][here].tobytes()


def test_a_table_that_lacks_a_prompt_or_has_another_is_named(table):
    with pytest.raises(
        InputError, match=r"rewrites.parquet: lacks prompt 7 of set a, 'digit'; rewrite it anew"
    ):
        rewrites_of_span(table, pd.Series(["digit"], index=[7]), "a")
    with pytest.raises(InputError, match=r"lacks prompt 2 of set a, 'digit'"):
        rewrites_of_span(table, pd.Series(["digit"], index=[2]), "a")


def test_the_scripts_rewrite_and_sample(folder, tmp_path):
    import importlib

    rows = pd.DataFrame({"prompt_set": "a", "prompt": range(3), "text": TEXTS.tolist(), "family": range(3)})
    write_table(rows.assign(train=pd.array([None] * 3, "Int64")), tmp_path / "prompts.parquet", PROMPTS)
    values = words_of(*prompts_of(TEXTS.reset_index(drop=True)), cfg__output=np.arange(1.0, 6))
    write_table(values, tmp_path / "words.parquet", WORD_VALUES)
    choices = {"cfg": {"method": "attribution", "attribution": "cfg"}, "rta": {"method": "random-tokens"}}
    options = {"sets": {"a": 2}, "k": [1, 2], "repeats": 2, "attempts": 1, "choices": choices}
    lines = [["text", "replaced", "rewrite"]]
    for text in TEXTS[:2]:
        words = text.split()
        for chosen in {tuple(sorted(pair)) for pair in np.ndindex(len(words), len(words))}:
            wanted = " ".join(words[i] for i in dict.fromkeys(chosen))
            lines += [[text, wanted, "three seven digit"]] * 4
    (tmp_path / "mine.csv").write_text("\n".join(",".join(line) for line in lines))
    options["rewriter"] = {"method": "table", "options": {"file": str(tmp_path / "mine.csv")}}
    inputs = {
        "prompts": tmp_path / "prompts.parquet",
        "model": folder,
        "attributions": tmp_path / "words.parquet",
    }
    record, how = {}, {"seed": 0, "device": "cpu", "progress": silent}
    out = tmp_path / "rewrites.parquet"
    importlib.import_module("rewrite_prompts").main(inputs, out, options=options, record=record, **how)
    table = read_table(out, REWRITES)
    assert len(table) == 2 * (2 + 2 * 2 * 2)
    said = table.query("choice == 'cfg'")
    assert (said["problem"] != "").sum() == record["problems"]["keeps a word"] > 0  # digit, seven
    assert (table.query("choice == 'rta' and k == 2")["rewrite"].str.split().str.len() >= 5).all()
    inputs = {"prompts": inputs["prompts"], "rewrites": out, "model": folder}
    for span in ("000000-000001", "000001-000001"):
        importlib.import_module("sample_rewritten").main(
            inputs, tmp_path / f"{span}.npz", prompt_set="a", span=span, options=OPTIONS, record={}, **how
        )
    one, prompt = read_arrays(tmp_path / "000000-000001.npz", "image", "prompt")
    (two,) = read_arrays(tmp_path / "000001-000001.npz", "image")
    assert one[prompt == 1].tobytes() == two.tobytes()
    assert len(one) == 2 * len(sampled(table))


def test_tokens_are_texts(folder):
    model = load_folder(folder)
    found = token_texts(model)
    assert set(WORDS) <= set(found)
    vocabulary = json.loads(Path(folder, "tokenizer", "vocab.json").read_text())
    assert len(found) == len(vocabulary) - 2


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Six prompts, two repeats: `cfg` copies no more from k = 1 on, `random` from k = 2 on."""
    generator = np.random.default_rng(1)
    train = generator.integers(0, 256, (6, 3, 2, 2), dtype=np.uint8)
    keys = pd.MultiIndex.from_product([["memorized"], range(6)], names=["prompt_set", "prompt"])
    truth = Truth(
        pd.Series(range(6), index=keys), pd.Series([0, 1, 2, 3, 4, 4], index=keys), train, np.arange(6)
    )
    rows = [
        (choice, k, prompt, generation)
        for prompt in range(6)
        for choice, ks in (("none", [0]), ("random", [1, 2]), ("cfg", [1, 2]))
        for k in ks
        for generation in range(2)
    ]
    choice, k, prompt, generation = map(np.array, zip(*rows, strict=True))
    image = generator.integers(0, 256, (len(rows), 3, 2, 2), dtype=np.uint8)
    copied = (choice == "none") | ((choice == "random") & (k == 1))
    image[copied] = train[prompt[copied]]
    arrays = {"image": image, "id": np.arange(len(rows)), "prompt": prompt, "generation": generation}
    text = np.array([f"prompt {i}" for i in prompt])
    path = tmp_path_factory.mktemp("rewritten") / "memorized" / "000000-000005.npz"
    path.parent.mkdir()
    write_arrays(path, **arrays, choice=choice, k=k, text=text, rewrite=np.array(["other"] * len(rows)))

    def embedded(x, ids):
        flat = x.reshape(len(x), -1).astype(np.float32) - 127.5
        return flat / np.linalg.norm(flat, axis=1, keepdims=True)

    def agree(x, texts):
        return np.array([int(text.split()[1]) for text in texts]) / 10  # of the original prompt

    how = {"cut": 0.99, "tuned": 1, "report": lambda done: None, "agree": agree}
    found = measured_rewrites([path], truth, embedded, **how)
    write_table(found, path.with_name("t.parquet"), REWRITTEN)
    return read_table(path.with_name("t.parquet"), REWRITTEN), truth


def problems(measured, bad):
    table = measured.drop_duplicates(["choice", "k", "prompt"]).assign(repeat=0, problem="")
    return table.assign(
        problem=np.where((table["choice"] == "cfg") & (table["prompt"] == bad), "refusal", "")
    )


def test_choices_are_compared_at_equal_k(measured):
    table, truth = measured
    how = {"reference": "random", "tuned": 1, "similarities": [0.9], "seed": 0}
    found = rewriting_table(table, problems(table, 3), truth.family.to_dict(), **how)
    rows = found.set_index(["part", "choice", "metric", "k"]).sort_index()
    at = lambda *keys: rows.loc[("evaluated", *keys)]  # noqa: E731
    assert at("none", "copies", 0)["estimate"] == 1.0
    assert at("random", "copies", 1)["estimate"] == 1.0
    assert at("random", "copies", 2)["estimate"] == 0.0
    assert at("cfg", "copies", 1)["difference"] == -1.0
    assert at("cfg", "copies", 2)["difference"] == 0.0
    assert np.isnan(at("random", "copies", 1)["difference"])
    assert (at("cfg", "copies", 1)["n"], at("cfg", "copies", 1)["n_clusters"]) == (
        10,
        4,
    )  # 5 prompts, 2 alike
    assert at("cfg", "clip", 1)["estimate"] == pytest.approx(0.3)  # of prompts 1 to 5
    assert at("random", "alike", 1)["estimate"] == pytest.approx(1.0, abs=1e-6)
    assert at("random", "alike", 2)["estimate"] < 0.9
    one = table.query("choice == 'cfg' and k == 1 and part == 'evaluated'")["similarity"]
    assert at("cfg", "similarity", 1)["estimate"] == pytest.approx(one.mean())
    assert at("cfg", "problems", 2)["estimate"] == 0.2
    assert at("random", "problems", 2)["estimate"] == 0.0
    assert rows.loc[("tuning", "cfg", "copies", 1), "n"] == 2
    line = found.query("metric == 'clip_at' and part == 'evaluated' and choice == 'random'").iloc[0]
    assert line["estimate"] == pytest.approx(0.3)  # CLIP is the same all along
    assert pd.isna(line["k"])


def brute(similarity, clip, at):
    """CLIP where a curve of points first comes down to a similarity."""
    if similarity[0] < at:
        return np.nan
    for i in range(len(similarity) - 1):
        if similarity[i] == at:
            return clip[i]
        if similarity[i] > at >= similarity[i + 1]:
            share = (similarity[i] - at) / (similarity[i] - similarity[i + 1])
            return (1 - share) * clip[i] + share * clip[i + 1]
    return clip[-1] if similarity[-1] == at else np.nan


def test_curves_are_cut_as_by_hand():
    generator = np.random.default_rng(0)
    s, c = generator.random((300, 6)), generator.random((300, 6))
    s[:, 0] += 0.3
    s[:20, 2] = 0.5
    s[20:30, 0] = 0.5
    found = clip_at(s, c, 0.5)
    wanted = [brute(one, two, 0.5) for one, two in zip(s, c, strict=True)]
    np.testing.assert_allclose(found, wanted)
    assert 0 < np.isnan(found).sum() < 100


def curves(families=60, *, k=(1, 2, 4), lead=0.05, fall=0.15, seed=0):
    """`cfg` keeps `lead` more CLIP than `random` at any similarity; a prompt has noise that both share."""
    generator = np.random.default_rng(seed)
    rows = []
    for family in range(families):
        own = generator.normal(0, [0.05, 0.05])
        for choice, ks in (("none", [0]), ("random", k), ("cfg", k)):
            for number in ks:
                s = 0.95 - fall * number * (1.3 if choice == "cfg" else 1.0)
                c = 0.85 - 0.3 * (0.95 - s) + lead * (choice == "cfg")
                own_s, own_c = own + generator.normal(0, 0.02, 2)
                rows.append((choice, number, family, s + own_s, c + own_c))
    table = pd.DataFrame(rows, columns=["choice", "k", "family", "similarity", "clip"])
    return table.assign(prompt=table["family"], prompt_set="memorized", part="evaluated", generation=0)


def by_hand(table, choice, at, weights):
    value = []
    for k, rows in table[table["choice"].isin([choice, "none"])].groupby("k"):
        w = weights[rows["family"]]
        value.append((k, (w * rows["similarity"]).sum() / w.sum(), (w * rows["clip"]).sum() / w.sum()))
    _, s, c = zip(*sorted(value), strict=True)
    return brute(s, c, at)


def test_the_frontier_is_a_paired_bootstrap_over_families():
    table = curves()
    front = Frontier(table, 7)
    found = front.interval("cfg", 0.7, than="random")
    one = np.ones(60)
    assert found.estimate == pytest.approx(
        by_hand(table, "cfg", 0.7, one) - by_hand(table, "random", 0.7, one)
    )
    assert front.interval("cfg", 0.7).estimate == pytest.approx(by_hand(table, "cfg", 0.7, one))
    generator = np.random.default_rng(3)
    drawn = [np.bincount(generator.integers(0, 60, 60), minlength=60).astype(float) for _ in range(250)]
    differences = [by_hand(table, "cfg", 0.7, w) - by_hand(table, "random", 0.7, w) for w in drawn]
    low, high = np.quantile(differences, [0.025, 0.975])
    width = high - low
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.2 * width)
    alone = front.interval("cfg", 0.7)
    assert alone.high - alone.low > 2 * width, "what prompts share goes out of the difference"
    assert (found.n_clusters, found.unit, found.method) == (60, "family", "bootstrap")
    assert front.interval("cfg", 0.7, than="random") == Frontier(table, 7).interval("cfg", 0.7, than="random")


def test_a_similarity_that_is_not_reached_has_no_number_and_says_why():
    front = Frontier(curves(), 0)
    low = front.interval("random", 0.2)
    assert np.isnan(low.estimate)
    assert low.reason.startswith("similarity 0.2 is out of range: from 0.9")
    assert np.isnan(front.interval("random", 0.999).estimate)
    far = front.interval("cfg", 0.2, than="random")
    assert np.isnan(far.low)
    assert "0.2 is out of range" in far.reason
    # Just reached: many draws are not, so there is no bound.
    table = curves()
    last = float(table.query("choice == 'random' and k == 4")["similarity"].mean())
    edge = Frontier(table, 0).interval("random", last + 1e-4)
    assert np.isfinite(edge.estimate)
    assert np.isnan(edge.low)
    assert "at the end of what is reached" in edge.reason


def test_few_families_take_the_jackknife_and_no_level_is_beyond_the_draws():
    table = curves(12)
    found = Frontier(table, 0).interval("cfg", 0.7, than="random")
    left = []
    for family in range(12):
        w = np.ones(12)
        w[family] = 0
        left.append(by_hand(table, "cfg", 0.7, w) - by_hand(table, "random", 0.7, w))
    half = 2.20098516 * np.sqrt(11 * np.var(left))
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=1e-6)
    assert found.method == "jackknife, t"
    many = Frontier(curves(), 0)
    assert np.isfinite(many.interval("cfg", 0.7, level=0.999).low)
    assert np.isnan(many.interval("cfg", 0.7, level=1 - 1e-6).low)
    assert "one family" in Frontier(table[table["family"] == 0], 0).interval("cfg", 0.7).reason
