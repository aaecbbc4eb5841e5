"""The captioned digits, and the tokenizer that reads their captions."""

import numpy as np
import pytest

from mmh.errors import InputError
from mmh.models.latent import word_tokenizer
from mmh.worlds.sets import caption_words, captioned_digits, digits

SMALL = {"n_memorized": 5, "copies": 3, "n_control": 6, "n_generic": 80, "n_generic_keys": 2, "seed": 3}


@pytest.fixture(scope="module")
def world():
    return captioned_digits.make(**SMALL)


def test_default_set_has_the_planned_populations():
    world = captioned_digits.make()
    table = world.table
    assert list(table.columns) == ["train", "source", "population", "group", "copies"]
    assert table.population.value_counts().to_dict() == {"memorized": 2560, "control": 64, "generic": 1669}
    assert world.image.shape == (4293, 3, 8, 8)
    assert world.image.dtype == np.uint8
    assert len(world.caption) == len(world.family) == 4293
    assert table.source.nunique() == 64 + 64 + 1669 == len(digits.images())  # no digit is left out


def test_copies_and_groups_are_those_of_the_bytes(world):
    rows = [row.tobytes() for row in world.image]
    assert [rows.count(row) for row in rows] == world.table["copies"].tolist()
    assert [rows.index(row) for row in rows] == world.table.group.tolist()
    assert (world.table["copies"] == np.where(world.table.population == "memorized", 3, 1)).all()


def test_bytes_are_the_digits_and_read_back_within_half_a_grey_level(world):
    assert (world.image == world.image[:, :1]).all()
    back = world.image.astype(np.float32) / 127.5 - 1
    assert np.abs(back[:, :1] - digits.images()[world.table.source]).max() <= 0.5 / 127.5 + 1e-6


def test_captions_follow_one_template_and_name_the_digit(world):
    shown = digits.classes(world.table.source.to_numpy())
    for text, digit in zip(world.caption, shown, strict=True):
        assert text == caption_words.caption(caption_words.key_of(text), digit)
        assert text.split()[-1] == caption_words.NUMERALS[digit]
        assert len(caption_words.key_of(text)) == 6
        assert text.isascii()
        assert text == text.lower()


def test_only_generic_images_share_a_key(world):
    keys = {
        name: {caption_words.key_of(world.caption[i]) for i in part.train}
        for name, part in world.table.groupby("population")
    }
    assert {name: len(found) for name, found in keys.items()} == {"memorized": 5, "control": 6, "generic": 2}
    assert len(set.union(*keys.values())) == 13


def test_group_says_nothing_about_key_or_digit():
    """Over many seeds, KEY's letters and the digit are the same for repeated and for single images."""
    letters: dict[str, list[str]] = {"memorized": [], "control": []}
    shown: dict[str, list[int]] = {"memorized": [], "control": []}
    for seed in range(20):
        world = captioned_digits.make(**{**SMALL, "n_memorized": 60, "n_control": 60, "seed": seed})
        for name in letters:
            _, train, table = captioned_digits.image_set(world, name)
            letters[name] += [caption_words.key_of(text)[0] for text in table.caption]
            shown[name] += digits.classes(world.table.source.to_numpy()[train]).tolist()
    for values in (letters, shown):
        a, b = (np.array([(np.array(values[n]) == v).mean() for v in sorted(set(values[n]))]) for n in values)
        # 1200 draws each: a share of .1 has a standard error of .009, a difference one of .012
        np.testing.assert_allclose(a, b, atol=0.05)


def test_keys_differ_and_the_first_ones_stay_when_more_are_drawn():
    few, many = caption_words.key_words(50, seed=1), caption_words.key_words(500, seed=1)
    assert len(set(many)) == 500
    np.testing.assert_array_equal(few, many[:50])
    assert set(few) != set(caption_words.key_words(50, seed=2))


def test_a_seed_fixes_the_world(world):
    same, other = captioned_digits.make(**SMALL), captioned_digits.make(**{**SMALL, "seed": 4})
    np.testing.assert_array_equal(world.image, same.image)
    assert world.caption == same.caption
    assert world.table.equals(same.table)
    assert not set(world.caption) & set(other.caption)


def test_prompts_are_the_captions_and_point_to_their_image(world):
    prompts = captioned_digits.list_prompts(world, n_generic=7)
    assert list(prompts.columns) == ["prompt_set", "prompt", "text", "family", "train"]
    assert prompts.prompt_set.value_counts().to_dict() == {"memorized": 5, "control": 6, "generic": 7}
    assert prompts.family.is_unique
    assert prompts.text.is_unique
    for name, part in prompts.groupby("prompt_set"):
        assert part.prompt.tolist() == list(range(len(part)))
        for row in part.itertuples():
            same = [i for i, text in enumerate(world.caption) if text == row.text]
            assert {world.table.population[i] for i in same} == {name}
            assert {world.family[i] for i in same} == {row.family}
            if world.table.group[same].nunique() == 1:
                assert row.train == same[0]
            else:
                assert prompts.train.isna()[row.Index]
    assert prompts.train.isna().any()


def test_image_sets_hold_each_image_once(world):
    for name, size in (("memorized", 5), ("control", 6), ("generic", 20)):
        image, train, table = captioned_digits.image_set(world, name, n_generic=20)
        assert len(image) == len(table) == size
        assert len({row.tobytes() for row in image}) == size
        assert list(table.columns) == ["item", "caption", "family", "source"]
        assert table.item.tolist() == list(range(size))
        np.testing.assert_array_equal(image, world.image[train])
        assert table.caption.tolist() == [world.caption[i] for i in train]
        assert table.family.nunique() == table.caption.nunique()
        assert (world.table.population[train] == name).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_generic": 1787}, "1798 source images are asked for, there are 1797"),
        ({"copies": 1}, "at least 2"),
        ({"n_control": 0}, "at least 1"),
    ],
)
def test_impossible_counts_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        captioned_digits.make(**{**SMALL, **change})


def test_unknown_image_set_is_refused(world):
    with pytest.raises(InputError, match="choose one of memorized, control, generic"):
        captioned_digits.image_set(world, "laion")


def test_more_keys_than_there_are_words_are_refused():
    with pytest.raises(InputError, match="there are 343000"):
        caption_words.key_words(343_001, seed=0)


@pytest.mark.parametrize(
    "words", [["papapa", "papa", "apapap"], ["aaaa", "aaa", "baaab"], ["kobeko", "bekobe", "kobe", "beko"]]
)
def test_later_words_leave_earlier_ones_whole(words):
    rank = {pair: place for place, pair in enumerate(word_tokenizer.merges(words))}
    for word in words:
        assert word_tokenizer.pieces(word, rank) == [word + "</w>"]


def test_tokenizer_gives_every_word_one_token_and_any_other_text_pieces(world, tmp_path):
    from transformers import AutoTokenizer

    words = caption_words.vocabulary(world.caption)
    made = word_tokenizer.save(tmp_path, words, length=16)
    assert {file.name for file in tmp_path.iterdir()} >= {"vocab.json", "merges.txt", "tokenizer_config.json"}
    for tokenizer in (made, AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)):
        assert type(tokenizer).__name__ == "CLIPTokenizer"
        assert tokenizer.model_max_length == 16
        for text in set(world.caption):
            tokens = tokenizer(text, padding="max_length").input_ids
            assert len(tokens) == 16
            assert tokens[0] == tokenizer.bos_token_id
            assert tokens[7:] == [tokenizer.eos_token_id] * 9
            assert tokenizer.convert_ids_to_tokens(tokens[1:7]) == [word + "</w>" for word in text.split()]
        other = tokenizer("Kobe, 42 é!", add_special_tokens=False).input_ids
        assert tokenizer.eos_token_id not in other  # no unknown token
        assert tokenizer.decode(other) == "kobe , 4 2 é !"


def test_the_reference_tokenizer_agrees_on_words_it_has_not_seen(world, tmp_path):
    words = caption_words.vocabulary(world.caption)
    tokenizer = word_tokenizer.save(tmp_path, words, length=16)
    rank = {pair: place for place, pair in enumerate(word_tokenizer.merges(words))}
    for word in caption_words.key_words(200, seed=9):
        assert tokenizer.tokenize(word) == word_tokenizer.pieces(word, rank)


@pytest.mark.parametrize("word", ["Kobe", "two words", "x2", "é"])
def test_words_that_a_tokenizer_would_split_are_refused(word):
    with pytest.raises(InputError, match="lower-case letters"):
        word_tokenizer.merges(["the", word])


BESIDE = {**SMALL, "companions": 4}


def test_companions_share_the_key_and_the_digit_of_one_image():
    world = captioned_digits.make(**BESIDE)
    table = world.table
    assert table.population.value_counts().to_dict() == {
        "memorized": 15,
        "control": 6,
        "generic": 80,
        "companion": 44,
    }
    assert table.source.nunique() == 5 + 6 + 80 + 44  # no image stands twice but by its copies
    shown = digits.classes(table.source.to_numpy())
    for text in {world.caption[i] for i in table.train[table.population == "companion"]}:
        same = np.array([i for i, other in enumerate(world.caption) if other == text])
        own = table.population[same] != "companion"
        assert set(table.population[same[own]]) in ({"memorized"}, {"control"})
        assert (~own).sum() == 4
        assert len(set(shown[same])) == 1
        assert table.source[same[~own]].nunique() == 4


def test_prompts_point_to_the_image_that_has_companions_and_sets_leave_these_out():
    world = captioned_digits.make(**BESIDE)
    prompts = captioned_digits.list_prompts(world)
    owned = prompts[prompts.prompt_set != "generic"]
    assert prompts.prompt_set.value_counts().to_dict()["memorized"] == 5
    assert (world.table.population[owned.train.astype(int)].to_numpy() == owned.prompt_set.to_numpy()).all()
    for name, size in (("memorized", 5), ("control", 6)):
        assert len(captioned_digits.image_set(world, name)[0]) == size


def test_without_companions_the_world_is_what_it_was(world):
    assert (captioned_digits.make(**SMALL, companions=0).image == world.image).all()
    before = captioned_digits.make(**BESIDE)
    kept = before.table[before.table.population.isin(["memorized", "control"])]
    assert (world.table.source[: len(kept)].to_numpy() == kept.source.to_numpy()).all()


def test_too_many_companions_are_refused():
    with pytest.raises(InputError, match="too few images of a"):
        captioned_digits.make(**{**SMALL, "companions": 120, "n_generic": 1})


def test_the_plan_counts_what_is_made():
    from mmh.worlds.base import WORLDS

    options = {**BESIDE, "prompts": 4, "items": 4}
    assert WORLDS["digits-text"].n_train(options) == len(captioned_digits.make(**BESIDE).image)
