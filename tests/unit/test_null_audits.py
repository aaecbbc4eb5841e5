"""Audits of images that a model has not seen: what is exchangeable is called at the level, what is not is counted."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import null_audits as tool
from mmh.calibration import null_audits
from mmh.calibration.null_audits import LEVEL, TRAINED, Design, Pool, ask, audit_of_nothing, markdown, shares

SMALL = Design(30, 39)  # 2 / (39 + 1) is the level: each of two kinds of evidence is used up to it


def pool(n: int = 100, seed: int = 0) -> Pool:
    random = np.random.default_rng(seed)
    images = random.uniform(-1, 1, (n, 1, 4, 4)).astype(np.float32)
    return Pool(images, random.normal(size=n), random.uniform(-1, 1, (40, 1, 4, 4)).astype(np.float32))


def test_images_and_holdout_are_drawn_from_one_pool_and_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class StoppedError(Exception):
        pass

    def noted(given, **_):
        seen.append(given)
        raise StoppedError

    monkeypatch.setattr(null_audits, "answer_images", noted)
    whole = pool()
    for seed in (0, 0, 1):
        with pytest.raises(StoppedError):
            audit_of_nothing(whole, SMALL, seed)
    first, again, other = seen
    assert (len(first.train), len(first.holdout)) == (30, 39)
    assert len(np.unique(np.concatenate([first.train, first.holdout]), axis=0)) == 69
    place = {image.tobytes(): row for row, image in enumerate(whole.images)}
    for images, lid in ((first.train, first.lid), (first.holdout, first.lid_holdout)):
        assert (lid == whole.lid[[place[image.tobytes()] for image in images]]).all()
    assert (first.train == again.train).all()
    assert not (first.train == other.train).all()


def test_false_alarms_come_at_the_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(null_audits, "DESIGNS", (SMALL,))
    monkeypatch.setattr(null_audits, "DRAWS", 39)
    answers = pd.concat([ask(pool(seed=number), range(number, 160, 8)) for number in range(8)])
    table = shares(answers).set_index("question")
    assert (table["audits"] == 160).all()
    assert (table["models"] == 8).all()
    # Bonferroni of two independent kinds: 1 - .975^2.
    assert table.loc["an image, p", "share"] == pytest.approx(1 - 0.975**2, abs=0.016)
    for question in ("any image, q", "the set", "the set, by close", "the set, by lid"):
        assert table.loc[question, "share"] <= LEVEL + 3 * np.sqrt(LEVEL * (1 - LEVEL) / 160)


def test_what_the_model_knows_would_be_seen() -> None:
    """The same code says so where the images do score otherwise: the counts are of alarms, not of nothing."""
    whole = pool()
    stream = null_audits.rng.generator(3, f"null-audit, {SMALL.name}")
    whole.lid[stream.permutation(len(whole.images))[: SMALL.images]] -= 10
    said = audit_of_nothing(whole, SMALL, 3)
    assert said["the set"] == said["any image, q"] == said["the answer"] == 1
    assert said["the set, by close"] == 0


def test_shares_are_counted_by_model() -> None:
    rows = [("d", "q", seed, float(seed % len(TRAINED) == 1)) for seed in range(16)]
    (row,) = shares(pd.DataFrame(rows, columns=["design", "question", "seed", "value"])).to_dict("records")
    assert (row["audits"], row["share"], row["least"], row["most"]) == (16, 2 / 16, 0, 1)
    assert "| d | q | 12.5 ± " in markdown(pd.DataFrame([row]))


def test_a_break_is_gone_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool, "RUNS", tmp_path)
    for module in (tool, null_audits):
        monkeypatch.setattr(module, "TRAINED", TRAINED[:2])
    monkeypatch.setattr(null_audits, "DESIGNS", (SMALL,))
    monkeypatch.setattr(tool, "pool_of", lambda n_train, seed: pool(seed=seed))
    monkeypatch.setattr(sys, "argv", ["null_audits.py", "--cores", "1", "--audits", "4"])
    assert tool.main() == 0
    first = capsys.readouterr().out.splitlines()
    assert len(list(tmp_path.glob("*.npz"))) == len(list(tmp_path.glob("*.parquet"))) == 2

    def forbidden(*_: object) -> None:
        raise AssertionError("finished")

    for name in ("pool_of", "ask"):
        monkeypatch.setattr(tool, name, forbidden)
    assert tool.main() == 0
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")] == [
        line for line in first if line.startswith("|")
    ]


def test_what_is_kept_follows_code_and_not_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "SCRIPTS", tmp_path)
    texts = {
        "a.py": 'LEVEL = 1\n"""One."""\n\n\ndef f():\n    """Say."""\n    return LEVEL\n',
        "b.py": "LEVEL = 1  # another word\n\n\ndef f():\n    return LEVEL\n",
        "c.py": "LEVEL = 2\n\n\ndef f():\n    return LEVEL\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    assert tool.state("a.py") == tool.state("b.py") != tool.state("c.py")
