"""Make the pictures of README.md, under docs/images/, from the figures of a finished run.

Usage: python workflow/tools/pictures.py

`overview.png` is two figures, one above the other; `figures/<name>.png` is a small picture of every figure
that an experiment without downloads draws, from the first experiment that has it. Figures that are not there
are left as they are.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import yaml
from PIL import Image

from mmh.errors import InputError
from mmh.io.files import atomic
from mmh.plan.experiment import Experiment
from mmh.plan.inputs.run import Run

IMAGES = Path("docs/images")
OVERVIEW = ("digits/figures/examples", "digits/figures/lid_model")
WIDTH = 1320  # of the overview; pages show it at two thirds
SMALL = (440, 520)  # box of a small picture
TALLEST = 3  # heights of a picture's width that are still shown whole
GAP = 24
COLOURS = 128  # all pictures together stay below 1 MiB


def opened(path: Path) -> Image.Image:
    """Read a picture, on white where it is transparent, and cut its empty margins off.

    Parameters
    ----------
    path : Path

    Returns
    -------
    PIL.Image.Image
        RGB.
    """
    with Image.open(path) as image:
        layers = Image.new("RGBA", image.size, "white")
        layers.alpha_composite(image.convert("RGBA"))
    picture = layers.convert("RGB")
    inked = picture.convert("L").point(lambda value: 255 * (value < 250)).getbbox()
    return picture.crop(inked) if inked else picture


def stack(pictures: list[Image.Image], width: int = WIDTH) -> Image.Image:
    """Put pictures one above the other, all of one width, on white.

    Parameters
    ----------
    pictures : list of PIL.Image.Image
    width : int
        Pixels.

    Returns
    -------
    PIL.Image.Image
    """
    heights = [round(width * picture.height / picture.width) for picture in pictures]
    whole = Image.new("RGB", (width, sum(heights) + GAP * (len(pictures) - 1)), "white")
    top = 0
    for picture, height in zip(pictures, heights, strict=True):
        whole.paste(picture.resize((width, height), Image.Resampling.LANCZOS), (0, top))
        top += height + GAP
    return whole


def small(picture: Image.Image, box: tuple[int, int] = SMALL) -> Image.Image:
    """Shrink a picture into a box of pixels; of a sheet that is very tall, the top."""
    if picture.height > TALLEST * picture.width:
        picture = picture.crop((0, 0, picture.width, picture.width))
    factor = min(box[0] / picture.width, box[1] / picture.height)
    size = (round(picture.width * factor), round(picture.height * factor))
    return picture.resize(size, Image.Resampling.LANCZOS)


def save(picture: Image.Image, path: Path) -> None:
    """Write a PNG of few colours, which takes half of the bytes or less."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as partial:
        picture.quantize(COLOURS, kmeans=2, dither=Image.Dither.NONE).save(partial, optimize=True)


def drawn(config: dict[str, Any]) -> dict[str, Path]:
    """List the figures that experiments without downloads draw.

    Parameters
    ----------
    config : dict
        The configuration.

    Returns
    -------
    dict of str to Path
        By the name of the figure: its picture, of the first experiment that has it.
    """
    found: dict[str, Path] = {}
    for name in Run(config).embedded:
        for figure in Experiment(config, name).figures:
            found.setdefault(Path(figure).stem, Path(figure).with_suffix(".png"))
    return found


def make(sources: dict[str, Path], overview: Iterable[Path]) -> list[Path]:
    """Make all pictures whose figures are there.

    Parameters
    ----------
    sources : dict of str to Path
        Figures by name.
    overview : iterable of Path
        Figures of the overview; all of them must be there.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    InputError
        If there is no figure at all.
    """
    written = []
    parts = list(overview)
    if all(part.is_file() for part in parts):
        written.append(IMAGES / "overview.png")
        save(stack([opened(part) for part in parts]), written[-1])
    for name, source in sources.items():
        if source.is_file():
            written.append(IMAGES / "figures" / f"{name}.png")
            save(small(opened(source)), written[-1])
    if not written:
        raise InputError("there are no figures under results/; run `make demo` first")
    return written


def main() -> int:
    """Make the pictures; exit status 1 if there is nothing to make them from."""
    try:
        config = yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8"))
        written = make(drawn(config), (Path(f"results/{part}.png") for part in OVERVIEW))
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n".join(f"picture: {path}" for path in written))
    return 0


if __name__ == "__main__":
    sys.exit(main())
