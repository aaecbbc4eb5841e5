"""diffusers, imported without what makes up most of the cost and no job has a use for.

Taking `UNet2DModel` from diffusers costs three times as much processor time as PyTorch: the packages around a
network import every other network, some of those import transformers and SciPy, and one decorator imports
PyTorch's compiler. `diffusers` avoids this by two means that Python documents, and leaves the installed
packages as they are:

- A package runs when a name is asked of it that it lacks so far, not when one of its modules is imported.
  This is what `importlib.util.LazyLoader` does, but modules of the package can be imported before.
- An optional module seems not to be installed (None in `sys.modules`) while the one package that asks for it
  is imported. diffusers then defines a substitute of its own: a decorator that returns its argument (the
  graphs that ``torch.compile`` makes of a UNet stay the same), and a class that only annotations name.

`move` and `device_of` do by PyTorch's means what diffusers' `to` and `device` do after a look for offloading
hooks, whose module imports the compiler.

What another version of diffusers calls otherwise is imported as usual, and so is what was imported before.
Networks for text need transformers: `mmh.light_transformers`.
"""

import sys
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from typing import Any

# Packages that run late: some that gather names, and two of SciPy's that are for other schedulers (reading
# one scheduler imports all of its kind).
_LATE = (
    "diffusers.hooks",
    "diffusers.models.autoencoders",
    "diffusers.models.transformers",
    "diffusers.models.unets",
    "scipy.integrate",
    "scipy.stats",
)
# Package, and what it tries to import and can do without.
_OPTIONAL = (
    ("diffusers.utils", "torch._dynamo"),
    ("diffusers.quantizers", "transformers.utils.quantization_config"),
)


@cache
def diffusers() -> Any:
    """Import diffusers.

    Returns
    -------
    module
        Its classes by their public names, such as ``diffusers().UNet2DModel``.
    """
    import_module("torch")  # so that nothing of PyTorch itself is imported without its compiler
    for package, optional in _OPTIONAL:
        _import_without(package, optional)
    for package in _LATE:
        postpone(package)
    return import_module("diffusers")


def move(network: Any, *place: Any) -> Any:
    """Move a network to a device or type; hooks that load it in groups are unknown to this project."""
    from torch.nn import Module

    return Module.to(network, *place)


def device_of(network: Any) -> Any:
    """Device of a network's first weight; one without weights is asked."""
    return next(network.parameters(), network).device


def _import_without(package: str, optional: str) -> None:
    """Import a package as if another module were not installed; if it fails, leave it to a later import."""
    if optional in sys.modules:
        return
    sys.modules[optional] = None  # type: ignore[assignment]
    try:
        with suppress(ImportError, RuntimeError):  # the latter is how diffusers reports the former
            import_module(package)
    finally:
        del sys.modules[optional]


def postpone(package: str) -> None:
    """Run a package when a name is asked of it that it lacks; its modules can be imported before."""
    with suppress(ImportError):
        if package in sys.modules or (spec := find_spec(package)) is None or (loader := spec.loader) is None:
            return
        module = module_from_spec(spec)

        def run(name: str) -> Any:
            del module.__getattr__
            loader.exec_module(module)
            return getattr(module, name)

        module.__getattr__ = run  # type: ignore[method-assign]
        sys.modules[package] = module
        parent, _, child = package.rpartition(".")
        setattr(sys.modules[parent], child, module)
