"""What an estimator computes from: items of a span, the model, captions, classes, options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from mmh.scores.base import Score


@dataclass(frozen=True)
class Setting:
    """What an estimator computes from.

    Attributes
    ----------
    x : numpy.ndarray
        float32 (n, ...), images in [-1, 1], latents, or a generator's inputs.
    ids : numpy.ndarray
        int64 (n,).
    options : Options
        Of the estimator.
    seed : int
        Root seed of the run.
    model : object or None
        As loaded from its folder; None for an estimator of images alone.
    score : ScoreModel or None
        Over images, bound to their conditions, row by row; over latents and without conditions for an
        estimator that needs captions.
    classes : numpy.ndarray or None
        (n, ...) labels of a generator's samples.
    captions : list of str or None
        (n,), for an estimator that needs them.
    null : torch.Tensor or None
        (1, L, D), the embedded empty caption, beside them.
    whole : (ndarray, ndarray) or None
        Images (N, ...) and ids (N,) of the whole item set, for an estimator that depends on them.
    t : float or None
        Noise level of this pass, for an estimator with the option `t`.
    places : numpy.ndarray or None
        int64 (n,), places of the items in a set of chosen ids, which have gaps; None in other sets.
    """

    x: NDArray[Any]
    ids: NDArray[np.int64]
    options: Any
    seed: int
    model: Any = None
    score: Any = None
    classes: NDArray[Any] | None = None
    captions: list[str] | None = None
    null: Any = None
    whole: tuple[NDArray[Any], NDArray[np.int64]] | None = None
    t: float | None = None
    places: NDArray[np.int64] | None = None

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        import torch

        for owner in (self.score, self.model):
            if owner is not None and hasattr(owner, "device"):
                return torch.device(owner.device)
        return torch.device("cpu")

    @property
    def dtype(self) -> str:
        """Type that is computed in."""
        found = self.x.dtype if self.score is None else self.score.dtype
        return str(found).removeprefix("torch.")

    def level(self) -> dict[str, Any]:
        """Columns of the noise level: nothing without one."""
        if self.t is None or self.score is None:
            return {}
        schedule = self.score.schedule
        return {"t": self.t, "index": schedule.index(self.t), "sigma": float(schedule.sigma(self.t))}

    def embedded(self, rows: NDArray[np.int64], numbers: NDArray[np.int64]) -> torch.Tensor:
        """Captions of some items (m, L, D); `numbers` say the row in which each is embedded."""
        assert self.captions is not None
        found: torch.Tensor = self.model.embed([self.captions[row] for row in rows], ids=numbers)
        return found


def read_setting(
    score: type[Score],
    images: Sequence[Path],
    captions: Path | Sequence[Path],
    model: Path | Sequence[Path],
    *,
    span: str,
    items: str,
    options: Mapping[str, Any],
    load: Mapping[str, Any],
    seed: int,
    device: str,
) -> Setting:
    """Read the items of a span, and what the estimator needs besides.

    Parameters
    ----------
    score : type
        Row of the estimator.
    images : sequence of Path
        Shards that hold the items.
    captions : Path, or nothing
        Table of an image set with captions.
    model : Path, or nothing
        Folder of the model.
    span, items : str
        Wildcards of the job.
    options, load : mapping
        Of the estimator, and of the loading of a text-to-image model.
    seed : int
    device : str

    Returns
    -------
    Setting

    Raises
    ------
    InputError
        If items, captions or classes are missing, or the model is of another sort.
    """
    import numpy as np

    from mmh.io.image_shards import read_images, read_present, read_span
    from mmh.io.spans import SELECTED, span_range
    from mmh.models.latent.captions import image_score, read_captions
    from mmh.models.loading import load_model

    # Checked before the job; without the options of a later step they are not whole.
    made = score.Options.model_construct(**options) if score.later else score.Options.model_validate(options)
    given: dict[str, Any] = {"options": made, "seed": seed}
    if score.needs == "generator":
        assert isinstance(model, Path)
        return Setting(**_drawn(images, model, span, items, device), **given)
    x, ids = read_present(images, span) if captions else read_span(images, span, items)
    if items == SELECTED:
        given["places"] = np.array(span_range(span))
    if score.needs == "images":
        return Setting(x, ids, **given)
    assert isinstance(model, Path)
    loaded: Any = load_model(model, device=device, **load)
    if score.needs == "score":
        condition = getattr(given["options"], "condition", None) or "caption"
        bound = image_score(loaded, images, captions, ids, condition)
        return Setting(x, ids, model=loaded, score=bound, **given)
    if score.needs == "decoder":
        return Setting(x, ids, model=loaded, **given)
    assert isinstance(captions, Path)
    texts = read_captions(captions, ids)
    given["whole"] = read_images(images) if score.whole else None
    network: dict[str, Any] = {"model": loaded, "score": loaded.score_model(), "null": loaded.null()}
    return Setting(x, ids, captions=texts, **network, **given)


def _drawn(images: Sequence[Path], model: Path, span: str, items: str, device: str) -> dict[str, Any]:
    """A generator, and the inputs of the samples of one span."""
    import numpy as np

    from mmh.errors import InputError
    from mmh.io.arrays import read_arrays
    from mmh.io.image_shards import read_column
    from mmh.io.spans import SELECTED, span_range
    from mmh.models.loading import load_model

    wanted = span_range(span)
    ids = np.array(wanted, dtype=np.int64)
    if items == SELECTED:  # such spans count places
        ids = np.sort(np.concatenate([read_arrays(shard, "id")[0] for shard in images]))
        ids = ids[wanted.start : wanted.stop]
    generator: Any = load_model(model, device=device)
    z = read_column(images, "z", ids)
    c = read_column(images, "class", ids) if generator.classes else None
    if z is None or (generator.classes and c is None):
        raise InputError(f"{images[0]}: lacks z or class, so no generator drew these items; make them again")
    return {"x": z, "ids": ids, "model": generator, "classes": c}
