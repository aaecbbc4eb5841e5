"""PNG sizes are those of real files."""

import io

import numpy as np
import pytest
from PIL import Image

from mmh.compute.complexity import png_bits, to_uint8
from mmh.errors import InputError


def _chunks(data):
    """Sizes of the chunks of a PNG file, by name."""
    position, found = 8, {}
    while position < len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        found[data[position + 4 : position + 8].decode()] = length
        position += 12 + length
    assert position == len(data)
    return found


def test_bits_are_eight_times_the_file():
    image = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(image[0]).save(buffer, format="PNG", compress_level=9)
    (bits,) = png_bits(image)
    assert bits == 8 * len(buffer.getvalue())
    # Nothing but header, data and end: 8 signature bytes and 12 of frame per chunk.
    chunks = _chunks(buffer.getvalue())
    assert set(chunks) == {"IHDR", "IDAT", "IEND"}
    assert bits == 8 * (8 + 3 * 12 + sum(chunks.values()))


def test_a_plain_image_is_smaller_than_noise():
    noise = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)
    bits = png_bits(np.concatenate([np.zeros((1, 32, 32), np.uint8), noise]))
    assert bits.dtype == np.int64
    # Random bytes do not compress: at least their own 8 bits per pixel.
    assert (bits[1:] >= 8 * 1024).all()
    assert bits[0] < 1024


def test_grey_images_with_and_without_a_channel_axis_agree():
    images = np.random.default_rng(1).integers(0, 256, (4, 8, 8), dtype=np.uint8)
    np.testing.assert_array_equal(png_bits(images), png_bits(images[..., None]))


def test_to_uint8_hits_the_ends_and_inverts_the_usual_scaling():
    levels = np.arange(256)
    np.testing.assert_array_equal(to_uint8(levels / 127.5 - 1.0), levels)
    np.testing.assert_array_equal(to_uint8(np.float32([-3, -1, 1, 3])), [0, 0, 255, 255])


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="uint8"):
        png_bits(np.zeros((1, 8, 8)))
    with pytest.raises(InputError, match="shape"):
        png_bits(np.zeros((1, 8, 8, 2), np.uint8))
    with pytest.raises(InputError, match="floats"):
        to_uint8(np.zeros(3, np.uint8))
    with pytest.raises(InputError, match="finite"):
        to_uint8(np.array([np.nan]))
