"""A Parquet file with columns `image` (encoded bytes), `label` and, if wanted, `split`, `source` and `group`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from predictor.errors import DataError, ManifestError
from predictor.images.digests import file_digest
from predictor.images.listing import Images
from predictor.manifest.engine import connected, quoted_name, quoted_path

WORDS = ("label", "split", "source", "group")
CHUNK = 2_000  # images read at once
FORM = ("Parquet file", "write it again, or name another")


def read(path: Path) -> Images:
    """List the file. Raises DataError where it is no Parquet file, lacks a column or a class name."""
    relation = f"read_parquet({quoted_path(path)}, hive_partitioning = false, file_row_number = true)"
    try:
        with connected([path], str(path), *FORM) as engine:
            columns = {row[0]: row[1] for row in engine.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()}
            columns.pop("file_row_number")
            _check(path, columns)
            there = [name for name in WORDS if name in columns]
            cells = ", ".join(f"coalesce({quoted_name(name)}::VARCHAR, 'None')" for name in there)  # as trained
            rows = engine.execute(f"SELECT {cells} FROM {relation} ORDER BY file_row_number").fetchall()
    except ManifestError as error:
        raise DataError(error.problem, where=error.where, remedy=error.remedy) from None
    words: dict[str, NDArray[np.str_]] = {
        name: np.array([row[i] for row in rows], dtype=str) for i, name in enumerate(there)
    }
    ids = words.get("source")
    return Images(
        path,
        words["label"],
        words.get("split", np.full(len(rows), "train")),
        lambda wanted: _bytes(path, relation, wanted),
        lambda row: f"row {row + 1}" + (f" ({ids[row]})" if ids is not None else ""),
        lambda: file_digest(path),
        ids=ids,
        groups=words.get("group"),
        ids_are_content=True,
    )


def _check(path: Path, columns: dict[str, str]) -> None:
    if missing := {"image", "label"} - columns.keys():
        raise DataError(
            f"missing column {', '.join(map(repr, sorted(missing)))}; found {', '.join(map(repr, columns))}",
            where=str(path),
            remedy="a source has columns image (encoded bytes), label and, if wanted, split, source and group",
        )
    if columns["image"] != "BLOB":
        raise DataError(
            f"column 'image' is {columns['image']}; needed: the encoded bytes of each image (BLOB)", where=str(path)
        )


def _bytes(path: Path, relation: str, wanted: Sequence[int]) -> Iterator[bytes]:
    """The images of some rows, a chunk at a time, in the order asked for."""
    for first in range(0, len(wanted), CHUNK):
        some = [int(row) for row in wanted[first : first + CHUNK]]
        with connected([path], str(path), *FORM) as engine:
            found = dict(
                engine.execute(
                    f"SELECT file_row_number, image FROM {relation} WHERE file_row_number IN "
                    f"({', '.join(map(str, some))})"
                ).fetchall()
            )
        yield from (found[row] or b"" for row in some)
