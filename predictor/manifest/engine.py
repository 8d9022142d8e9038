"""DuckDB as the engine that counts: it may open the manifest's own files and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from predictor.errors import ManifestError
from predictor.reading import check_regular

if TYPE_CHECKING:
    import duckdb

MEMORY = "1GB"  # beyond it the engine writes to a temporary folder
DISK = "64GB"  # of that folder
THREADS = 8  # each has buffers of its own
_shared: ContextVar[tuple[duckdb.DuckDBPyConnection, frozenset[Path]] | None] = ContextVar("shared", default=None)
TABLES = "check that every row has as many cells as the header, and that the text is UTF-8"


@contextmanager
def connected(
    files: Sequence[Path], where: str, form: str = "table", remedy: str = TABLES
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that can read `files` alone, whatever SQL it is given; its settings are locked.

    where, form, remedy : what is read, what it should be, and what to check where it is not, for messages

    Errors of the engine leave the block as one ManifestError.
    """
    import duckdb

    try:
        with _shared_or_own(files) as connection:
            yield connection
    except duckdb.OutOfMemoryException:
        raise ManifestError(
            f"needs more than {MEMORY} of memory and {DISK} of disk to be counted",
            where=where,
            remedy="check that the column named with --label holds classes",
        ) from None
    except duckdb.PermissionException as error:
        raise ManifestError(
            f"opens something: {message(error)}",
            where="--where",
            remedy="use only the manifest's own columns",
        ) from None
    except duckdb.Error as error:
        if "maximum_object_size" in str(error):
            problem = "holds a record of more than 16 MB"
            raise ManifestError(problem, where=where, remedy="leave the content of images out of it") from None
        raise ManifestError(f"is not a readable {form}: {message(error)}", where=where, remedy=remedy) from None


@contextmanager
def one_engine(files: Sequence[Path]) -> Iterator[None]:
    """Inside, one engine reads all of these files: starting one takes longer than counting a short list.

    Not for SQL of a user's: it could open the other files.
    """
    with _engine(files) as engine:
        token = _shared.set((engine, frozenset(files)))
        try:
            yield
        finally:
            _shared.reset(token)


@contextmanager
def _shared_or_own(files: Sequence[Path]) -> Iterator[duckdb.DuckDBPyConnection]:
    shared = _shared.get()
    if shared is None or not shared[1].issuperset(files):
        with _engine(files) as engine:
            yield engine
        return
    with shared[0].cursor() as connection:
        yield connection


@contextmanager
def _engine(files: Sequence[Path]) -> Iterator[duckdb.DuckDBPyConnection]:
    import duckdb

    for file in files:
        _check_file(file)
    allowed = {quoted(file) for file in files} | {quoted_path(file) for file in files}
    with TemporaryDirectory(prefix="predictor-") as spill:
        settings = {
            "memory_limit": MEMORY,
            "threads": min(THREADS, os.cpu_count() or 1),
            "temp_directory": spill,
            "max_temp_directory_size": DISK,
            "python_enable_replacements": False,  # a name in --where is a column, never a Python variable
            "autoload_known_extensions": False,
            "autoinstall_known_extensions": False,
        }
        with duckdb.connect(config=settings) as connection:
            connection.execute("SET allowed_paths = [" + ", ".join(sorted(allowed)) + "]")
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            yield connection


def _check_file(file: Path) -> None:
    """Raise ManifestError for a name that the engine cannot be told, and for what is no regular file."""
    try:
        str(file).encode()
    except UnicodeEncodeError:
        raise ManifestError("has a name that is no Unicode", where=str(file), remedy="rename it, or read '-'") from None
    try:
        check_regular(file)
    except FileNotFoundError:  # the engine says so, in the words of what it was asked for
        return
    except OSError as error:
        raise ManifestError(error.strerror or str(error), where=str(file), remedy="name a regular file") from None


def quoted(value: object) -> str:
    """A text in SQL.

    >>> quoted("it's")
    "'it''s'"
    """
    return "'" + str(value).replace("'", "''") + "'"


def quoted_path(path: Path) -> str:
    """A file in SQL. The engine takes *, ? and [ for a pattern; in brackets they are themselves.

    >>> quoted_path(Path("a[1].csv"))
    "'a[[]1].csv'"
    """
    return quoted("".join(f"[{c}]" if c in "*?[" else c for c in str(path)))


def quoted_name(name: str) -> str:
    """A column name in SQL.

    >>> quoted_name('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def message(error: Exception) -> str:
    """What the engine says, without the SQL it was given."""
    lines = [line.strip() for line in str(error).split("\nLINE ")[0].splitlines() if line.strip()]
    return " ".join(lines[:2])[:300].rstrip(".")
