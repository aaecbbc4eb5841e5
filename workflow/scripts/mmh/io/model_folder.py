"""Files of a model folder: read a description, look at weights, refuse with a remedy."""

import json
from pathlib import Path
from typing import Any, NoReturn

from mmh.errors import InputError


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object of a model folder.

    Raises
    ------
    InputError
        If the file is missing or holds something else.
    """
    try:
        content = json.loads(file.read_text())
    except FileNotFoundError:
        refuse(file, "is missing")
    except (OSError, ValueError) as error:
        refuse(file, f"cannot be read as JSON ({error})", error)
    if not isinstance(content, dict):
        refuse(file, "should hold a JSON object")
    return content


def check_weights(file: Path) -> None:
    """Read the header of a safetensors file, which states the length that the file must have.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    if not file.is_file():
        refuse(file, "is missing")
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt"):
            pass
    except (SafetensorError, OSError) as error:
        refuse(file, f"is damaged ({error})", error)


def refuse(file: Path, what: str, cause: Exception | None = None) -> NoReturn:
    """Raise the `InputError` that names a file of a model folder, what is wrong with it and what to do."""
    remedy = "delete the model folder and run the rule that makes it, or copy it anew"
    raise InputError(f"{file} {what}; {remedy}") from cause
