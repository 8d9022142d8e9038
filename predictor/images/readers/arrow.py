"""Images in the rows of Arrow and Parquet files: Hugging Face data sets, and folders of Parquet files.

Arrow files are mapped, so an image is read where it lies; of Parquet files a few row groups are held.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np

from predictor.errors import DataError, ManifestError
from predictor.images.listing import Images
from predictor.images.readers.packed import of_files
from predictor.images.readers.rows import rows_of
from predictor.manifest.readers.arrow import check_pyarrow
from predictor.manifest.readers.features import KEY
from predictor.reading import check_regular

COLUMNS = ("image", "img")  # of the images, where the file does not say which it is
GROUPS = 4  # row groups of one Parquet file that are held


class _Cells(Protocol):
    """The images of one file. Raises OSError or ValueError for a file that cannot be read."""

    def cell(self, row: int) -> Any: ...


def read(path: Path, label: str | None = None) -> Images:
    """List the data set. Raises DataError where it cannot be read or its rows hold no encoded images."""
    rows = rows_of(path, label)
    try:
        check_pyarrow(path)
    except ManifestError as error:
        raise DataError(error.problem, where=error.where, remedy=error.remedy) from None
    files: dict[Path, _Cells] = {}
    for file in dict.fromkeys(sample.file for sample in rows.samples):
        try:
            files[file] = _opened(file)
        except (OSError, ValueError) as error:  # pyarrow's are both
            raise DataError(f"is not readable: {_first(error)}", where=str(file)) from None
    spots = [(sample.file, sample.row) for sample in rows.samples]

    def bytes_at(row: int) -> bytes:
        file, number = spots[row]
        try:
            cell = files[file].cell(number)
        except (OSError, ValueError) as error:
            raise DataError(f"is not readable: {_first(error)}", where=str(file)) from None
        return (cell.get("bytes") if isinstance(cell, dict) else cell) or b""

    first = files[spots[0][0]].cell(spots[0][1])
    if isinstance(first, dict) and first.get("bytes") is None and first.get("path"):
        raise DataError(
            f"holds the paths of its images, not their bytes; first {first['path']!r}",
            where=str(path),
            remedy="write the bytes into it with save_to_disk or push_to_hub, or list the paths in a CSV path,label",
        )
    names = [f"{file.name}: row {number + 1}" for file, number in spots]
    return of_files(path, rows, names, bytes_at, named=False)


def _opened(file: Path) -> _Cells:
    import pyarrow as pa
    import pyarrow.parquet as pq

    check_regular(file)
    with open(file, "rb") as stream:
        mark = stream.read(6)
    if mark.startswith(b"PAR1"):
        parquet = pq.ParquetFile(file)
        return _OfParquet(parquet, _column(parquet.schema_arrow, file))
    source = pa.memory_map(str(file))
    table = (pa.ipc.open_file if mark == b"ARROW1" else pa.ipc.open_stream)(source).read_all()
    return _OfArrow(table.column(_column(table.schema, file)))


class _OfArrow:
    """Of a column that is mapped: in chunks, whose rows are found by their number."""

    def __init__(self, column: Any):
        self.chunks = column.chunks
        self.starts = np.cumsum([0, *(len(chunk) for chunk in self.chunks)])

    def cell(self, row: int) -> Any:
        number = int(np.searchsorted(self.starts, row, side="right")) - 1
        return self.chunks[number][int(row - self.starts[number])].as_py()


class _OfParquet:
    """Of a file whose row groups are unpacked when they are asked for; the last few of them are held."""

    def __init__(self, file: Any, column: str):
        self.file, self.column = file, column
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        self.starts = np.cumsum([0, *sizes])
        self.held: OrderedDict[int, Any] = OrderedDict()
        self.lock = Lock()  # decoding threads share the file

    def cell(self, row: int) -> Any:
        number = int(np.searchsorted(self.starts, row, side="right")) - 1
        with self.lock:
            if number not in self.held:
                self.held[number] = _OfArrow(self.file.read_row_group(number, columns=[self.column]).column(0))
                while len(self.held) > GROUPS:
                    self.held.popitem(last=False)
            self.held.move_to_end(number)
            group = self.held[number]
        return group.cell(int(row - self.starts[number]))


def _column(schema: Any, file: Path) -> str:
    """The column that the features call an image, else the one named so, else the only one of encoded bytes."""
    import pyarrow as pa

    def encoded(kind: Any) -> bool:
        if pa.types.is_struct(kind):
            return kind.get_field_index("bytes") >= 0 and encoded(kind.field("bytes").type)
        return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)

    there = [field.name for field in schema if encoded(field.type)]
    features = json.loads((schema.metadata or {}).get(KEY, b"{}")).get("info", {}).get("features") or {}
    said = [name for name in there if (features.get(name) or {}).get("_type") == "Image"]
    for found in (said, [name for name in COLUMNS if name in there], there):
        if len(found) == 1 or (found and found[0] in COLUMNS):
            return found[0]
    raise DataError(
        f"{f'columns {there} all hold bytes' if there else 'no column holds encoded images'}; "
        f"found {', '.join(repr(field.name) for field in schema)}",
        where=str(file),
        remedy="call the column of the images 'image'",
    )


def _first(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
