"""Copy descriptors: loading a TorchScript file, preparing images as its users do, unit embeddings."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmh.compute.rows import aligned_blocks
from mmh.errors import InputError

if TYPE_CHECKING:
    import torch

TINT = 8 / 15
"""Mean over channels of each tint of the coloured digits: what their grey images were multiplied by."""
# name: (how the size is reached, channel means, channel standard deviations)
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
PREPROCESS: dict[str, tuple[tuple[str, int], tuple[tuple[float, ...], tuple[float, ...]]]] = {
    "native": (("none", 0), _HALF),  # [-1, 1], the range that the embedded worlds' descriptor is trained on
    "tinted": (("grey", 0), _HALF),
    "imagenet-288": (("edge", 288), _IMAGENET),
    "imagenet-320": (("square", 320), _IMAGENET),
    "imagenet-crop224": (("crop", 224), _IMAGENET),
    "half-crop224": (("crop", 224), _HALF),
}


def load_descriptor(path: str | os.PathLike[str], *, device: str = "cpu") -> "torch.jit.ScriptModule":
    """Load a copy descriptor saved as TorchScript, in evaluation mode.

    Parameters
    ----------
    path : path
        For instance one of the public SSCD files, or the one trained by `mmh.retrieval.descriptor`.
    device : str
        Where it is put; pass the same to `embed`.

    Returns
    -------
    torch.jit.ScriptModule
        Maps (N, 3, H, W) float to (N, k).

    Raises
    ------
    InputError
        If the file is missing or is no TorchScript.
    """
    import warnings

    import torch

    if not Path(path).is_file():
        raise InputError(f"{path}: no such descriptor file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the public files exist in this format only
            return torch.jit.load(str(path), map_location=device).eval()
    except RuntimeError as error:
        reason = str(error).splitlines()[0][:120]
        raise InputError(f"{path}: not a TorchScript descriptor, or truncated ({reason})") from error


def embed(
    descriptor: Any,
    images: np.ndarray,
    preprocess: str = "imagenet-288",
    batch_size: int = 64,
    ids: np.ndarray | None = None,
    *,
    device: str = "cpu",
) -> np.ndarray:
    """Embed images as unit vectors.

    Parameters
    ----------
    descriptor : callable
        Maps (N, 3, H, W) float32 to (N, k).
    images : (n, H, W, C) uint8
        C = 3, or 1 (grey, repeated to three channels).
    preprocess : str
        `native`: no resizing, [-1, 1]; `tinted`: the same of the grey image, the mean over the channels
        divided by that of a tint (at most 1); `imagenet-288`: small edge 288; `imagenet-320`: square, aspect
        distorted; `imagenet-crop224`: small edge 256, centre crop 224; these with ImageNet's mean and
        standard deviation; `half-crop224`: the same crop, [-1, 1]. Resizing is bilinear with antialiasing.
    batch_size : int
        Every batch has this size, missing rows are zero images.
    ids : (n,) int, optional
        Fix each image's place in a batch, so that its bytes do not depend on how a set is cut into calls; row
        numbers if None.
    device : str
        Where the descriptor is.

    Returns
    -------
    (n, k) float32
        Unit rows.

    Raises
    ------
    InputError
        If the images are not uint8 NHWC, the name is unknown, or an embedding is zero or not finite.
    """
    import torch

    if preprocess not in PREPROCESS:
        raise InputError(f"preprocess '{preprocess}' is unknown; choose one of {', '.join(PREPROCESS)}")
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3):
        raise InputError(f"images must be uint8 (n, H, W, 1 or 3), got {images.dtype} {images.shape}")
    rows = np.zeros((len(images), 0), dtype=np.float32)
    with torch.inference_mode():
        for here, places in aligned_blocks(np.arange(len(images)) if ids is None else ids, batch_size):
            padded = np.zeros((batch_size, *images.shape[1:]), dtype=np.uint8)
            padded[places] = images[here]
            out = descriptor(_prepare(torch.from_numpy(padded).to(device), preprocess)).double()
            unit = (out / out.norm(dim=1, keepdim=True)).float().cpu().numpy()[places]
            if rows.shape[1] == 0:
                rows = np.zeros((len(images), unit.shape[1]), dtype=np.float32)
            rows[here] = unit
    if not np.isfinite(rows).all():
        bad = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
        raise InputError(f"the descriptor gives no direction for image {bad} (zero or not finite)")
    return rows


def _prepare(images: "torch.Tensor", preprocess: str) -> "torch.Tensor":
    import torch

    (how, size), (mean, std) = PREPROCESS[preprocess]
    x = images.permute(0, 3, 1, 2).float() / 255
    if how == "grey":
        x = (x.mean(dim=1, keepdim=True) / TINT).clamp(max=1)
    x = x.expand(-1, 3, -1, -1)
    if how not in ("none", "grey"):
        height, width = x.shape[2:]
        edge = 256 if how == "crop" else size
        shape = [size, size]
        if how != "square":
            shape = [edge * side // min(height, width) for side in (height, width)]
        x = torch.nn.functional.interpolate(
            x, size=shape, mode="bilinear", antialias=True, align_corners=False
        )
    if how == "crop":
        top, left = (round((x.shape[k] - size) / 2) for k in (2, 3))
        x = x[:, :, top : top + size, left : left + size]
    centre, scale = (torch.tensor(values, device=x.device)[:, None, None] for values in (mean, std))
    return (x - centre) / scale
