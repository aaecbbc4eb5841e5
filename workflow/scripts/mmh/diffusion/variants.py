"""Other forms of a score model: in another dtype, or compiled; made once per network."""

from __future__ import annotations

import copy

import torch

from mmh.diffusion.score_model import ScoreModel


def variant(model: ScoreModel, *, dtype: torch.dtype | None = None, compiled: bool = False) -> ScoreModel:
    """Give the same model in `dtype`, or with its function compiled; the original stays as it is.

    Parameters
    ----------
    model : ScoreModel
        Bound conditioning is taken along.
    dtype : torch.dtype, optional
        Type of the weights (copied), the input and the conditioning; None for the model's own.
    compiled : bool
        Pass the function to ``torch.compile``.

    Returns
    -------
    ScoreModel
        The next call for the same network and form reuses the copy and the compiled code.
    """
    dtype = model.dtype if dtype is None else dtype
    key = (dtype, compiled)
    if key not in model.variants:
        function, module = model.function, model.module
        if module is not None and dtype != model.dtype:
            converted = copy.deepcopy(module).to(dtype)
            # Behind a wrapper the function is not the module: it keeps its own weights.
            function, module = (converted, converted) if function is module else (function, module)
        model.variants[key] = (torch.compile(function) if compiled else function, module)
    function, module = model.variants[key]
    other = ScoreModel(
        model.build(function),
        model.shape,
        model.schedule,
        dtype=dtype,
        device=model.device,
        module=module,
        terms=[(w, c.to(dtype) if c is not None and c.is_floating_point() else c) for w, c in model.terms],
        build=model.build,
        function=function,
    )
    return other
