"""Families of items that are no independent observations, and what an image set refuses."""

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmh.errors import InputError
from mmh.fetch.ledger import ledger_table
from mmh.fetch.url_images import store_images
from mmh.images.image_lists import Row, list_table
from mmh.images.image_sets import families, import_set

CAPTIONS = ["a red fox", "an old map of Rome", "soup"]
FAR = ["0" * 16, "f" * 16, "00000000ffffffff", "ffffffff00000000", "00ff00ff00ff00ff", "ff00ff00ff00ff00"]


def test_families_share_a_file_a_picture_or_a_caption() -> None:
    digests = ["a", "b", "c", "b", "d", "e"]
    hashes = [*FAR[:3], FAR[1], "0000000000000003", FAR[4]]
    captions = ["p", "q", "r", "s", "t", "r"]
    assert families(digests, hashes, captions).tolist() == [0, 1, 2, 1, 0, 2]
    captions[4] = "q"  # now the families of 0 and 1 are linked
    assert families(digests, hashes, captions).tolist() == [0, 0, 2, 0, 0, 2]


@pytest.mark.parametrize(
    ("captions", "family"),
    [
        (["a red fox in snow", "Red fox in snow!", "", "", "  ", "a bowl of soup"], [0, 0, 2, 3, 4, 5]),
        ([f"Shaw Floors {word}" for word in ("Oak", "Jute", "Piqu", "Vel", "Xyz")] + ["Shaw"], [0] * 5 + [5]),
    ],
    ids=["near-duplicates, and no caption", "a template"],
)
def test_families_have_captions_that_hardly_differ(captions: list[str], family: list[int]) -> None:
    assert families(list("abcdef"), FAR, captions).tolist() == family
    digests = list("abcdea")  # kinship by a file and by a caption adds up
    assert families(digests, FAR, captions).tolist() == [*family[:5], 0]


def test_families_do_not_depend_on_the_order() -> None:
    rng = np.random.default_rng(0)
    digests = rng.integers(0, 80, 60).astype(str)
    captions = np.array([" ".join(rng.choice(list("abcdefghijkl"), 6)) for _ in range(60)])
    hashes = [f"{word:016x}" for word in rng.integers(0, 2**62, 60)]
    family = families(list(digests), hashes, list(captions))
    order = rng.permutation(60)
    again = families(list(digests[order]), [hashes[i] for i in order], list(captions[order]))
    together = family[:, None] == family[None, :]
    np.testing.assert_array_equal(together[np.ix_(order, order)], again[:, None] == again[None, :])
    by_file = families(list(digests), hashes, [""] * 60)
    assert 1 < len(set(family.tolist())) < len(set(by_file.tolist())) < 60
    assert all(family[i] <= i and family[family[i]] == family[i] for i in range(60))


@pytest.fixture
def stored(tmp_path: Path) -> Any:
    """A folder of three images, its list and its ledger."""
    images = []
    for seed in range(3):
        file = io.BytesIO()
        noise = np.random.default_rng(seed).integers(0, 255, (12, 20, 3), dtype=np.uint8)
        Image.fromarray(noise).save(file, "PNG")
        images.append((f"t.parquet#{seed}", file.getvalue()))
    listed = list_table([Row(url, text, b"") for (url, _), text in zip(images, CAPTIONS, strict=True)])
    records = store_images(images, tmp_path / "store", max_pixels=10**6)
    return listed, ledger_table(listed, records, placeholder_count=3), tmp_path / "store", images


def run(stored: Any, folder: Path, **changes: Any) -> dict[str, Any]:
    listed, ledger, store, _ = stored
    options: dict[str, Any] = {"size": 8, "aspect": "squash", "n": None, "max_pixels": 10**6}
    return import_set(listed, ledger, store, folder / "s.npz", folder / "s.parquet", **(options | changes))


def test_a_set_counts_what_was_lost(stored: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored[1].loc[1, "status"] = "dead"
    expected = {"asked": 3, "ok": 2, "statuses": {"ok": 2, "dead": 1}, "wanted": 3, "n": 2, "families": 2}
    assert run(stored, tmp_path) == expected
    assert run(stored, tmp_path, n=1) == expected | {"wanted": 1, "n": 1, "families": 1}
    assert "note" not in capsys.readouterr().out
    assert run(stored, tmp_path, n=5) == expected
    assert "2 images, 5 were wanted" in capsys.readouterr().out


def test_a_set_refuses_what_does_not_fit_together(stored: Any, tmp_path: Path) -> None:
    listed, ledger, store, images = stored
    with pytest.raises(InputError, match="list and ledger have different rows"):
        run((listed[:2], ledger, store, images), tmp_path)
    name = f"{hashlib.sha256(images[1][1]).hexdigest()}.png"
    (store / name).write_bytes(images[0][1])
    with pytest.raises(InputError, match=rf"{name}: was changed since it was fetched; delete it"):
        run(stored, tmp_path)
    (store / name).unlink()
    with pytest.raises(InputError, match=rf"{name}: cannot be read .*; fetch the images again"):
        run(stored, tmp_path)
    ledger["status"] = "dead"
    with pytest.raises(InputError, match=r"none of 3 images could be had \(\{'dead': 3\}\)"):
        run(stored, tmp_path)
    assert not (tmp_path / "s.npz").exists()
    assert not (tmp_path / "s.parquet").exists()
