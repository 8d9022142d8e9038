"""A Parquet file with columns `image` (encoded bytes), `label` and, if wanted, `split`, `source` and `group`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from predictor.errors import DataError, ManifestError
from predictor.images.digests import file_digest
from predictor.images.listing import Images
from predictor.images.readers.rows import rows_of
from predictor.manifest.engine import connected, quoted_path
from predictor.text import visible

CHUNK = 2_000  # images read at once
FORM = ("Parquet file", "write it again, or name another")


def read(path: Path) -> Images:
    """List the file. Raises DataError where it is no Parquet file, lacks a column, or holds no labelled image."""
    relation = f"read_parquet({quoted_path(path)}, hive_partitioning = false, file_row_number = true)"
    try:
        with connected([path], str(path), *FORM) as engine:
            columns = {row[0]: row[1] for row in engine.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()}
            columns.pop("file_row_number")
            _check(path, columns)
            names = "coalesce(source::VARCHAR, 'None')" if "source" in columns else "NULL"  # content of the digest
            cells = engine.execute(f"SELECT {names} FROM {relation} ORDER BY file_row_number").fetchall()
    except ManifestError as error:
        raise DataError(error.problem, where=error.where, remedy=error.remedy) from None
    rows = rows_of(path)
    labels, splits, groups = rows.padded(len(cells))
    ids = np.array([cell[0] for cell in cells], dtype=str) if "source" in columns else None
    return Images(
        path,
        labels,
        splits,
        lambda wanted: _bytes(path, relation, "image.bytes" if _nested(columns["image"]) else "image", wanted),
        lambda row: f"row {row + 1}" + (f" ({visible(ids[row])})" if ids is not None else ""),
        lambda: file_digest(path),
        ids=ids,
        groups=groups,
        ids_are_content=True,
        notes=rows.notes,
    )


def _check(path: Path, columns: dict[str, str]) -> None:
    if missing := {"image", "label"} - columns.keys():
        raise DataError(
            f"missing column {', '.join(map(repr, sorted(missing)))}; found {', '.join(map(repr, columns))}",
            where=str(path),
            remedy="give it columns image (encoded bytes), label and, if wanted, split, source and group",
        )
    if columns["image"] != "BLOB" and not _nested(columns["image"]):
        raise DataError(
            f"column 'image' is {columns['image']}; needed: the encoded bytes of each image (BLOB)",
            where=str(path),
            remedy="write the content of the image files into it, or name the files in a CSV list path,label",
        )


def _nested(kind: str) -> bool:
    """How Hugging Face's datasets write images: a struct of bytes and path."""
    return kind.startswith("STRUCT(") and "bytes BLOB" in kind.replace('"', "")


def _bytes(path: Path, relation: str, cell: str, wanted: Sequence[int]) -> Iterator[bytes]:
    """The images of some rows, a chunk at a time, in the order asked for."""
    for first in range(0, len(wanted), CHUNK):
        some = [int(row) for row in wanted[first : first + CHUNK]]
        with connected([path], str(path), *FORM) as engine:
            found = dict(
                engine.execute(
                    f"SELECT file_row_number, {cell} FROM {relation} WHERE file_row_number IN "
                    f"({', '.join(map(str, some))})"
                ).fetchall()
            )
        yield from (found[row] or b"" for row in some)
