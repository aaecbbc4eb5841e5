"""Write docs/cards.md: a card for every estimator, and a line for every metric of prompts, from their rows.

Usage: python workflow/tools/estimator_cards.py
"""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from mmh.metrics.base import METRICS, Metric
from mmh.options.forms import described
from mmh.scores.base import SCORES, Score

PAGE = Path("docs/cards.md")
FIELDS = ("Formula", "Source", "Cost", "Fails")
NEEDS = {
    "images": "images or latents, no model",
    "score": "a diffusion model",
    "captions": "a text-to-image model, latents and their captions",
    "decoder": "latents and the decoder of their model",
    "generator": "a generator and the latent vectors of its samples",
    "calls": "nothing but the calls that sampling makes",
    "graph": "derivatives of the noise",
    "attention": "attention maps",
    "image": "the finished image",
}
OTHERS = "other scores of the experiment"
INTRODUCTION = """# Cards

<!-- Written by `make cards` from the docstrings of workflow/scripts/mmh/scores and metrics. -->

A card for every estimator that `method` may name under `experiments.<e>.estimators`: what it computes, whose
idea it is, what it costs and when it fails. [estimators.md](estimators.md) has the mathematics at length, and
how to choose one.

x is an item and d the number of its values; t the noise time, psi and sigma those of x_t given x, which is
N(psi x, sigma^2 I); z what the network sees, eps the noise that it predicts, J = d eps / d z; s = -eps/sigma
the score, H the Hessian of the log-density; c a caption. "The paper" is Ross et al., *A Geometric Framework
for Understanding Memorization in Generative Models* (2025).
"""
METRICS_HEAD = """
## Metrics of prompts

What `experiments.<e>.prompts.metrics` may name. Each is taken while images are sampled, and averaged over
steps and generations.

| metric | what it is | needs | memorized |
| --- | --- | --- | --- |
"""


def fields(row: type[Score]) -> dict[str, str]:
    """Read what the docstring of an estimator says of it.

    Parameters
    ----------
    row : type
        Its class.

    Returns
    -------
    dict of str to str
        `What`, what stands before the named paragraphs, and each of `FIELDS`.

    Raises
    ------
    ValueError
        If one of them is missing.
    """
    paragraphs = [" ".join(part.split()) for part in (row.__doc__ or "").split("\n\n")]
    found = {
        name: part.partition(": ")[2]
        for name in FIELDS
        for part in paragraphs
        if part.startswith(f"{name}: ")
    }
    missing = [name for name in FIELDS if not found.get(name)]
    if missing:
        raise ValueError(f"{row.__module__}.{row.__qualname__}: its docstring lacks {', '.join(missing)}")
    plain = [part for part in paragraphs if not re.match(rf"({'|'.join(FIELDS)}): ", part)]
    return {"What": " ".join(plain)} | found


def card(row: type[Score]) -> str:
    """Write the card of an estimator, in Markdown.

    Parameters
    ----------
    row : type

    Returns
    -------
    str
    """
    said = fields(row)
    title = f"`{row.name}`" + (f": {row.label}" if row.label else "")
    lines = {
        "formula": f"`{said['Formula'].rstrip('.')}`" if "`" not in said["Formula"] else said["Formula"],
        "source": said["Source"],
        "needs": OTHERS if row.shape == "ratio" else NEEDS[row.needs],
        "unit": row.unit or "that of its scores",
        "memorized": "large" if row.large else "small",
        "cost": said["Cost"],
        "fails": said["Fails"],
        "code": f"`{row.__module__}`",
    }
    table = "\n".join(f"| {name} | {_cell(value)} |" for name, value in lines.items())
    options = "\n".join(_option(row, name) for name in row.Options.model_fields)
    return f"\n### {title}\n\n{said['What']}\n\n| | |\n| --- | --- |\n{table}\n" + (
        f"\n{options}\n" if options else ""
    )


def page() -> str:
    """Write the page of all cards.

    Returns
    -------
    str
        Markdown.
    """
    cards = "".join(card(row) for row in SCORES.rows().values() if row.plugin is None)
    metrics = "".join(_line(row) for row in METRICS.rows().values() if row.plugin is None)
    return INTRODUCTION + "\n## Estimators\n" + cards + METRICS_HEAD + metrics


def _line(row: type[Metric]) -> str:
    what = _cell(" ".join((row.__doc__ or "").split()))
    return f"| `{row.name}` | {what} | {NEEDS[row.needs]} | {'large' if row.large else 'small'} |\n"


def _option(row: type[Score], name: str) -> str:
    field = row.Options.model_fields[name]
    default = "" if field.is_required() or field.default is None else f" (default: {field.default})"
    return f"- `{name}`: {' '.join(described(row.Options, name).split())}{default}"


def _cell(text: str) -> str:
    """Text of a cell, which a bar would end."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page())
