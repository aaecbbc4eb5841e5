"""Tables in parquet and CSV, checked against their contracts.

A missing, truncated or malformed file becomes one ``InputError`` that names it.
"""

import os
from typing import Any

import numpy as np

from mmh.errors import InputError
from mmh.io.files import atomic, unreadable
from mmh.io.tables import Contract


def write_table(table: Any, path: str | os.PathLike[str], contract: Contract) -> None:
    """Write a table to Parquet after checking its columns and values.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns of the contract; others are refused.
    path : path
    contract : Contract
        One of `mmh.io.tables`, or a module's own.

    Raises
    ------
    InputError
        If columns differ from the contract, or a value that must be there is missing, NaN or infinite.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = contract.columns
    if list(table.columns) != list(columns):
        raise InputError(
            f"{path}: a {contract.name} table has columns {list(columns)}, got {list(table.columns)}"
        )
    arrays = []
    for name, spec in columns.items():
        array = pa.array(table[name], type=getattr(pa, spec.rstrip("?"))(), from_pandas=True)
        if spec.startswith("float"):
            finite = np.isfinite(array.drop_null().to_numpy())
            if not finite.all():
                raise InputError(f"{path}: column {name!r} has {(~finite).sum()} infinite values")
        if not spec.endswith("?") and array.null_count:
            row = int(np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))[0])
            first = next(iter(columns))
            raise InputError(
                f"{path}: column {name!r} is missing or NaN in {array.null_count} rows, first at "
                f"{first} {table[first].iloc[row]}"
            )
        arrays.append(array)
    with atomic(path) as partial:
        # No pandas metadata: the bytes depend on the values alone.
        pq.write_table(pa.table(arrays, names=list(columns)), partial, compression="zstd")


def write_csv(table: Any, path: str | os.PathLike[str], digits: int | None = None) -> None:
    """Write a table to CSV.

    Parameters
    ----------
    table : pandas.DataFrame
    path : path
    digits : int, optional
        Significant digits of floats, for tables that people read; all digits by default.
    """
    float_format = None if digits is None else f"%.{digits}g"
    with atomic(path) as partial:
        table.to_csv(partial, index=False, lineterminator="\n", encoding="utf-8", float_format=float_format)


def read_table(path: str | os.PathLike[str], contract: Contract) -> Any:
    """Read a table written by ``write_table``.

    Parameters
    ----------
    path : path
    contract : Contract
        As it was written.

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    InputError
        If the file is missing, truncated, or holds other columns.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path).read()
    except (OSError, pa.ArrowException) as error:
        raise unreadable(path, "a Parquet table", error) from error
    if table.column_names != list(contract.columns):
        raise InputError(
            f"{path}: expected a {contract.name} table with columns {list(contract.columns)}, "
            f"found {table.column_names}"
        )
    return table.to_pandas()
