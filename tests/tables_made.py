"""The same rows in every form of a table, as the tools that people use write them."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

Columns = Mapping[str, Sequence[object]]


def _csv(separator: str, pack: Callable[[bytes], bytes] = bytes) -> Callable[[Columns, Path], Path]:
    def write(columns: Columns, path: Path) -> Path:
        text = frame(columns).to_csv(index=False, sep=separator)
        path.write_bytes(pack(text.encode()))
        return path

    return write


def frame(columns: Columns) -> pd.DataFrame:
    """Columns as pandas takes them, text as plain objects."""
    return pd.DataFrame({name: pd.Series(list(cells)) for name, cells in columns.items()})


def _json(lines: bool) -> Callable[[Columns, Path], Path]:
    def write(columns: Columns, path: Path) -> Path:
        path.write_text(frame(columns).to_json(orient="records", lines=lines, force_ascii=False))
        return path

    return write


def _parquet(columns: Columns, path: Path) -> Path:
    frame(columns).to_parquet(path, index=False)
    return path


def _workbook(columns: Columns, path: Path) -> Path:
    stream = io.BytesIO()
    frame(columns).to_excel(stream, index=False)
    path.write_bytes(stream.getvalue())
    return path


FORMS: dict[str, Callable[[Columns, Path], Path]] = {
    "csv": _csv(","),
    "tsv": _csv("\t"),
    "semicolons": _csv(";"),
    "csv.gz": _csv(",", gzip.compress),
    "json lines": _json(True),
    "json array": _json(False),
    "parquet": _parquet,
    "xlsx": _workbook,
}


def made(form: str, folder: Path, columns: Columns, name: str = "m") -> Path:
    """The path of a table of this form."""
    folder.mkdir(parents=True, exist_ok=True)
    ending = {"parquet": ".parquet", "xlsx": ".xlsx"}.get(form, "")
    return FORMS[form](columns, folder / f"{name}{ending}")
