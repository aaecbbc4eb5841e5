"""Generated images above their matches, laid out on one sheet."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from mmh.plotting import style

_FRAME = 190  # grey around pairs in colour


def to_rgb(x: np.ndarray) -> np.ndarray:
    """Turn images (n, C, H, W) in [-1, 1] into uint8 (n, H, W, 3), as a PNG of them has; C is 1 or 3."""
    values = np.clip(np.rint((np.asarray(x, dtype=np.float64) + 1.0) * 127.5), 0, 255).astype(np.uint8)
    return np.broadcast_to(values, (len(values), 3, *values.shape[2:])).transpose(0, 2, 3, 1)


def pair_mosaic(
    generated: np.ndarray, matched: np.ndarray, columns: int, *, captioned: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Lay out pairs on a white sheet: generated above its match, `columns` pairs in a line.

    Parameters
    ----------
    generated, matched : (n, C, H, W) float
        Images in [-1, 1].
    columns : int
        Pairs in one line.
    captioned : bool
        Leave room for captions below the last line, too.

    Returns
    -------
    sheet : (rows, width, 3) uint8
        The sheet; a gap of an eighth of an image separates columns, half an image separates lines of pairs.
        Pairs in colour have a frame, because photographs often end in white.
    foot : (n, 2) float
        Column and row of the middle below each pair, in pixels of the sheet: the place for a caption.
    """
    top, bottom = to_rgb(generated), to_rgb(matched)
    # Magnified by a whole number, so that gaps come out even and no viewer smooths 8 x 8 pixels.
    scale = max(1, -(-32 // top.shape[1]))
    top, bottom = (np.repeat(np.repeat(image, scale, axis=1), scale, axis=2) for image in (top, bottom))
    n, height, width = top.shape[:3]
    edge = int(generated.shape[1] == 3)  # of the frame
    gap, band = max(1, width // 8), height // 2
    lines = -(-n // columns)
    pitch = 2 * height + gap // 2 + band
    rows = lines * pitch - (0 if captioned else band)
    sheet = np.full((rows + 2 * edge, columns * (width + gap) - gap + 2 * edge, 3), 255, dtype=np.uint8)
    foot = np.zeros((n, 2))
    for i in range(n):
        y, x = (i // columns) * pitch + edge, (i % columns) * (width + gap) + edge
        lower = y + height + gap // 2
        if edge:
            sheet[y - edge : lower + height + edge, x - edge : x + width + edge] = _FRAME
        sheet[y : y + height, x : x + width] = top[i]
        sheet[lower : lower + height, x : x + width] = bottom[i]
        foot[i] = x + width / 2 - 0.5, lower + height + band / 2 - 0.5
    return sheet, foot


def draw_pairs(
    ax: Axes, generated: np.ndarray, matched: np.ndarray, columns: int, captions: Sequence[str] = ()
) -> None:
    """Draw pairs as one image without axes.

    Parameters
    ----------
    ax : Axes
        Where to draw; its aspect follows the sheet's.
    generated, matched, columns
        As for `pair_mosaic`.
    captions : sequence of str
        One short text below each pair, or none at all.
    """
    ax.set_axis_off()
    if not len(generated):
        ax.text(0.5, 0.5, "none", ha="center", va="center", transform=ax.transAxes, color=style.GREY)
        return
    sheet, foot = pair_mosaic(generated, matched, columns, captioned=bool(captions))
    ax.imshow(sheet, aspect="equal")
    ax.set_anchor("N")
    for (x, y), caption in zip(foot, captions, strict=False):
        ax.text(x, y, caption, ha="center", va="center", fontsize=6.5 if columns <= 4 else 4.8)
