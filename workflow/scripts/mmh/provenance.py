"""Which code and which versions made a file: digests and run records."""

import hashlib
import json
import os
import platform
import socket
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent
_PROCESSOR = {"vendor_id", "model name", "flags", "CPU implementer", "CPU part", "Features"}
_REPORTED = (
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "torch",
    "diffusers",
    "faiss-cpu",
    "matplotlib",
    "pillow",
    "safetensors",
)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on.

    Read from the installed metadata, so that nothing heavy is imported.

    Returns
    -------
    dict of str to str
        Name to version; a package that is not installed is absent.
    """
    found = {"python": platform.python_version()}
    for name in _REPORTED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def processor() -> list[str]:
    """What the system says of the processor that rounding may depend on: lines ``name : value``."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    lines = text.split("\n\n", 1)[0].splitlines()
    return sorted(line for line in lines if line.split(":")[0].strip() in _PROCESSOR)


def plugins() -> list[dict[str, str | None]]:
    """File, sha256 and version of every plug-in that this process has imported (`mmh.rows.load_plugins`)."""
    found = [module for name, module in sys.modules.items() if name.startswith("mmh_plugin_")]
    return [
        {
            "file": str(module.__file__),
            "sha256": hashlib.sha256(Path(str(module.__file__)).read_bytes()).hexdigest(),
            "version": getattr(module, "__version__", None),
        }
        for module in found
    ]


def stated(params: Mapping[str, Any]) -> Any:
    """Parameters of a job as JSON values, without the digest of its code and what changes no byte."""
    kept = {key: value for key, value in params.items() if key not in ("code", "untracked")}
    return json.loads(json.dumps(kept, default=str), parse_constant=str)  # JSON has no infinity


def run_record(**fields: Any) -> dict[str, Any]:
    """What is written to the JSON beside an output: host, versions and the given fields.

    Parameters
    ----------
    **fields
        JSON values, put first.

    Returns
    -------
    dict
        Ready for ``mmh.io.files.write_json``.
    """
    return {
        **fields,
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "executable": sys.executable,
        "versions": versions(),
        **({"plugins": used} if (used := plugins()) else {}),
    }
