"""Reading pickles that strangers wrote: nothing is looked up, let alone run, that the caller did not name."""

import io
import pickle
import pickletools
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from mmh.errors import InputError, in_short

MOST_TUPLES = 50_000
Allowed = Mapping[tuple[str, str], Any]


class _Reader(pickle.Unpickler):
    """An unpickler that knows a table of (module, name) pairs and nothing else."""

    def __init__(self, file: IO[bytes], allowed: Allowed, what: str, encoding: str) -> None:
        super().__init__(file, encoding=encoding)
        self._allowed = allowed
        self._what = what

    def find_class(self, module: str, name: str) -> Any:
        """Give the stand-in of an exact (module, name) pair; dotted names would reach into a module."""
        try:
            return self._allowed[module, name]
        except KeyError:
            raise InputError(
                f"{self._what}: asks for {module}.{name}, which no file of this kind needs; refused, "
                "nothing of it was run"
            ) from None

    def persistent_load(self, pid: Any) -> NoReturn:
        """Refuse references to objects outside of the stream."""
        raise InputError(f"{self._what}: refers to an object outside of itself; refused")


def _scan(data: bytes, what: str) -> None:
    """Refuse what the unpickler would act on before it asks for a name.

    A memo slot far out would reserve gigabytes, an extension code may stand for an object that another reader
    of this process has looked up already, and the hash of tuples nested a hundred thousand deep ends
    the process. Files of this kind have a few thousand tuples.
    """
    tuples = 0
    for count, (opcode, argument, _) in enumerate(pickletools.genops(data), start=1):
        if opcode.name.startswith("EXT"):
            raise InputError(f"{what}: uses the extension code {argument}; refused, nothing of it was run")
        tuples += opcode.name.startswith("TUPLE")
        if tuples > MOST_TUPLES or opcode.name == "DUP":
            raise InputError(f"{what}: builds tuples as no file of this kind does; refused")
        if "PUT" in opcode.name and argument is not None and int(argument) > count:
            raise InputError(f"{what}: refers to memo slot {argument} in a stream of {count} steps; refused")


def load(file: IO[bytes], allowed: Allowed, *, what: str, encoding: str = "ASCII") -> Any:
    """Read one pickle.

    Parameters
    ----------
    file : binary file
        Read to its end; what follows the first pickle is ignored.
    allowed : mapping of (module, name) to object
        Everything the stream may ask for, each with what it gets: the thing itself or an inert stand-in.
        Stand-ins must refuse attributes and calls that they were not made for, since a stream can try both.
    what : str
        Names the file in errors.
    encoding : str
        Of Python 2 strings: "ASCII", "latin1" or "bytes".

    Returns
    -------
    object

    Raises
    ------
    InputError
        If the stream asks for anything else, or is no whole pickle.
    """
    try:
        data = file.read()
        _scan(data, what)
        return _Reader(io.BytesIO(data), allowed, what, encoding).load()
    except InputError:
        raise
    except Exception as error:  # a damaged stream can raise anything, also from the stand-ins
        reason = in_short(error)
        raise InputError(f"{what}: is no whole pickle of the expected kind ({reason})") from error
