"""The captions in many wordings: what is planted, the grammar, the lexicon, and what their CLIP model is asked."""

import numpy as np
import pytest

from mmh.errors import InputError
from mmh.models.latent.clip import alike_rows
from mmh.models.latent.clip_similarity import slot_accuracy
from mmh.retrieval.embedding import embed
from mmh.worlds.base import WORLDS
from mmh.worlds.sets import digits
from mmh.worlds.sets.caption_words import decoy_words, is_key, key_words, made_up
from mmh.worlds.sets.worded_digits import TINTS, strokes, tinted
from mmh.worlds.sets.wordings import CONTENT, GRAMMAR, JOINING, Content

SMALL = {"n_memorized": 6, "copies": 5, "n_control": 4, "n_generic": 60, "n_generic_keys": 3, "n_decoys": 30}
ROW = WORLDS["digits-captions"]


@pytest.fixture(scope="module")
def world():
    return ROW.make_captioned(ROW.read(SMALL | {"prompts": 8, "items": 12, "seed": 1}))


def test_counts_are_those_that_are_planned(world):
    section = SMALL | {"prompts": 8, "items": 12, "seed": 1}
    assert len(world.image) == ROW.n_train(section) == 6 * 5 + 4 + 60
    for name in ROW.sets:
        assert len(world.sets[name][0]) == ROW.set_size(section, name)
        assert (world.prompts["prompt_set"] == name).sum() == ROW.n_prompts(section, name)


def test_copies_are_equal_and_their_wordings_differ(world):
    for i in range(6):
        own = slice(5 * i, 5 * i + 5)
        assert (world.image[own] == world.image[5 * i]).all()
        assert len(set(world.caption[own])) == 5
        keys = [{word for word in text.split() if is_key(word)} for text in world.caption[own]]
        assert all(found == keys[0] and len(found) == 1 + i % 2 for found in keys)


def test_captions_say_what_the_images_show(world):
    grey = digits.images()
    stroke = strokes(grey)
    for text, image, source, label in zip(
        world.caption, world.image, world.table["source"], world.label, strict=True
    ):
        said = GRAMMAR.read(text)
        assert said["numeral"] == label == digits.classes(np.array([source]))[0]
        assert said["stroke"] == stroke[source]
        assert (image == tinted(grey[[source]], np.array([said["colour"]]))[0]).all()


def test_each_word_plays_one_part_and_fits_the_encoder(world):
    names = [word for values in CONTENT.values() for words in values for word in words]
    names += [word for words in JOINING.values() for word in words]
    assert len(set(names)) == len(names)
    assert not set(names) & {*key_words(3000, seed=0), *decoy_words(3000, seed=0)} - {"figure"}
    for text in world.caption:
        roles = GRAMMAR.roles(text)
        assert len(roles) <= GRAMMAR.longest <= 14
        assert "other" not in roles
        assert roles.count("decoy") == 1
        assert [roles.count(slot) for slot in CONTENT] == [1, 1, 1]
    assert GRAMMAR.role("figure") == "noun"


def test_the_rarest_word_of_a_memorized_caption_is_its_decoy():
    whole = ROW.make_captioned(ROW.read(_shipped()))
    seen: dict[str, int] = {}
    for text in whole.caption:
        for word in text.split():
            seen[word] = seen.get(word, 0) + 1
    memorized = whole.prompts.query("prompt_set == 'memorized'")["text"]
    assert {GRAMMAR.role(min(text.split(), key=seen.get)) for text in memorized} == {"decoy"}
    counts = [sum(is_key(word) for word in text.split()) for text in memorized]
    assert counts == [1, 2] * 32


def _shipped():
    return (
        SMALL
        | {"n_memorized": 64, "copies": 40, "n_control": 64, "n_generic": 1669}
        | {
            "n_generic_keys": 12,
            "n_decoys": 600,
            "prompts": 64,
            "items": 200,
            "seed": 0,
        }
    )


def test_too_many_images_are_refused():
    with pytest.raises(InputError, match="1801 source images are asked for, there are 1797"):
        ROW.make_captioned(ROW.read(_shipped() | {"n_control": 68}))


def test_every_template_slot_and_place_occurs():
    random = np.random.default_rng(0)
    texts = [GRAMMAR.write(Content(1, 2, 0, ("tovafu",)), "efilit", random) for _ in range(400)]
    words = {word for text in texts for word in text.split()}
    assert {*CONTENT["numeral"][1], *CONTENT["colour"][2], *CONTENT["stroke"][0]} < words
    assert {word for of in JOINING.values() for word in of} < words
    assert {text.split().index("efilit") for text in texts} >= set(range(9))
    assert made_up(texts) == ["efilit", "tovafu"]


def test_tints_are_equally_bright_and_the_descriptor_sees_grey():
    np.testing.assert_allclose(TINTS.mean(axis=1), 8 / 15, rtol=1e-6)
    grey = digits.images()[:4]
    seen = {}

    def descriptor(x):
        seen["x"] = x.clone()
        return x.flatten(1) + 0.1

    for colour in range(6):
        image = np.moveaxis(tinted(grey, np.full(4, colour)), 1, -1)
        embed(descriptor, image, "tinted", 4)
        np.testing.assert_allclose(seen["x"].numpy(), np.repeat(grey, 3, axis=1), atol=0.01)


def test_batches_of_clip_agree_in_their_slots():
    kin = alike_rows(["a", "b", "a", "c", "b", "a"])
    assert [rows.tolist() for rows in kin] == [[0, 2, 5], [1, 4], [0, 2, 5], [1, 4], [0, 2, 5]]
    assert alike_rows(None) is None
    with pytest.raises(InputError, match="no two captions agree"):
        alike_rows(["a", "b"])


def test_accuracy_of_slots_is_that_of_what_the_model_reads(world):
    """A model that knows the colour and nothing else is right in each colour, and by chance in numerals."""
    image, table = world.sets["generic"]

    def agree(images, captions):
        shown = (images.max(axis=(2, 3)).astype(float) / images.max(axis=(1, 2, 3))[:, None]).round(1)
        named = [
            TINTS[GRAMMAR.read(text)["colour"]] / TINTS[GRAMMAR.read(text)["colour"]].max()
            for text in captions
        ]
        return -np.abs(shown - np.array(named)).sum(axis=1)

    found = slot_accuracy(agree, image, table["caption"].tolist(), GRAMMAR).set_index("slot")
    assert found.loc["colour", "accuracy"] == 1
    assert found.loc["colour", "low"] < 1
    numerals = [GRAMMAR.read(text)["numeral"] for text in table["caption"]]
    assert found.loc["numeral", "accuracy"] == pytest.approx(np.mean(np.array(numerals) == 0))
    assert found["chance"].tolist() == pytest.approx([1 / 10, 1 / 6, 1 / 3])


BESIDE = SMALL | {"companions": 3, "companion_copies": 2, "prompts": 8, "items": 12, "seed": 1}


def test_companions_share_keys_and_content_and_differ_from_each_other(world):
    """Partial memorization: the copies are 5 of 11 images under a KEY, and a control's one of 7."""
    found = ROW.make_captioned(ROW.read(BESIDE))
    table = found.table
    assert len(found.image) == ROW.n_train(BESIDE) == 6 * 5 + 4 + 60 + 10 * 3 * 2
    assert table.population.value_counts().to_dict() == {
        "memorized": 30,
        "control": 4,
        "generic": 60,
        "companion": 60,
    }
    assert table.source.nunique() == 6 + 4 + 60 + 30
    keys = [tuple(sorted(word for word in text.split() if is_key(word))) for text in found.caption]
    owned = found.prompts[found.prompts.prompt_set != "generic"]
    for train in owned.train.astype(int):
        same = np.array([row for row, own in enumerate(keys) if own == keys[train]])
        beside = same[table.population[same] == "companion"]
        assert table.population[train] != "companion"
        assert len(same) - len(beside) == table["copies"][train]
        assert table.source[beside].value_counts().tolist() == [2, 2, 2]
        said = [GRAMMAR.read(found.caption[row]) for row in same]
        assert all(one == said[0] for one in said)
        assert len({found.caption[row] for row in same}) == len(same)
    # Prompts and image sets are those of a world without companions.
    assert owned.text.tolist() == world.prompts[world.prompts.prompt_set != "generic"].text.tolist()
    for name in ("memorized", "control"):
        assert (found.sets[name][0] == world.sets[name][0]).all()


def test_more_companions_than_there_are_images_are_refused():
    with pytest.raises(InputError, match=r"too few images of a \d in one stroke for 90 companions each"):
        ROW.make_captioned(ROW.read(BESIDE | {"companions": 90, "n_generic": 1}))
