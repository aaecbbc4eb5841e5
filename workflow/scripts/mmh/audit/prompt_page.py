"""The page that answers whether a model memorizes someone's prompts."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from mmh.audit import markup
from mmh.audit.prompt_answer import PromptFindings

UNSEEN = (
    "Other guidance scales, other samplers, other seeds than those drawn.",
    "Training images: nobody compared the generations with them. Look at the pictures above: generations of "
    "one prompt that are nearly one image speak for memorization.",
    "Prompts that you did not give.",
)


def prompt_page(
    answer: PromptFindings,
    generations: Mapping[int, np.ndarray],
    *,
    level: float,
    shown: int,
    facts: Mapping[str, str],
    unseen: Sequence[str] = UNSEEN,
) -> str:
    """Write the page.

    Parameters
    ----------
    answer : PromptFindings
    generations : mapping of int to (n, 3, H, W) uint8
        Images of the prompts that are shown.
    level : float
        False discovery rate.
    shown : int
        Prompts whose generations are shown.
    facts : mapping of str to str
        Cost, versions and digests.
    unseen : sequence of str
        What was not looked at.

    Returns
    -------
    str
    """
    figures = []
    for row in answer.table.head(shown).itertuples():
        drawn = [
            markup.picture(image, f"generation of prompt {row.rank}") for image in generations[row.prompt]
        ]
        figures.append(markup.pictures(drawn, f"{row.rank}. {row.text}"))
    heads = {"rank": "rank", "text": "prompt", "score": "score", "percentile": "percentile (null)"}
    heads |= {"p": "p", "q": "q"}
    if answer.whole is None:
        heads = {key: head for key, head in heads.items() if key in ("rank", "text", "score")}
    cells = [
        {key: f"{row[key]:.3g}" for key in heads if key in ("score", "percentile", "p", "q")}
        | {"rank": str(row["rank"]), "text": escape(row["text"]), "found": "yes" if row["q"] <= level else ""}
        for row in answer.table.to_dict("records")
    ]
    parts = [
        ("All prompts, the most suspect first", markup.table(heads, cells, text=("text",))),
        ("Generations of the most suspect prompts", markup.sheet(figures)),
        ("What the numbers mean, and what they assume", markup.bullets(answer.notes)),
        ("What was not looked at", markup.bullets(unseen)),
        ("Cost, versions and digests", markup.listed(facts)),
    ]
    title = "Does this model memorize these prompts?"
    return markup.page(title, answer.sentence, yes=answer.yes, parts=parts)
