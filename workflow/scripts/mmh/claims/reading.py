"""The tables of finished results that the tests of the claims read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

PLAIN = ("evaluation", "paired", "balls", "duplicates", "conditioned")
"""Those that are CSV."""


def read_tables(inputs: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """Read whichever tables an experiment has.

    Parameters
    ----------
    inputs : mapping of str to path
        `scores`, `labels`, `matches`, `train`, `mitigated`, `rewritten`, `words`, those of `PLAIN`,
        `image_sets` and `prompt_scores`, lists of paths, `prompts`; `images` and `samples` (a list) of a
        circle with a point in its middle.

    Returns
    -------
    dict of str to pandas.DataFrame
        Under the same names, and `regions`, where each sample of that circle lies.

    Raises
    ------
    InputError
        If a table is unreadable or lacks a column.
    """
    import pandas as pd

    from mmh.detection.prompt_detectors import SCORE_COLUMNS
    from mmh.evaluation.image_sets import read_sets
    from mmh.io.image_shards import read_images
    from mmh.io.table_files import read_table
    from mmh.io.tables import ALL_SCORES, LABELS, MATCHES, MITIGATED, REWRITTEN, TRAIN, WORD_VALUES
    from mmh.prompts.lists import read_columns, read_prompts
    from mmh.worlds.sets.von_mises import regions

    contracts = {"scores": ALL_SCORES, "labels": LABELS, "matches": MATCHES, "train": TRAIN}
    contracts |= {"mitigated": MITIGATED, "rewritten": REWRITTEN, "words": WORD_VALUES}
    tables = {name: read_table(inputs[name], contracts[name]) for name in contracts if name in inputs}
    tables |= {name: pd.read_csv(inputs[name]) for name in PLAIN if name in inputs}
    if "image_sets" in inputs:
        tables["image_sets"] = read_sets(inputs["image_sets"])
    if "prompts" in inputs:
        tables["prompts"] = read_prompts(inputs["prompts"])
        parts = [read_columns(path, SCORE_COLUMNS) for path in inputs["prompt_scores"]]
        tables["prompt_scores"] = pd.concat(parts, ignore_index=True)
    if "images" in inputs:
        x, ids = read_images(inputs["samples"])
        points, _ = read_images(inputs["images"])
        tables["regions"] = pd.DataFrame({"sample": ids, "region": regions(x, points)})
    return tables
