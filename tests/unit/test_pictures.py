"""Pictures of the README: cut, put one above the other, shrunk, few bytes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pictures
from mmh.errors import InputError


def figure(path: Path, width: int, height: int, colour: str) -> Path:
    """A coloured rectangle with white margins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (width + 60, height + 40), "white")
    image.paste(Image.new("RGB", (width, height), colour), (30, 10))
    image.save(path)
    return path


def test_margins_are_cut_off_and_transparency_is_white(tmp_path: Path) -> None:
    assert pictures.opened(figure(tmp_path / "a.png", 50, 20, "navy")).size == (50, 20)
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (10, 10, 20, 30))
    image.save(tmp_path / "b.png")
    cut = pictures.opened(tmp_path / "b.png")
    assert cut.size == (10, 20)
    assert cut.getpixel((0, 0)) == (255, 0, 0)


def test_a_stack_has_one_width_and_keeps_shapes() -> None:
    parts = [Image.new("RGB", (400, 100), "red"), Image.new("RGB", (50, 50), "blue")]
    whole = pictures.stack(parts, width=200)
    assert whole.size == (200, 50 + 24 + 200)
    pixels = np.asarray(whole)
    assert (pixels[:50, 100] == (255, 0, 0)).all()
    assert (pixels[50:74, 100] == 255).all()
    assert (pixels[74:, 100] == (0, 0, 255)).all()


def test_a_small_picture_is_whole_but_for_a_long_sheet() -> None:
    tall = Image.new("RGB", (100, 900), "red")
    tall.paste(Image.new("RGB", (100, 30), "blue"), (0, 0))
    found = pictures.small(tall, (50, 80))
    assert found.size == (50, 50)
    assert found.getpixel((25, 5)) == (0, 0, 255)
    assert pictures.small(Image.new("RGB", (100, 40)), (50, 80)).size == (50, 20)
    assert pictures.small(Image.new("RGB", (100, 200)), (50, 80)).size == (40, 80)


def test_pictures_come_from_the_first_experiment_and_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = {
        "run": [],
        "experiments": {
            "one": {"figures": {"waves": {}, "lines": {}}},
            "fetched": {"data": {"world": "images", "path": "/elsewhere"}, "figures": {"fetched": {}}},
            "two": {"figures": {"lines": {}, "dots": {}}},
        },
    }
    sources = pictures.drawn(config)
    assert {name: str(path) for name, path in sources.items()} == {
        "waves": "results/one/figures/waves.png",
        "lines": "results/one/figures/lines.png",
        "dots": "results/two/figures/dots.png",
    }
    with pytest.raises(InputError, match="run `make demo` first"):
        pictures.make(sources, [Path("results/one/figures/waves.png")])
    figure(Path("results/one/figures/waves.png"), 800, 300, "navy")
    figure(Path("results/two/figures/dots.png"), 300, 300, "teal")
    written = pictures.make(
        sources, [sources["waves"], sources["lines"]]
    )  # a part of the overview is missing
    assert [path.as_posix() for path in written] == [
        "docs/images/figures/waves.png",
        "docs/images/figures/dots.png",
    ]
    written = pictures.make(sources, [sources["waves"], sources["dots"]])
    assert written[0] == Path("docs/images/overview.png")
    with Image.open(written[0]) as image:
        assert image.width == pictures.WIDTH
        assert image.convert("RGB").getpixel((5, 5)) == pytest.approx((0, 0, 128), abs=3)
