"""Excel workbooks (.xlsx): one sheet as a table, as openpyxl reads it (extra [excel])."""

from __future__ import annotations

import csv
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, time
from pathlib import Path
from tempfile import TemporaryDirectory

from predictor.errors import ManifestError
from predictor.manifest.counted import ManifestRequest
from predictor.manifest.engine import connected
from predictor.manifest.parts import Opened
from predictor.manifest.readers.delimited import text_table
from predictor.manifest.readers.files import ChosenFile, chosen_files
from predictor.manifest.readers.paths import files_of
from predictor.manifest.readers.text import check_growth
from predictor.manifest.table_parts import TablePart, with_columns

MARK = b"PK\x03\x04"


def recognises(path: Path, head: bytes) -> bool:
    """A ZIP archive that holds a workbook."""
    if not head.startswith(MARK):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError):
        return path.suffix.lower() in (".xlsx", ".xlsm")


@contextmanager
def opened(path: Path, request: ManifestRequest) -> Iterator[Opened]:
    """The only sheet of a workbook, or the one that `request.sheet` names; all workbooks of a pattern.

    Numbers count as Excel shows whole ones; formulas by the value that was last computed.

    Raises ManifestError for a damaged workbook, and where one of several sheets has to be named.
    """
    files, notes = chosen_files(path, files_of(path), request)
    with TemporaryDirectory(prefix="predictor-") as folder:
        texts = [Path(folder, f"{number}.csv") for number in range(len(files))]
        rows = [_write(file.path, text, request.sheet) for file, text in zip(files, texts, strict=True)]
        with connected(texts, str(path), "workbook", "save it again") as connection:
            parts = []
            for file, text, numbers in zip(files, texts, rows, strict=True):
                first = 1 if request.header else 0
                table = replace(
                    text_table(ChosenFile(path=text), connection, request),
                    path=file.path,
                    split=file.split,
                    places=lambda wanted, own=numbers[first:]: [f"row {own[row - 1]}" for row in wanted],
                )
                parts.append(TablePart(with_columns(table, **file.columns), request))
            yield Opened(parts, notes)


def _write(path: Path, text: Path, sheet: str | None) -> list[int]:
    """Write a sheet as CSV; the number of each row that is not empty."""
    numbers = []
    with workbook(path) as book, text.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        width = 0
        for number, cells in enumerate(sheet_of(book, path, sheet).iter_rows(values_only=True), 1):
            values = [_text(cell) for cell in cells]
            if not any(values):
                continue
            while not width and values and not values[-1]:  # a sheet may be wider than what is written in it
                values.pop()
            width = width or len(values)
            rows.writerow((values + [""] * width)[: max(width, len("".join(values[width:])) and len(values))])
            numbers.append(number)
    return numbers


def sheet_of(book: object, path: Path, wanted: str | None, said: str = '--sheet "{}"') -> object:
    """The sheet of that name, or the only one. Raises ManifestError where it has to be named, or is not there.

    said : how one is named
    """
    names = [sheet.title for sheet in book.worksheets]
    found = ", ".join(map(repr, names))
    if wanted is None and len(names) == 1:
        return book.worksheets[0]
    if wanted not in names:
        problem = f"has {len(names)} sheets: {found}" if wanted is None else f"no sheet {wanted!r}; found {found}"
        raise ManifestError(problem, where=str(path), remedy=f"name one: {said.format(names[0])}")
    return book[wanted]


@contextmanager
def workbook(path: Path) -> Iterator[object]:
    """A workbook of bounded size, open for reading. Raises ManifestError for a damaged one, and without openpyxl."""
    try:
        import openpyxl
    except ImportError:
        raise ManifestError(
            "is a workbook, which openpyxl reads",
            where=str(path),
            remedy="install it: pip install openpyxl; or save the sheet as CSV",
        ) from None
    book = None
    try:
        with zipfile.ZipFile(path) as archive:
            check_growth(path, sum(member.file_size for member in archive.infolist()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and checks that it does not keep
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            yield book
    except ManifestError:
        raise
    except Exception as error:  # of a damaged archive or damaged XML, from many places
        raise ManifestError(
            f"is no readable workbook: {str(error)[:200] or type(error).__name__}",
            where=str(path),
            remedy="save it again, or as CSV",
        ) from None
    finally:
        if book is not None:
            book.close()


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return cell.isoformat() if isinstance(cell, date | time) else str(cell)
