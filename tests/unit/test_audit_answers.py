"""What an audit says of images and prompts whose truth is known."""

import numpy as np
import pandas as pd
import pytest

from mmh.audit import markup
from mmh.audit.image_answer import Evidence, answer_images
from mmh.audit.image_page import image_page
from mmh.audit.images import TrainingSet, against_one_another
from mmh.audit.prompt_answer import EDITED, answer_prompts
from mmh.audit.prompt_page import prompt_page
from mmh.audit.reading import closest_cosine
from mmh.errors import InputError

LEVEL = 0.05


def images(random: np.random.Generator, n: int) -> np.ndarray:
    return random.uniform(-1, 1, (n, 1, 4, 4)).astype(np.float32)


@pytest.fixture
def memorizing() -> tuple[Evidence, np.ndarray]:
    """Ten of three hundred training images are among the samples, with a little noise."""
    random = np.random.default_rng(0)
    train = images(random, 300)
    copies = np.repeat(train[:10], 3, axis=0)
    copies = copies + random.normal(0, 0.01, copies.shape).astype(np.float32)
    samples = np.concatenate([images(random, 200), copies])
    return Evidence(train, samples, images(random, 800)), np.arange(10)


def test_copied_images_are_found_and_stand_first(memorizing: tuple[Evidence, np.ndarray]) -> None:
    given, copied = memorizing
    answer = answer_images(given, neighbours=20, level=LEVEL, rng=np.random.default_rng(0))
    assert set(answer.table["train"].head(10)) == set(copied)
    assert (answer.table["q"].head(10) <= LEVEL).all()
    assert answer.found <= 13
    assert answer.yes
    assert answer.sentence.startswith(f"Yes: the model memorizes {answer.found} of your 300 distinct images")
    assert (answer.table["sample"].head(10) >= 200).all()  # the pair that is shown


def test_without_holdout_the_training_images_are_the_null(memorizing: tuple[Evidence, np.ndarray]) -> None:
    given, copied = memorizing
    given.holdout = None
    answer = answer_images(given, neighbours=20, level=LEVEL, rng=np.random.default_rng(0))
    assert set(answer.table["train"].head(10)) == set(copied)
    assert answer.found >= 10
    assert answer.sets == {}
    assert any("No hold-out images were given" in note for note in answer.notes)


@pytest.mark.parametrize("held", [True, False])
def test_a_model_that_copies_nothing_is_called_clean_as_often_as_the_level_says(held: bool) -> None:
    """Independent images: samples, training and hold-out images of one law; 200 audits."""
    alarms = []
    for seed in range(200):
        random = np.random.default_rng([1, seed])
        given = Evidence(images(random, 30), images(random, 60), images(random, 99) if held else None)
        tests = answer_images(given, neighbours=10, level=LEVEL, rng=random, draws=99)
        alarms.append(tests.found > 0)
    # Of true nulls alone the false discovery rate is the probability of any discovery.
    assert np.mean(alarms) <= LEVEL + 3 * np.sqrt(LEVEL * (1 - LEVEL) / len(alarms))


def test_lid_finds_what_samples_do_not_show() -> None:
    random = np.random.default_rng(2)
    given = Evidence(images(random, 60), images(random, 50), images(random, 800))
    given.lid, given.lid_holdout = random.normal(12, 1, 60), random.normal(12, 1, 800)
    given.lid[:6] = 0.5
    given.lid_data, given.se_data = np.full(60, 12.0), np.full(60, 0.5)
    given.lid_data[:3] = 1.0
    answer = answer_images(given, neighbours=10, level=LEVEL, rng=random)
    first = answer.table.head(6)
    assert set(first["train"]) == set(range(6))
    assert (first["q"] <= LEVEL).all()
    verdict = answer.table.set_index("train")["verdict"]
    assert verdict[:3].eq("DD-Mem").all()
    assert verdict[3:6].eq("OD-Mem").all()
    assert verdict[6:].eq("not memorized").all()


def test_a_copy_descriptor_finds_what_pixels_do_not_show() -> None:
    """Embeddings of three images are those of samples that look otherwise."""
    random = np.random.default_rng(7)

    def units(n: int) -> np.ndarray:
        drawn = random.normal(size=(n, 16))
        return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)

    given = Evidence(images(random, 40), images(random, 50), images(random, 800))
    mine, drawn, held = units(40), units(50), units(800)
    mine[:3] = drawn[:3]
    given.alike, given.alike_holdout = closest_cosine(mine, drawn), closest_cosine(held, drawn)
    assert given.alike == pytest.approx((mine @ drawn.T).max(axis=1))
    answer = answer_images(given, neighbours=10, level=LEVEL, rng=random, draws=99)
    assert set(answer.table["train"][answer.table["q"] <= LEVEL]) >= {0, 1, 2}
    assert set(answer.sets) == {"close", "sscd"}


def test_copies_in_the_folder_are_one_image_and_holdout_images_in_it_are_none() -> None:
    random = np.random.default_rng(3)
    train = images(random, 30)
    train[10:20] = train[10]
    given = Evidence(train, images(random, 40), np.concatenate([images(random, 50), train[:4]]))
    answer = answer_images(given, neighbours=5, level=LEVEL, rng=random)
    assert answer.table.set_index("train")["copies"][10] == 10
    assert "of your 21 distinct images" in answer.sentence
    assert answer.sets["close"].n_null == 50
    assert any("4 hold-out images are among your images" in note for note in answer.notes)


def test_few_holdout_images_are_said_to_be_few() -> None:
    random = np.random.default_rng(4)
    given = Evidence(images(random, 30), images(random, 40), images(random, 9))
    answer = answer_images(given, neighbours=5, level=LEVEL, rng=random)
    assert any("the smallest p-value is 0.1" in note for note in answer.notes)


def test_a_training_image_is_not_around_itself() -> None:
    """Against a loop over all pairs; a hold-out image has as many around it, all of them training images."""
    random = np.random.default_rng(9)
    train, held = images(random, 12), images(random, 3)
    train[5] = train[4]
    ready = TrainingSet(train, 4)
    distinct = np.delete(train, 5, axis=0).reshape(11, -1).astype(np.float64)
    for query, own in ((train, True), (held, False)):
        for image, found in zip(query.reshape(len(query), -1), ready.around(query, own=own), strict=True):
            distance = np.sort(np.linalg.norm(distinct - image, axis=1))
            assert found == pytest.approx(distance[int(own) :][:4].mean())


def test_an_image_scores_alike_whichever_side_it_stands_on() -> None:
    """Exchangeable: where the two sets change sides, every null score becomes a score, to the last digit."""
    random = np.random.default_rng(10)
    a, b, samples = images(random, 15), images(random, 15), images(random, 30)
    one, other = (
        answer_images(
            Evidence(train, samples, holdout), neighbours=50, level=LEVEL, rng=np.random.default_rng(0)
        )
        for train, holdout in ((a, b), (b, a))
    )
    assert one.sets["close"].area + other.sets["close"].area == pytest.approx(1, abs=1e-12)
    held = TrainingSet(a, 50, b).around(b, own=True)
    assert held == pytest.approx(TrainingSet(b, 50, a).around(b, own=True), rel=1e-12)


def test_samples_of_another_shape_are_refused() -> None:
    random = np.random.default_rng(8)
    given = Evidence(images(random, 20), random.normal(size=(5, 3, 4, 4)))
    with pytest.raises(InputError, match=r"\(3, 4, 4\), yours are \(1, 4, 4\)"):
        answer_images(given, neighbours=5, level=LEVEL, rng=random)


def test_images_that_do_not_differ_are_refused() -> None:
    same = np.zeros((12, 1, 4, 4), np.float32)
    with pytest.raises(InputError, match="only 1 training images differ"):
        TrainingSet(same, 5)


def test_an_image_inherits_the_sample_that_speaks_most_for_it() -> None:
    random = np.random.default_rng(5)
    train = images(random, 40)
    samples = np.concatenate([train[7:8] + 0.01, train[7:8] + 0.1, images(random, 30)])
    of_images, of_samples = against_one_another(samples, TrainingSet(train, 10))
    assert of_images["p"][7] == of_samples["p"].iloc[0] == of_samples["p"].min()
    nearest_of_none = ~np.isin(np.arange(40), of_samples["train"])
    assert (of_images["q"][nearest_of_none] == 1).all()


def test_the_page_is_one_file_without_addresses(memorizing: tuple[Evidence, np.ndarray]) -> None:
    given, _ = memorizing
    answer = answer_images(given, neighbours=20, level=LEVEL, rng=np.random.default_rng(0))
    names = [f"<{row}>.png" for row in range(300)]
    text = image_page(
        answer,
        given.train,
        given.samples,
        names,
        level=LEVEL,
        shown=6,
        facts={"model": "sha256 0"},
        unseen=["nothing"],
    )
    assert "http" not in text.replace("http-equiv", "")
    assert "<script" not in text
    assert "&lt;0&gt;.png" in text
    assert text.count("<figure>") == 6
    assert answer.sentence in text


def test_small_pictures_are_enlarged_by_whole_pixels() -> None:
    import base64
    import io

    from PIL import Image

    element = markup.picture(np.array([[[-1.0, 1.0], [0.0, 5.0]]], np.float32), "x")
    data = base64.b64decode(element.split("base64,")[1].split('"')[0])
    drawn = np.asarray(Image.open(io.BytesIO(data)))
    assert drawn.shape == (96, 96)
    assert drawn[0, 0] == 0
    assert drawn[0, -1] == drawn[-1, -1] == 255


def prompt_tables(asked: list[float], control: list[float]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two generations and two steps of each prompt, whose mean is the given value."""
    prompts, scores = [], []
    for name, values in (("asked", asked), ("control", control)):
        for number, value in enumerate(values):
            text = f"{name} <{number}>"
            prompts.append({"prompt_set": name, "prompt": number, "text": text, "family": len(prompts)})
            for generation in range(2):
                for step in range(2):
                    scores.append(
                        {
                            "prompt_set": name,
                            "prompt": number,
                            "generation": generation,
                            "step": step,
                            "t": 1.0 - step / 2,
                            "metric": "cfg_norm",
                            "value": value + (0.5 if step else -0.5),
                        }
                    )
    return pd.DataFrame(prompts), pd.DataFrame(scores)


def test_prompts_are_ranked_and_tested_against_control_prompts() -> None:
    random = np.random.default_rng(6)
    prompts, scores = prompt_tables([9.0, 1.0, 8.0, 2.0], random.uniform(0, 3, 99).tolist())
    answer = answer_prompts(
        prompts,
        scores,
        asked="asked",
        control="control",
        edited=True,
        metric="cfg_norm",
        level=LEVEL,
        rng=random,
    )
    assert answer.table["prompt"].head(2).tolist() == [0, 2]
    assert answer.table["score"].iloc[0] == pytest.approx(9.0)
    assert answer.table["p"].iloc[0] == pytest.approx(0.01)
    assert answer.found == 2
    assert EDITED in answer.notes
    drawn = {number: np.zeros((2, 3, 4, 4), np.uint8) for number in range(4)}
    page = prompt_page(answer, drawn, level=LEVEL, shown=4, facts={})
    assert "asked &lt;0&gt;" in page
    assert "Yes: the model memorizes 2 of your 4 prompts" in page


def test_without_control_prompts_nothing_is_tested() -> None:
    prompts, scores = prompt_tables([3.0, 1.0, 2.0], [0.0])
    answer = answer_prompts(
        prompts,
        scores,
        asked="asked",
        control=None,
        edited=False,
        metric="cfg_norm",
        level=LEVEL,
        rng=np.random.default_rng(0),
    )
    assert answer.sentence.startswith("Ranked, not tested")
    assert not answer.yes
    drawn = {number: np.zeros((1, 3, 4, 4), np.uint8) for number in range(3)}
    assert "nan" not in prompt_page(answer, drawn, level=LEVEL, shown=3, facts={})
