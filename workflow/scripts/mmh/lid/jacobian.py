"""Singular values of a generator's Jacobian: the dimension of its image around a sample.

LID(G(z)) = #{singular values of dG/dz > threshold}, z in R^d', G(z) in R^d.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmh.compute.rows import check_finite
from mmh.errors import InputError

if TYPE_CHECKING:
    import torch

Array = NDArray[np.float64]
CHUNK = 64
# One dual-number pass costs about two forward passes, one reverse pass about one more than the forward
# pass that all of them share.
FORWARD_COST, REVERSE_COST = 2.0, 1.7


def jacobian_spectrum(
    generator: Callable[..., torch.Tensor],
    z: ArrayLike | torch.Tensor,
    c: ArrayLike | torch.Tensor | None = None,
    *,
    mode: str = "auto",
    chunk: int = CHUNK,
) -> Array:
    """Singular values of the Jacobian dG/dz of each sample.

    Samples are computed one by one, so a row depends neither on the others nor on their order. The columns of
    the Jacobian come from Jacobian-vector products (d' of them) or its rows from vector-Jacobian products (d
    of them), `chunk` at a time by ``torch.func.vmap``, or one by one where the generator has operations that
    cannot be so mapped.

    Parameters
    ----------
    generator : callable or torch.nn.Module
        ``generator(z)``, or ``generator(z, c)`` if `c` is given, for z (1, ...): x (1, ...). Deterministic
        and at full precision; a module is called in eval mode and left in the mode that it was in.
    z : array_like or torch.Tensor
        (n, ...), floating point, in the generator's dtype and on its device.
    c : array_like or torch.Tensor, optional
        (n, ...), labels or conditions of the rows, held fixed.
    mode : {"auto", "forward", "reverse"}
        Products to use; "auto" takes what is cheaper for (d, d'): forward unless d is below about d'.
    chunk : int
        Products in one pass; memory grows with it.

    Returns
    -------
    numpy.ndarray
        float64 (n, min(d, d')), descending, in units of x per unit of z. A generator that normalises z by its
        root mean square has one value that is 0 up to rounding.

    Raises
    ------
    InputError
        If shapes, numbers of rows or options do not fit, the generator draws random numbers of its own, or a
        value is not finite.
    """
    import torch

    from mmh.compute.attention import full_float32
    from mmh.diffusion.modes import evaluation_mode

    latents = z.detach() if isinstance(z, torch.Tensor) else torch.from_numpy(np.array(z))
    if latents.ndim < 2 or not len(latents) or not latents.is_floating_point():
        raise InputError(f"needs floating-point z (n, ...), got {latents.dtype} {tuple(latents.shape)}")
    conditions = None if c is None else torch.as_tensor(c).to(latents.device)
    if conditions is not None and (conditions.ndim == 0 or len(conditions) != len(latents)):
        raise InputError(f"needs one row of c per row of z, got {tuple(conditions.shape)}")
    if mode not in ("auto", "forward", "reverse"):
        raise InputError(f'mode must be "auto", "forward" or "reverse", got {mode!r}')
    if chunk < 1:
        raise InputError(f"chunk must be positive, got {chunk}")
    spectra = []
    with full_float32(), evaluation_mode(generator if isinstance(generator, torch.nn.Module) else None):
        _check_repeats(generator, latents[:1], None if conditions is None else conditions[:1])
        for row in range(len(latents)):
            condition = None if conditions is None else conditions[row : row + 1]
            sample = latents[row : row + 1]
            if mode == "auto":  # the first sample decides for all
                mode = _cheaper(generator, sample, condition)
            matrix = _jacobian(generator, sample, condition, mode, chunk)
            finite = matrix.isfinite().all().reshape(1).cpu().numpy()
            check_finite(finite, np.array([row]), "the generator's Jacobian is not finite")
            spectra.append(torch.linalg.svdvals(matrix.double()).cpu().numpy())
    return np.stack(spectra)


def _apply(generator: Callable[..., torch.Tensor], z: torch.Tensor, c: torch.Tensor | None) -> torch.Tensor:
    """Image of one sample, flat."""
    x = generator(z) if c is None else generator(z, c)
    if x.ndim < 1 or len(x) != 1:
        raise InputError(f"the generator returned shape {tuple(x.shape)} for z {tuple(z.shape)}")
    return x.flatten()


def _check_repeats(generator: Callable[..., torch.Tensor], z: torch.Tensor, c: torch.Tensor | None) -> None:
    """Raise `InputError` if two calls on one z give two images: the map has no Jacobian then."""
    import torch

    with torch.inference_mode(False), torch.no_grad():
        one, other = (_apply(generator, z.clone(), c).double() for _ in range(2))
    size = float(one.abs().max())
    apart = float((one - other).abs().max())
    if apart > 1e-3 * size:  # kernels that add up in another order differ by less
        raise InputError(
            f"the generator is random: two calls on one z differ by {apart:.2g} of {size:.2g}. Fix the "
            "noise that it draws (StyleGAN2: use the stored noise) before asking for its Jacobian"
        )


def _cheaper(generator: Callable[..., torch.Tensor], z: torch.Tensor, c: torch.Tensor | None) -> str:
    import torch

    with torch.inference_mode(False), torch.no_grad():
        outputs = _apply(generator, z.clone(), c).numel()
    return "forward" if FORWARD_COST * z.numel() <= REVERSE_COST * outputs + 1 else "reverse"


def _jacobian(
    generator: Callable[..., torch.Tensor], z: torch.Tensor, c: torch.Tensor | None, mode: str, chunk: int
) -> torch.Tensor:
    """Jacobian of one sample, d outputs by d' inputs: (d', d) in forward mode, (d, d') in reverse mode."""
    import torch

    from mmh.compute.attention import forward_mode

    module = generator if isinstance(generator, torch.nn.Module) else None

    def function(flat: torch.Tensor) -> torch.Tensor:
        return _apply(generator, flat.reshape(z.shape), c)

    # inference_mode(False) lets a caller's inference mode stand without losing the derivative here.
    with torch.inference_mode(False), torch.no_grad(), forward_mode(module):
        point = z.flatten().clone()
        products: Callable[..., Any]
        if mode == "forward":

            def products(v: torch.Tensor) -> torch.Tensor:
                return torch.func.jvp(function, (point,), (v,))[1]

            size = point.numel()
        else:
            image, pull, *_ = torch.func.vjp(function, point)

            def products(v: torch.Tensor) -> torch.Tensor:
                return pull(v)[0]

            size = image.numel()
        units = torch.eye(size, dtype=point.dtype, device=point.device).split(chunk)
        return torch.cat([_mapped(products, part) for part in units])


def _mapped(products: Callable[[torch.Tensor], torch.Tensor], vectors: torch.Tensor) -> torch.Tensor:
    import torch

    try:
        return torch.func.vmap(products)(vectors)
    except RuntimeError as error:
        if "randomness" in str(error):  # equal images from two calls, so what it draws has no effect
            return torch.func.vmap(products, randomness="same")(vectors)
        if "vmap" not in str(error) and "batching rule" not in str(error):
            raise
        return torch.stack([products(v) for v in vectors])
