"""Tables, arrays, spans of ids and small files."""

from typing import TYPE_CHECKING

from mmh.lazy import lazy_names

if TYPE_CHECKING:
    from mmh.io.arrays import read_arrays, write_arrays
    from mmh.io.files import write_json
    from mmh.io.table_files import read_table, write_table

__all__ = ["read_arrays", "read_table", "write_arrays", "write_json", "write_table"]
__getattr__ = lazy_names(
    __name__,
    {
        "read_arrays": "arrays",
        "read_table": "table_files",
        "write_arrays": "arrays",
        "write_json": "files",
        "write_table": "table_files",
    },
)
