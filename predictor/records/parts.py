"""Packed parts of a study, runs-NNN.parquet: which there are, what may be read of them, and their texts."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from predictor.errors import RegistryError
from predictor.files import literal
from predictor.reading import MIB, check_regular

if TYPE_CHECKING:
    import duckdb

PART = "runs-[0-9]*.parquet"
MAX_RECORD = 64 * MIB  # bytes of one record; one of 21,000 classes and five shifts has 3 MiB
MAX_ROWS = 1_000_000  # records of one part
FREE = 1024 * MIB  # bytes of text that any part may hold
RATIO = 1_000  # beyond them, the most that it may hold for each of its own; the shipped ones hold 10 to 40
RESTORE = "restore it from version control"


def names_in(folder: Path) -> list[str]:
    """Names in a folder of a registry that are not hidden, in no order; none where there is no such folder.

    Raises RegistryError where it cannot be listed: a pattern would find nothing there, as if there were no records.
    """
    try:
        return [name for name in os.listdir(folder) if not name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        remedy = "make it readable, or move it out of the registry"
        raise RegistryError(f"cannot be listed ({error.strerror})", where=str(folder), remedy=remedy) from None


def part_files(study_dir: Path) -> list[Path]:
    """Packed parts, in the order they were added. Raises RegistryError where the folder cannot be listed."""
    found = (name for name in names_in(study_dir) if fnmatch(name, PART))
    return [study_dir / name for name in sorted(found, key=lambda name: (len(name), name))]


def part_column(part: Path, name: str, more: Sequence[object] = ()) -> list[str]:
    """One text column of a part, or what SQL makes of its columns.

    more : parameters of the SQL, from $2 on
    Raises RegistryError where the part is damaged, or no part that may be read.
    """
    import duckdb

    try:
        with duckdb.connect() as connection, collector_paused():
            source = checked_part(part, connection)
            rows = connection.execute(f"SELECT {name} FROM read_parquet($1)", [source, *more]).fetchall()
    except duckdb.Error as error:
        raise damaged(part, error) from None
    texts = [row[0] for row in rows]
    if not all(isinstance(text, str) for text in texts):
        raise RegistryError(f"column {name!r} has rows that are not text", where=str(part), remedy=RESTORE)
    return texts


def checked_part(part: Path, connection: duckdb.DuckDBPyConnection) -> str:
    """The name of a part in SQL, after a look at what it would unpack to: few bytes can stand for any number of rows.

    Raises RegistryError for what is no regular file, leads out of its study, or is too large; duckdb.Error where it
    is damaged.
    """
    try:
        size = check_regular(part, part.parent).stat().st_size
    except OSError as error:
        raise unreadable(part, error) from None
    source = literal(part)
    ((n_rows, unpacked),) = connection.execute(
        "SELECT (SELECT sum(num_rows) FROM parquet_file_metadata($1)), "
        "(SELECT sum(total_uncompressed_size) FROM parquet_metadata($1))",
        [source],
    ).fetchall()
    n_rows, unpacked, most = n_rows or 0, unpacked or 0, max(FREE, RATIO * size)
    problem = None
    if n_rows > MAX_ROWS:
        problem = f"holds {n_rows:,} records; at most {MAX_ROWS:,} are read"
    elif n_rows * unpacked > FREE:  # equal texts may be stored once
        ((length, longest),) = connection.execute(
            "SELECT sum(strlen(record)), max(strlen(record)) FROM read_parquet($1)", [source]
        ).fetchall()
        if (length or 0) > most:
            problem = f"unpacks to {length:,} bytes of records, more than {most:,}"
        elif (longest or 0) > MAX_RECORD:
            problem = f"holds a record of {longest:,} bytes; at most {MAX_RECORD:,} are read"
    if problem:
        raise RegistryError(problem, where=str(part), remedy="restore it, or split it into parts if you trust it")
    return source


def damaged(part: Path, error: Exception) -> RegistryError:
    """What the engine says of a part, in one line."""
    return RegistryError(f"not a readable part ({str(error).splitlines()[0]})", where=str(part), remedy=RESTORE)


def unreadable(path: Path, error: OSError) -> RegistryError:
    """A file that the system, or the one opener, refuses."""
    return RegistryError(
        f"cannot be read ({error.strerror or error})",
        where=str(path),
        remedy="make it a regular file that may be read, or remove it",
    )


@contextmanager
def collector_paused() -> Iterator[None]:
    """Records hold no cycles; scanning them again and again would take most of the time of reading many."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
