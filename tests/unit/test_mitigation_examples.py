"""Figs. 7b and 10: which words were changed, which images belong to them, and the drawing."""

import numpy as np
import pandas as pd
import pytest

from mmh.errors import InputError
from mmh.figures.base import FIGURES, About
from mmh.io.arrays import write_arrays
from mmh.io.table_files import write_table
from mmh.io.tables import PROMPTS, REWRITES, REWRITTEN
from mmh.plotting.mitigated.rewritten import _lines, changed_words

TEXTS = ["a red three tovafu plate", "the thin five on dazobo card"]
NEW = ["a red four gigemo plate", "the thin six on dazobo card"]
GENERATIONS, REPEATS = 2, 2


def changed(text, rewrite):
    return [word for word, new in changed_words(text, rewrite) if new]


def test_changed_words_are_those_that_are_not_common():
    assert changed(TEXTS[0], NEW[0]) == ["four", "gigemo"]
    assert changed("a b c", "a x b c y") == ["x", "y"]
    assert changed("a b a", "a b a") == []
    # A word that is put in beside its like is one word, not two.
    assert len(changed("a red three", "a red red three")) == 1


def test_lines_hold_words_at_their_columns():
    words = [(word, False) for word in ("one", "three", "fourteen", "two")]
    assert [[(at, word) for at, word, _ in line] for line in _lines(words, 9)] == [
        [(0, "one"), (4, "three")],
        [(0, "fourteen")],
        [(0, "two")],
    ]


@pytest.fixture
def files(tmp_path):
    """Two prompts, two repeats of two images each; image value 10 prompt + number of the noise, + 100 rewritten."""
    prompts = pd.DataFrame({"prompt_set": "memorized", "prompt": [0, 1], "text": TEXTS, "family": [0, 1]})
    write_table(prompts.assign(train=pd.array([4, None], "Int64")), tmp_path / "prompts.parquet", PROMPTS)
    rows, images, seen = [], [], []
    for prompt, (text, new) in enumerate(zip(TEXTS, NEW, strict=True)):
        for choice, k, rewrite in (("none", 0, text), ("cfg", 2, new), ("rta", 2, text + " ab cd")):
            for repeat in range(REPEATS):
                problem = "refusal" if (choice, repeat, prompt) == ("cfg", 1, 1) else ""
                rows.append(
                    (choice, "memorized", prompt, k, repeat, 0, text, "", rewrite, problem, 1, "", "", "")
                )
                for g in range(GENERATIONS):
                    number = repeat * GENERATIONS + g
                    if not problem:
                        images.append((choice, k, prompt, number, 10 * prompt + number + 100 * (k > 0)))
                        seen.append(
                            (choice, "memorized", prompt, k, number, prompt, "evaluated", 0.5 + number / 100)
                        )
    write_table(pd.DataFrame(rows, columns=list(REWRITES.columns)), tmp_path / "rewrites.parquet", REWRITES)
    measured = pd.DataFrame(seen, columns=list(REWRITTEN.columns)[:8])
    for name in list(REWRITTEN.columns)[8:]:
        measured[name] = np.nan
    write_table(measured, tmp_path / "rewriting.parquet", REWRITTEN)
    choice, k, prompt, number, value = (np.array(column) for column in zip(*images, strict=True))
    span = tmp_path / "000000-000001.npz"
    image = np.broadcast_to(value[:, None, None, None], (len(value), 3, 4, 4)).astype(np.uint8)
    write_arrays(span, image=image, prompt=prompt, generation=number, choice=choice, k=k)
    train = tmp_path / "train.npz"
    write_arrays(train, image=np.full((1, 3, 4, 4), 250, dtype=np.uint8), id=np.array([4]))
    named = {"rewrites": "rewrites.parquet", "measured": "rewriting.parquet", "prompts": "prompts.parquet"}
    return {key: tmp_path / name for key, name in named.items()} | {
        "images": train,
        "captions": [],
        "generations": [span],
    }


def draw(files, folder, **options):
    row = FIGURES["mitigation_examples"]
    out = {kind: folder / f"figure.{kind}" for kind in ("pdf", "png", "csv")}
    about = About("here", more={"printed": {"cfg": "A^CFG, output", "rta": "random tokens put in"}})
    told = row.Options.model_validate({"prompts": [0], "choices": ["cfg", "rta"], "k": 2} | options)
    row.draw(**files, **out, options=told, about=about)
    assert all(path.stat().st_size > 100 for path in out.values())
    return pd.read_csv(out["csv"], comment="#")


def test_the_figure_shows_the_images_of_one_noise_and_the_changed_words(files, tmp_path, monkeypatch):
    from mmh.plotting.mitigated import rewritten

    shown = []
    drawn = rewritten._image
    monkeypatch.setattr(rewritten, "_image", lambda ax, cell: (shown.append(cell), drawn(ax, cell)))
    found = draw(files, tmp_path, repeat=1)
    assert [int(cell.image.max()) for cell in shown] == [250, 2, 102, 102]
    assert found["choice"].tolist() == ["training image", "none", "cfg", "rta"]
    assert found["words"][2] == "a red *four* *gigemo* plate"
    assert found["words"][3] == TEXTS[0] + " *ab* *cd*"
    assert found["similarity"].iloc[1:].tolist() == pytest.approx([0.52] * 3)


def test_what_is_not_there_is_named(files, tmp_path):
    with pytest.raises(InputError, match="prompt 1 of memorized has no training image to show"):
        draw(files, tmp_path, prompts=[1])
    with pytest.raises(InputError, match="has no rewriting by 'cfg' of k = 3, repeat 0"):
        draw(files, tmp_path, k=3)


def test_a_rewriting_with_a_problem_shows_the_problem(files, tmp_path):
    known = pd.read_parquet(files["prompts"])
    write_table(known.assign(train=pd.array([4, 4], "Int64")), files["prompts"], PROMPTS)
    found = draw(files, tmp_path, prompts=[0, 1], repeat=1)
    assert found["problem"].fillna("").tolist() == [""] * 6 + ["refusal", ""]
