"""What mitigated generations are measured by, read from the files of an experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmh.io.arrays import read_arrays
from mmh.io.table_files import read_table
from mmh.io.tables import IMAGE_SET, PROMPTS
from mmh.mitigated.classes import classifier, held_out_accuracy
from mmh.mitigated.measures import Truth
from mmh.retrieval.embedding import embed, load_descriptor
from mmh.retrieval.generation_matches import training_images


def read_truth(prompts: Path, images: Path, captions: Path | Sequence[Path]) -> Truth:
    """Read what generations are compared with.

    Parameters
    ----------
    prompts : path
        ``prompts.parquet``.
    images : path
        ``.npz`` with `image` and `id`, perhaps `class`: the training set, or an image set.
    captions : path or sequence of path
        Table of that image set, by whose captions prompts are looked up; nothing for the training set.

    Returns
    -------
    Truth
    """
    listed = [captions] if isinstance(captions, Path) else list(captions)
    asked = read_table(prompts, PROMPTS)
    train = training_images(asked, read_table(listed[0], IMAGE_SET) if listed else None)
    with np.load(images) as held:
        known = "class" in held.files
    arrays = read_arrays(images, "image", "id", *(["class"] if known else []))
    family = asked.set_index(["prompt_set", "prompt"])["family"]
    return Truth(train, family, arrays[0], arrays[1], arrays[2] if known else None)


def instruments(
    truth: Truth,
    descriptor: Path,
    clip: Path | Sequence[Path],
    options: Mapping[str, Any],
    device: str,
) -> tuple[dict[str, Any], dict[str, float]]:
    """Load what generations are measured by.

    Parameters
    ----------
    truth : Truth
    descriptor : path
        TorchScript.
    clip : path or sequence of path
        Folder of a CLIP model, or nothing.
    options : mapping
        `preprocess` and `batch_size` of the descriptor.
    device : str

    Returns
    -------
    tools : dict
        `embedded`, `classify`, `agree` of `mitigated.measures.measured`; None for what there is not.
    classifier : dict
        Its accuracy on images that it has not seen, for the run record; empty without one.
    """
    model = load_descriptor(descriptor, device=device)

    def embedded(x: NDArray[np.uint8], names: NDArray[np.int64]) -> NDArray[np.float32]:
        channels_last = np.ascontiguousarray(np.moveaxis(x, 1, -1))
        how = (options["preprocess"], options["batch_size"], names)
        found: NDArray[np.float32] = embed(model, channels_last, *how, device=device)
        return found

    classify, said = None, {}
    if truth.classes is not None and len(np.unique(truth.classes)) > 1:
        classify = classifier(truth.image, truth.classes)
        said = {"held_out_accuracy": held_out_accuracy(truth.image, truth.classes)}
    folders = [clip] if isinstance(clip, Path) else list(clip)
    agree = None
    if folders:
        from mmh.models.latent.clip_similarity import similarity_by

        agree = similarity_by(folders[0], device=device)
    return {"embedded": embedded, "classify": classify, "agree": agree}, said
