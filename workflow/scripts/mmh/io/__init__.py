"""Tables, arrays, spans of ids and small files."""

from typing import TYPE_CHECKING

from mmh.lazy import lazy_names

if TYPE_CHECKING:
    from mmh.io.files import read_arrays, read_table, write_arrays, write_json, write_table

__all__ = ["read_arrays", "read_table", "write_arrays", "write_json", "write_table"]
__getattr__ = lazy_names(
    __name__,
    {
        "read_arrays": "files",
        "read_table": "files",
        "write_arrays": "files",
        "write_json": "files",
        "write_table": "files",
    },
)
