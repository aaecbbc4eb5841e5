"""Parts of the answer's page: one file that works from disk, without a network and without a script."""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape

import numpy as np

SIDE = 96  # least side of a picture, pixels of the screen: small images are enlarged, never blurred
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1b1b; background: #fff; max-width: 68rem;
  margin: 0 auto; padding: 1rem; box-sizing: border-box; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; margin: .2rem 0 } h2 { font-size: 1.15rem; margin: 2rem 0 .4rem }
p { margin: .4rem 0 }
.answer { border-left: .4rem solid #0072b2; background: #eef5fa; padding: .8rem 1rem; font-size: 1.15rem }
.answer.yes { border-color: #d55e00; background: #fdf1e8 }
.note { color: #555; font-size: .9rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: .9rem }
td, th { padding: .25rem .5rem; text-align: right; border-bottom: 1px solid #e4e4e4; vertical-align: middle;
  overflow-wrap: normal; white-space: nowrap }
th { border-color: #888; font-weight: 600 } td.text, th.text { text-align: left }
td.text { min-width: 7rem; white-space: normal; overflow-wrap: anywhere }
tr.found td { background: #fdf1e8 }
img { image-rendering: pixelated; display: block }
td img { width: 3rem; height: 3rem; object-fit: contain }
.sheet { display: flex; flex-wrap: wrap; gap: .9rem .7rem; margin: .6rem 0 }
figure { margin: 0; width: min(14rem, 47%) } figure div { display: flex; gap: 2px }
figure img { width: 50%; min-width: 0; height: auto } figcaption { font-size: .8rem; color: #555 }
figure.many { width: 100% } figure.many img { width: auto; max-width: 8rem; flex: 0 1 8rem }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .15rem 1rem; font-size: .9rem }
dt { font-weight: 600 } dd { margin: 0 } li { margin: .2rem 0 }
@media (max-width: 40rem) { body { padding: .6rem } table { font-size: .8rem } td, th { padding: .25rem }
  td.text { min-width: 5rem } dl { display: block } dd { margin: 0 0 .4rem } }
"""


def picture(image: np.ndarray, alt: str) -> str:
    """Give an image as an element of the page, its pixels unchanged.

    Parameters
    ----------
    image : (C, H, W) float in [-1, 1], or uint8
        One channel or three; values outside are cut.
    alt : str
        What it shows.

    Returns
    -------
    str
    """
    from PIL import Image

    pixels = (
        image if image.dtype == np.uint8 else np.rint(np.clip(image * 127.5 + 127.5, 0, 255)).astype("uint8")
    )
    drawn = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels[:3].transpose(1, 2, 0))
    times = max(1, -(-SIDE // drawn.width)) if drawn.width < SIDE else 1
    file = io.BytesIO()
    drawn.resize((drawn.width * times, drawn.height * times), Image.Resampling.NEAREST).save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img src="data:image/png;base64,{data}" alt="{escape(alt)}">'


def pictures(images: Sequence[str], caption: str) -> str:
    """Pictures side by side over a caption."""
    many = ' class="many"' if len(images) > 2 else ""
    return f"<figure{many}><div>{''.join(images)}</div><figcaption>{escape(caption)}</figcaption></figure>"


def sheet(figures: Iterable[str]) -> str:
    """Lay figures out in rows, as many as the window holds."""
    return f'<div class="sheet">{"".join(figures)}</div>'


def table(
    heads: Mapping[str, str],
    rows: Iterable[Mapping[str, str]],
    *,
    text: Sequence[str] = (),
    found: str = "found",
) -> str:
    """Lay out a table.

    Parameters
    ----------
    heads : mapping of str to str
        Heading of each column by its key.
    rows : iterable of mapping
        Cells by column, as HTML; a key `found` that is not empty marks the row.
    text : sequence of str
        Columns that hold text: aligned left.
    found : str
        Key of the mark.

    Returns
    -------
    str
    """

    def cell(tag: str, key: str, value: str) -> str:
        mark = ' class="text"' if key in text else ""
        return f"<{tag}{mark}>{value}</{tag}>"

    lines = ["<tr>" + "".join(cell("th", key, escape(head)) for key, head in heads.items()) + "</tr>"]
    for row in rows:
        mark = ' class="found"' if row.get(found) else ""
        lines.append(f"<tr{mark}>" + "".join(cell("td", key, row.get(key, "")) for key in heads) + "</tr>")
    return '<div class="wide"><table>' + "\n".join(lines) + "</table></div>"


def listed(pairs: Mapping[str, str]) -> str:
    """Lay out names with what they stand for."""
    return "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in pairs.items()) + "</dl>"


def bullets(lines: Iterable[str]) -> str:
    """Lay out sentences as a list."""
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def page(title: str, answer: str, *, yes: bool, parts: Sequence[tuple[str, str]]) -> str:
    """Put the page together.

    Parameters
    ----------
    title, answer : str
        Plain text.
    yes : bool
        Whether something was found: the answer's colour.
    parts : sequence of (str, str)
        Headings, and the HTML below each.

    Returns
    -------
    str
    """
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    body = "".join(f"<h2>{escape(head)}</h2>\n{html}\n" for head, html in parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n"
        f'<p class="answer{" yes" if yes else ""}">{escape(answer)}</p>\n{body}</body></html>\n'
    )
