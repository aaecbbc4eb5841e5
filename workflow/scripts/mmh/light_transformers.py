"""transformers, imported without PyTorch's compiler and its tensors over many machines.

Taking `CLIPTextModel` from transformers costs twice as much processor time as PyTorch: a model imports all
kinds of attention, quantization and loading; some of these are decorated for ``torch.compile``, some handle
tensors that lie on several machines, one loss needs SciPy's optimisers. `transformers` avoids it as
`mmh.light_diffusers` does, and leaves the installed packages as they are:

- While the models are imported the compiler's package runs only if something is asked of it but three
  decorators, which return what they decorate. That changes what ``torch.compile`` makes of kernels for other
  hardware alone.
- The two questions whether PyTorch is built for many machines, and whether SciPy is there, are answered with
  no while the models are imported; transformers has a way without either.

Reading a network is done in `uncompiled`, too: weights that have no memory yet ask for a decorator.

What was imported before stays, and a version that asks for more of the compiler gets it.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from importlib import import_module
from typing import Any
from unittest.mock import patch

from mmh.light_diffusers import diffusers, postpone

_COMPILER = "torch._dynamo"
_DECORATORS = ("disable", "allow_in_graph", "assume_constant_result")
# Module, and a question that it answers.
_QUESTIONS = (("torch.distributed", "is_available"), ("transformers.utils", "is_scipy_available"))


@cache
def transformers() -> Any:
    """Import transformers, and the networks of a text-to-image model with it.

    Returns
    -------
    module
        Its classes by their public names, such as ``transformers().CLIPTextModel``.
    """
    import_module("torch")
    # A version that is built otherwise is imported as usual, below.
    with suppress(ImportError, AttributeError, RuntimeError), uncompiled(), _answered_with_no():
        postpone("transformers.models")  # it reads the files of all models for their names
        library = import_module("transformers")
        _ = library.CLIPTextModel, library.CLIPModel, library.CLIPTokenizer
        # Diffusers' networks have the compiler's decorators, too.
        _ = diffusers().AutoencoderKL, diffusers().UNet2DConditionModel
    return import_module("transformers")


@contextmanager
def uncompiled() -> Iterator[None]:
    """Let the compiler's decorators do nothing meanwhile, and its package run when more is asked of it."""
    if _COMPILER in sys.modules:
        yield
        return
    postpone(_COMPILER)
    module = sys.modules[_COMPILER]
    for name in _DECORATORS:
        setattr(module, name, _unchanged)
    try:
        yield
    finally:
        if "__getattr__" in vars(module):  # it has not run, so that whoever wants it imports it in its order
            parent, _, child = _COMPILER.rpartition(".")
            del sys.modules[_COMPILER]
            delattr(sys.modules[parent], child)


@contextmanager
def _answered_with_no() -> Iterator[None]:
    """Answer each of `_QUESTIONS` with no."""
    with ExitStack() as stack:
        for name, question in _QUESTIONS:
            stack.enter_context(patch.object(import_module(name), question, return_value=False))
        yield


def _unchanged(function: Callable[..., Any] | None = None, *_: Any, **__: Any) -> Any:
    """Decorate, with or without arguments, by returning the function."""
    return _unchanged if function is None else function
