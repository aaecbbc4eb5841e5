"""The steps of every estimator: batches, the table of scores, and what run records say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from mmh.job.chunks import Chunks
    from mmh.scores.base import SetScore, SpanScore, SpectraScore
    from mmh.scores.setting import Setting

ROWS = 64
"""Rows of a batch for an estimator without the option `batch_size`."""
SPECTRA_ROWS = 5
"""Items of a block of spectra, none of which depends on another: a minute of a GPU for 32 x 32 pixels."""
Progress = Callable[..., Callable[..., None]]


def score_span(
    score: type[SpanScore],
    setting: Setting,
    estimator: str,
    *,
    progress: Progress,
    store: Chunks | None = None,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Compute the score table of one span, one noise level after the other.

    Parameters
    ----------
    score : type
        Row of the estimator.
    setting : Setting
    estimator : str
        Its name in the configuration.
    progress, store
        Of the job.

    Returns
    -------
    table : pandas.DataFrame
    numerics : dict
        For the run record.
    """
    import numpy as np
    import pandas as pd

    from mmh.compute.blocks import blockwise_in_fitting_batches
    from mmh.scores.order import part_name

    t = getattr(setting.options, "t", None)
    passes = [replace(setting, t=level) for level in (t if isinstance(t, list) else [t])]
    asked, n = getattr(setting.options, "batch_size", ROWS), len(setting.ids)
    found, size = blockwise_in_fitting_batches(
        asked,
        [partial(score.values, one) for one in passes],
        setting.ids,
        device=setting.device,
        progress=progress,
        store=store,
    )
    found = found or {"value": np.empty(0)}
    tables = []
    for place, one in enumerate(passes):
        part = {name: array[place * n : (place + 1) * n] for name, array in found.items()}
        shared = {"dtype": setting.dtype, **score.columns(one)}
        tables.append(_table(setting.ids, estimator, {**part, **shared}))
        for name in score.parts:
            if name in part:
                own = {"value": part[name], "stderr": part.get(f"{name}_stderr")}
                tables.append(_table(setting.ids, part_name(estimator, name), {**own, **shared}))
    numerics = {"batch_size": size, **_numerics(setting), **score.describe(setting)}
    return pd.concat(tables, ignore_index=True), numerics


def score_spectra(
    score: type[SpectraScore], setting: Setting, *, progress: Progress, store: Chunks | None = None
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Compute the spectra of one span; they are counted when all of a set are there.

    Parameters
    ----------
    score : type
        Row of the estimator.
    setting : Setting
    progress, store
        Of the job.

    Returns
    -------
    arrays : dict of str to ndarray
        In the order in which they are written.
    numerics : dict
        For the run record.
    """
    import numpy as np

    from mmh.job.chunks import blockwise

    n, unit = len(setting.ids), "sample" if score.needs == "generator" else "image"
    rows = setting.options.batch_size if score.batched else SPECTRA_ROWS
    blocks = np.split(np.arange(n), range(rows, n, rows))
    found = blockwise(partial(score.spectra, setting), blocks, progress=progress, store=store, unit=unit)
    arrays = {**found, "id": setting.ids, **score.constants(setting)}
    return arrays, {**_numerics(setting), **score.describe(setting)}


def count_spectra(
    score: type[SpectraScore],
    files: Sequence[Path],
    candidates: Path | Sequence[Path],
    estimator: str,
    *,
    options: Mapping[str, Any],
    seed: int,
    record: dict[str, Any],
) -> pd.DataFrame:
    """Count the singular values of all items by a percentile of a pool (paper Eq. 8, Appendices B.3, C.1).

    An estimator without that option says its value of each item alone.

    The paper's pool is all generated images. Where only some have spectra, candidates are many times too
    frequent among them, so the pool is the seeded draw of the others.

    Parameters
    ----------
    score : type
        Row of the estimator.
    files : sequence of Path
        Spectra of the set, in the order of its items.
    candidates : Path, or nothing
        Table of the items that are left out of the pool.
    estimator : str
        Name in the configuration.
    options : mapping
        Of the estimator.
    seed : int
    record : dict
        The threshold and its pool are put here.

    Returns
    -------
    pandas.DataFrame
        Score table.
    """
    import numpy as np

    from mmh.io.arrays import array_names, read_arrays
    from mmh.io.table_files import read_table
    from mmh.io.tables import CANDIDATES
    from mmh.lid.spectra import pooled_threshold

    held = array_names(files[0]) if score.perhaps else []
    wanted = ("spectrum", "id", *score.beside, *(name for name in score.perhaps if name in held))
    parts = [read_arrays(path, *wanted) for path in files]
    arrays = {name: np.concatenate([part[k] for part in parts]) for k, name in enumerate(wanted)}
    for k, name in enumerate(score.once):
        arrays[name] = read_arrays(files[0], *score.once)[k]
    given: Any = score.Options.model_validate(options)
    threshold = float("nan")  # of a pool that is not asked for
    if "percentile" in score.Options.model_fields:
        chosen = np.ones(len(arrays["id"]), dtype=bool)
        if isinstance(candidates, Path):
            chosen = ~np.isin(arrays["id"], read_table(candidates, CANDIDATES)["sample"])
        pool: Any = arrays["spectrum"][chosen]
        threshold = pooled_threshold(pool, given.percentile)
        record.update(
            threshold=threshold,
            percentile=given.percentile,
            pool_items=len(pool),
            pool_values=int(pool.size),
            pool_candidates_left_out=int((~chosen).sum()),
        )
    columns = {"dtype": "float64", **score.counts(arrays, threshold, given, seed)}
    return _table(arrays["id"], estimator, columns)


def score_set(
    score: type[SetScore],
    images: Sequence[Path],
    estimator: str,
    *,
    options: Mapping[str, Any],
    seed: int,
    record: dict[str, Any],
) -> pd.DataFrame:
    """Compute the score table of a whole item set from its images.

    Parameters
    ----------
    score : type
        Row of the estimator.
    images : sequence of Path
        Shards of the set.
    estimator : str
        Name in the configuration.
    options : mapping
        Of the estimator.
    seed : int
    record : dict
        Of the run.

    Returns
    -------
    pandas.DataFrame
    """
    from mmh.io.image_shards import read_images

    x, ids = read_images(images)
    return _table(ids, estimator, score.of_set(x, ids, score.Options.model_validate(options), seed, record))


def _table(ids: NDArray[np.int64], estimator: str, columns: Mapping[str, Any]) -> pd.DataFrame:
    """Long table of scores; columns that are not given are empty."""
    import pandas as pd

    from mmh.io.tables import SCORES

    table = pd.DataFrame({"item": ids, "estimator": estimator})
    for name in list(SCORES.columns)[2:]:
        table[name] = columns.get(name)
    return table


def _numerics(setting: Setting) -> dict[str, Any]:
    """What every run record says; anything else than 0 values that are not finite stops a job."""
    attention = getattr(setting.model, "attention", lambda: "none")()
    return {"dtype": setting.dtype, "attention": attention, "items": len(setting.ids), "non_finite": 0}
