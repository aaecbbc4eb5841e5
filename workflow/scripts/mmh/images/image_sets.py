"""An image set: the pixels of what could be had of a list, their captions, and which items are kin."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmh.errors import InputError
from mmh.fetch.image_policy import UndecodableError, decode, fit, near_pairs
from mmh.fetch.ledger import attrition
from mmh.io.arrays import write_arrays
from mmh.io.table_files import write_table
from mmh.io.tables import IMAGE_SET
from mmh.prompts.families import prompt_families

_SAME = 2  # bits of 64 in which hashes of one picture may differ


def import_set(
    listed: Any,
    ledger: Any,
    folder: Path,
    images: Path,
    table: Path,
    *,
    size: int,
    aspect: str,
    n: int | None,
    max_pixels: int,
) -> dict[str, Any]:
    """Write the images with status ``ok`` and the table beside them.

    Parameters
    ----------
    listed : pandas.DataFrame
        Columns of `mmh.io.tables.IMAGE_LIST`.
    ledger : pandas.DataFrame
        Columns of `mmh.io.tables.LEDGER`, of the same rows.
    folder : path
        Where the files of the ledger lie.
    images : path
        `.npz` to write: `image` uint8 (n, 3, size, size), `id` int64 0..n-1.
    table : path
        Parquet to write: columns of `mmh.io.tables.IMAGE_SET`; `source` is the address.
    size : int
        Side of the images, pixels.
    aspect : {"squash", "crop"}
        As in `mmh.fetch.image_policy.fit`.
    n : int or None
        How many at most, the first in the order of the list; None: all.
    max_pixels : int
        As when they were fetched.

    Returns
    -------
    dict
        That of `mmh.fetch.ledger.attrition`, with `wanted`, how many the set should have, `n`, how many it
        has, and `families`.

    Raises
    ------
    InputError
        If no image is left, list and ledger differ, or a file is missing or was changed.
    """
    import pandas as pd

    if listed["url"].tolist() != ledger["url"].tolist():
        raise InputError(f"{folder}: list and ledger have different rows; delete the ledger and run again")
    counts = attrition(ledger)
    kept = np.flatnonzero((ledger["status"] == "ok").to_numpy())[:n]
    if len(kept) == 0:
        raise InputError(
            f"{folder}: none of {counts['asked']} images could be had ({counts['statuses']}); the reasons "
            "stand in the ledger"
        )
    if n is not None and len(kept) < n:
        print(
            f"note: {len(kept)} images, {n} were wanted; draw more rows of the list to make up for lost ones"
        )
    rows = ledger.iloc[kept]
    captions = listed["caption"].iloc[kept].tolist()
    pixels = np.empty((len(kept), 3, size, size), np.uint8)
    for place, (name, digest) in enumerate(zip(rows["file"], rows["sha256"], strict=True)):
        pixels[place] = fit(_read(folder / name, digest, max_pixels), size, aspect)
    family = families(rows["sha256"].tolist(), rows["phash"].tolist(), captions)
    items = np.arange(len(kept), dtype=np.int64)
    write_arrays(images, image=pixels, id=items)
    columns = {"item": items, "caption": captions, "family": family, "source": rows["url"].tolist()}
    write_table(pd.DataFrame(columns), table, IMAGE_SET)
    wanted = counts["asked"] if n is None else min(n, counts["asked"])
    return counts | {"wanted": wanted, "n": len(kept), "families": len(np.unique(family))}


def families(digests: Sequence[str], hashes: Sequence[str], captions: Sequence[str]) -> np.ndarray:
    """Find items that are no independent observations: one file, one picture, or hardly different captions.

    Pictures are one if their perceptual hashes differ in at most 2 of 64 bits; captions are kin as
    `mmh.prompts.families.prompt_families` says, so near-duplicates and those of one template are, and an
    empty one has no kin. Kinship is passed on. Time grows with the square of n.

    Parameters
    ----------
    digests, hashes, captions : sequence of str
        Of n items.

    Returns
    -------
    (n,) int64
        The smallest item of each one's family.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(digests)
    first = {text: place for place, text in reversed(list(enumerate(digests)))}
    same_file = np.array([(first[text], place) for place, text in enumerate(digests)], dtype=np.int64)
    said = np.array([place for place, text in enumerate(captions) if text.strip()], dtype=np.int64)
    kin = said[prompt_families([captions[place] for place in said])]
    pairs = np.concatenate(
        [same_file.reshape(-1, 2), np.stack([kin, said], axis=1), near_pairs(hashes, _SAME)]
    )
    graph = coo_array((np.ones(len(pairs), np.int8), tuple(pairs.T)), shape=(n, n))
    _, component = connected_components(graph, directed=False)
    _, smallest, inverse = np.unique(component, return_index=True, return_inverse=True)
    return smallest[inverse].astype(np.int64)


def _read(path: Path, digest: str, max_pixels: int) -> Any:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); fetch the images again") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise InputError(f"{path}: was changed since it was fetched; delete it, and fetch the images again")
    try:
        return decode(data, max_pixels=max_pixels).image
    except UndecodableError as error:
        raise InputError(f"{path}: cannot be decoded here ({error}); is Pillow another version?") from error
