"""Images of the web as pixels: every kind of file, both aspect policies, the perceptual hash."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from mmh.errors import InputError
from mmh.fetch.image_policy import UndecodableError, decode, fit, is_one_colour, near_pairs, perceptual_hash

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def file_of(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def read(data: bytes, max_pixels: int = 10**6) -> np.ndarray:
    """Decoded pixels, (H, W, 3)."""
    image = decode(data, max_pixels=max_pixels).image
    assert image.mode == "RGB"
    return np.asarray(image)


def scene(side: int = 256) -> Image.Image:
    """Smooth blobs: like a photograph, most of its power is at low frequencies."""
    rng = np.random.default_rng(5)
    noise = Image.fromarray(rng.integers(0, 255, (9, 9, 3), dtype=np.uint8))
    return noise.resize((side, side), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("kind", ["BMP", "GIF", "PNG", "TIFF", "WEBP"])
def test_lossless_kinds_keep_their_pixels(kind: str) -> None:
    pixels = np.repeat(np.arange(0, 240, 5, dtype=np.uint8).reshape(6, 8, 1), 3, axis=2)
    options = {"lossless": True} if kind == "WEBP" else {}
    data = file_of(Image.fromarray(pixels), kind, **options)
    np.testing.assert_array_equal(read(data), pixels)


def test_the_suffix_is_that_of_the_content() -> None:
    assert decode(file_of(scene(32), "JPEG"), max_pixels=10**6).suffix == "jpg"
    assert (
        decode(file_of(scene(32), "MPO", save_all=True, append_images=[scene(32)]), max_pixels=10**6).suffix
        == "jpg"
    )


def test_grey_palette_and_two_colours_become_rgb() -> None:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    np.testing.assert_array_equal(read(file_of(ramp)), np.repeat(np.asarray(ramp)[:, :, None], 3, axis=2))
    np.testing.assert_array_equal(read(file_of(ramp.convert("P"))), read(file_of(ramp)))
    two = ramp.point(lambda value: 255 * (value > 99)).convert("1")
    np.testing.assert_array_equal(read(file_of(two))[:, :, 1], 255 * (np.asarray(ramp) > 99))


def test_sixteen_bits_keep_the_upper_eight() -> None:
    values = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    for kind in ("PNG", "TIFF"):
        found = read(file_of(Image.fromarray(values), kind))
        np.testing.assert_array_equal(found, np.repeat((values >> 8).astype(np.uint8)[:, :, None], 3, axis=2))


def test_numbers_beyond_sixteen_bits_are_no_image() -> None:
    for values in (np.full((4, 4), 70_000, np.int32), np.zeros((4, 4), np.float32)):
        with pytest.raises(UndecodableError, match="expected at most 16 bits"):
            read(file_of(Image.fromarray(values), "TIFF"))


def test_transparency_lies_over_white() -> None:
    image = Image.new("RGBA", (4, 4), (*RED, 255))
    image.putpixel((0, 0), (0, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 128))
    pixels = read(file_of(image))
    assert tuple(pixels[0, 0]) == WHITE
    assert tuple(pixels[0, 1]) == (127, 127, 127)
    assert tuple(pixels[3, 3]) == RED
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([*BLUE, *RED])
    palette.putpixel((0, 0), 0)
    pixels = read(file_of(palette, transparency=0))
    assert (tuple(pixels[0, 0]), tuple(pixels[3, 3])) == (WHITE, RED)
    assert tuple(read(file_of(Image.new("LA", (2, 2), (0, 0))))[0, 0]) == WHITE


def test_cmyk_becomes_rgb() -> None:
    data = file_of(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "TIFF")
    assert tuple(read(data)[8, 8]) == RED
    jpeg = read(file_of(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG"))[8, 8]
    assert np.abs(jpeg.astype(int) - RED).max() <= 4


def test_the_orientation_is_applied_and_a_broken_one_ignored() -> None:
    image = Image.new("RGB", (4, 2), WHITE)
    image.putpixel((0, 0), RED)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned clockwise by a quarter
    pixels = read(file_of(image, exif=exif))
    assert pixels.shape == (4, 2, 3)
    assert tuple(pixels[0, 1]) == RED
    assert read(file_of(image, exif=b"Exif\x00\x00broken")).shape == (2, 4, 3)


def test_of_an_animation_the_first_frame_is_taken() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, GREEN, BLUE)]
    for kind, options in (("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {})):
        data = file_of(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert (read(data) == RED).all(), kind


def test_limits_and_damage() -> None:
    data = file_of(scene(32))
    for broken, limit, status in (
        (data, 1023, "too_large"),
        (data[:-100], 10**6, "truncated"),
        (file_of(scene(32), "JPEG")[:-100], 10**6, "truncated"),
        (b"GIF89a", 10**6, "not_an_image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n", 10**6, "not_an_image"),  # never run
    ):
        with pytest.raises(UndecodableError) as error:
            decode(broken, max_pixels=limit)
        assert error.value.status == status
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 255
    with pytest.raises(UndecodableError):
        decode(bytes(flipped), max_pixels=10**6)
    assert decode(data, max_pixels=1024).image.size == (32, 32)


def test_squash_keeps_everything_and_crop_the_middle() -> None:
    image = Image.new("RGB", (48, 16), RED)
    image.paste(GREEN, (16, 0, 32, 16))
    image.paste(BLUE, (32, 0, 48, 16))
    np.testing.assert_array_equal(
        fit(image, 16, "crop"), np.asarray(image.crop((16, 0, 32, 16))).transpose(2, 0, 1)
    )
    squashed = fit(image, 48, "squash")
    assert squashed.shape == (3, 48, 48)
    assert [tuple(squashed[:, 24, x]) for x in (0, 24, 47)] == [RED, GREEN, BLUE]
    assert squashed.dtype == np.uint8
    with pytest.raises(InputError, match="expected squash or crop"):
        fit(image, 16, "pad")


def test_resizing_averages_what_it_leaves_out() -> None:
    board = np.indices((64, 64)).sum(axis=0) % 2 * 255
    image = Image.fromarray(np.repeat(board[:, :, None].astype(np.uint8), 3, axis=2))
    for aspect in ("squash", "crop"):
        inner = fit(image, 8, aspect)[:, 1:-1, 1:-1].astype(int)
        assert np.abs(inner - 127).max() <= 2  # without antialiasing it would be black or white


def test_a_square_of_the_right_size_is_left_alone() -> None:
    image = scene(24)
    for aspect in ("squash", "crop"):
        np.testing.assert_array_equal(fit(image, 24, aspect), np.asarray(image).transpose(2, 0, 1))


def test_a_long_narrow_image_needs_little_memory() -> None:
    assert fit(Image.new("RGB", (1, 400_000), RED), 64, "crop").shape == (3, 64, 64)


def test_the_perceptual_hash_sees_the_picture_not_the_file() -> None:
    image = scene()
    versions = [
        image,
        decode(file_of(image, "JPEG", quality=40), max_pixels=10**6).image,
        image.resize((120, 120)),
        image.filter(ImageFilter.GaussianBlur(2)),
    ]
    others = [image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), Image.eval(image, lambda value: 255 - value)]
    hashes = [perceptual_hash(version) for version in versions + others]
    distance = [(int(hashes[0], 16) ^ int(text, 16)).bit_count() for text in hashes]
    assert max(distance[:4]) <= 2
    assert min(distance[4:]) >= 16


def test_the_perceptual_hash_by_its_definition() -> None:
    """The sum that defines the DCT-II, on an image that needs no resizing."""
    grey = np.random.default_rng(0).integers(0, 255, (32, 32)).astype(np.uint8)
    place = np.arange(32)
    basis = np.cos(np.pi * (2 * place[None, :] + 1) * np.arange(8)[:, None] / 64) / 4
    basis[0] /= np.sqrt(2)
    low = basis @ grey.astype(float) @ basis.T
    bits = "".join("01"[int(value)] for value in (low > np.median(low)).ravel())
    assert perceptual_hash(Image.fromarray(grey).convert("RGB")) == f"{int(bits, 2):016x}"
    assert perceptual_hash(Image.new("RGB", (50, 20), (90, 80, 70))) == "8" + "0" * 15


def test_near_pairs_by_counting() -> None:
    rng = np.random.default_rng(1)
    words = [int(word) for word in rng.integers(0, 2**63, 700)]
    words += [words[3] ^ 0b101, words[650] ^ 1, words[3]]
    found = near_pairs([f"{word:016x}" for word in words], 2)
    slow = [(i, j) for j in range(703) for i in range(j) if (words[i] ^ words[j]).bit_count() <= 2]
    assert sorted(map(tuple, found.tolist())) == sorted(slow)
    assert len(slow) == 4
    assert near_pairs([], 2).shape == (0, 2)


def test_one_colour() -> None:
    assert is_one_colour(
        decode(file_of(Image.new("RGB", (64, 64), (10, 200, 30)), "JPEG"), max_pixels=10**6).image
    )
    spotted = Image.new("RGB", (64, 64), "black")
    spotted.putpixel((5, 5), (0, 0, 60))
    assert not is_one_colour(spotted)
