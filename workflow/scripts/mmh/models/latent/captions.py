"""Captions of an image set as conditions of a text-to-image model's score."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmh.errors import InputError
from mmh.io.image_shards import read_column
from mmh.io.table_files import read_table
from mmh.io.tables import IMAGE_SET

if TYPE_CHECKING:
    from mmh.diffusion.score_model import ScoreModel
    from mmh.models.base import Model
    from mmh.models.latent.model import TextToImageModel

CONDITIONS = ("caption", "empty")


def read_captions(table: Path, ids: NDArray[np.int64]) -> list[str]:
    """Read the captions of images.

    Parameters
    ----------
    table : Path
        ``<set>.parquet`` of an image set.
    ids : numpy.ndarray
        int64 (n,), items of the set.

    Returns
    -------
    list of str
        In the order of `ids`.

    Raises
    ------
    InputError
        If the table is unreadable or an item has no caption.
    """
    rows = read_table(table, IMAGE_SET).set_index("item")["caption"]
    absent = [i for i in ids.tolist() if i not in rows.index or not isinstance(rows[i], str)]
    if absent:
        raise InputError(f"{table}: item {absent[0]} has no caption; use condition: empty for this set")
    return [rows[i] for i in ids.tolist()]


def captioned_score(
    model: TextToImageModel,
    captions: Sequence[str] | None,
    *,
    condition: str,
    ids: NDArray[np.int64] | None = None,
) -> ScoreModel:
    """Give the score over latents under captions, or under the empty one.

    Parameters
    ----------
    model : TextToImageModel
    captions : sequence of str or None
        One per image; not looked at for the empty condition.
    condition : {"caption", "empty"}
        LID(. | c), or LID(.) by the empty caption.
    ids : numpy.ndarray, optional
        int64 (n,), ids of the images: a caption's place in its batch.

    Returns
    -------
    ScoreModel
        For batches whose rows are those of `captions`, or for any batch.

    Raises
    ------
    InputError
        If the condition is unknown or captions are missing.
    """
    if condition not in CONDITIONS:
        raise InputError(f"condition must be one of {', '.join(CONDITIONS)}, got {condition!r}")
    if condition == "empty":
        return model.score_model().conditioned(model.null())
    if captions is None:
        raise InputError("condition: caption needs images with captions; use condition: empty")
    if not captions:
        return model.score_model()  # of no image, with nothing to give
    return model.score_model().conditioned(model.embed(captions, ids=ids))


def image_score(
    model: Model,
    images: Sequence[Path],
    captions: Path | Sequence[Path],
    ids: NDArray[np.int64],
    condition: str | None,
) -> ScoreModel:
    """Give the score at images: by caption, by class, or without either, as model and images have it.

    Parameters
    ----------
    model
        Loaded from its folder.
    images : sequence of Path
        Shards that hold the images, and their classes if they have any.
    captions : Path, or nothing
        Table of an image set with captions.
    ids : numpy.ndarray
        int64 (n,), the images.
    condition : str, optional
        As for `captioned_score`; needed with captions.

    Returns
    -------
    ScoreModel
        For batches whose rows are those of `ids`, or for any batch.

    Raises
    ------
    InputError
        If the model and the images do not fit together.
    """
    from mmh.models.latent.model import TextToImageModel
    from mmh.models.loading import class_score

    if not isinstance(captions, Path):
        return class_score(model, read_column(images, "class", ids))
    if not isinstance(model, TextToImageModel):
        raise InputError(f"{captions}: captions need a text-to-image model; use images without captions")
    texts = read_captions(captions, ids) if condition == "caption" else None
    return captioned_score(model, texts, condition=str(condition), ids=ids)
