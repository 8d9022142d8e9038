"""A registry on a bucket, on another machine's folder, or in many folders: fetched by DuckDB, then a folder like any.

    s3://bucket/runs, gs://..., https://... (DuckDB's extension httpfs), file:///shared/runs, 'machines/*/runs'

Only records, grids and probes are fetched. Keys of a bucket come from the environment (AWS_ACCESS_KEY_ID, ...).
"""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from predictor.errors import RegistryError
from predictor.grids.probes import FILE
from predictor.reading import check_regular
from predictor.records.merge import merge
from predictor.records.parts import FREE, MAX_RECORD, MAX_ROWS, PART, RATIO, names_in, unreadable
from predictor.records.store import GRID, inside

if TYPE_CHECKING:
    import duckdb

REMOTE = {"s3": "s3", "r2": "r2", "gs": "gcs", "gcs": "gcs", "http": None, "https": None}  # scheme -> kind of secret
RECORD = "[0-9a-f]*.json"
LOAD = "install it, once, where there is a network: python -c \"import duckdb; duckdb.sql('INSTALL httpfs')\""
KEYS = {"KEY_ID": "AWS_ACCESS_KEY_ID", "SECRET": "AWS_SECRET_ACCESS_KEY", "SESSION_TOKEN": "AWS_SESSION_TOKEN",
        "REGION": "AWS_DEFAULT_REGION", "ENDPOINT": "AWS_ENDPOINT"}  # fmt: skip


def is_elsewhere(place: str) -> bool:
    """Whether a registry has to be fetched: a URL, or a pattern that is no folder's own name.

    >>> is_elsewhere("s3://bucket/runs"), is_elsewhere("machines/*/runs"), is_elsewhere("runs/")
    (True, True, False)
    """
    return "://" in place or (any(mark in place for mark in "*?[") and not os.path.exists(place))


def local(place: str, what: str = "run records are") -> Path:
    """The folder that something is written into.

    Raises RegistryError for a URL or a pattern, which would become the name of a folder.
    """
    if is_elsewhere(place):
        kind = "a URL" if "://" in place else "a pattern that fits no folder of this name"
        raise RegistryError(f"is {kind}; {what} written into a local folder", where=place, remedy="name one")
    return Path(place)


def fetched(place: str, into: Path) -> Path:
    """A folder below `into` with the registry.

    Raises RegistryError where there is none, where it cannot be read, and where several folders contradict each other.
    """
    if "://" not in place:
        return _joined(place, into)
    parts = urlsplit(place)
    if parts.scheme != "file" and parts.scheme not in REMOTE:
        known = ", ".join(f"{scheme}://" for scheme in ("file", *REMOTE))
        raise RegistryError(f"unknown kind of place {parts.scheme!r}", where=place, remedy=f"choose of {known}")
    if parts.scheme == "file" and not Path(unquote(parts.path)).is_dir():
        raise RegistryError("no such folder", where=place, remedy="name a folder of run records")
    if parts.scheme == "file":
        place = f"file://{unquote(parts.path)}"  # the engine takes names as they are
        _check_files(Path(unquote(parts.path)))  # and opens whatever has such a name
    import duckdb

    try:
        with duckdb.connect() as connection:
            if parts.scheme in REMOTE:
                _open_network(connection, parts.scheme, place)
            return _copied(connection, place.rstrip("/"), into / "fetched")
    except duckdb.Error as error:
        raise RegistryError(f"cannot be read: {str(error).splitlines()[0]}", where=place,
                            remedy="check the address and its keys (AWS_ACCESS_KEY_ID, ...)") from None  # fmt: skip


def _check_files(root: Path) -> None:
    """Raise RegistryError for a file of a registry that is none, or leads out of its study."""
    for study in (root, *(root / name for name in names_in(root))):
        for name in names_in(inside(study, root)):
            if any(fnmatch(name, kind) for kind in (PART, RECORD, GRID, FILE)):
                try:
                    check_regular(study / name, study)
                except OSError as error:
                    raise unreadable(study / name, error) from None


def _joined(pattern: str, into: Path) -> Path:
    folders = [path for path in sorted(glob.glob(pattern)) if os.path.isdir(path)]
    if not folders:
        raise RegistryError("no folder fits the pattern", where=pattern, remedy="name folders of run records")
    if len(folders) == 1:
        return Path(folders[0])
    merge(folders, into / "joined")
    return into / "joined"


def _open_network(connection: duckdb.DuckDBPyConnection, scheme: str, place: str) -> None:
    import duckdb

    try:
        connection.execute("LOAD httpfs")
    except duckdb.Error:
        raise RegistryError("DuckDB's extension httpfs is not installed", where=place, remedy=LOAD) from None
    kind = REMOTE[scheme]
    settings = {key: os.environ[name] for key, name in KEYS.items() if name in os.environ}
    if kind and settings:
        said = ", ".join(f"{key} {_quoted(value)}" for key, value in settings.items())
        connection.execute(f"CREATE SECRET (TYPE {kind}, {said})")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _copied(connection: duckdb.DuckDBPyConnection, place: str, made: Path) -> Path:
    """The studies of a place, whether it is a registry or one study's folder."""
    n = 0
    for depth in ("*/", ""):
        for (source,) in connection.execute(
            "SELECT file FROM glob($1) ORDER BY file", [f"{place}/{depth}{PART}"]
        ).fetchall():
            n += 1
            _part(connection, source, _target(made, source))
        for name in (RECORD, GRID, FILE):
            found = _texts(connection, f"{place}/{depth}{name}")
            n += len(found) if name == RECORD else 0
            for source, text in found.items():
                target = made / FILE if name == FILE else _target(made, source)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8")
        if n:
            return made
    raise RegistryError("no run records there", where=place, remedy="name a folder of run records, such as runs/")


def _target(made: Path, source: str) -> Path:
    path = PurePosixPath(source)
    target = made / path.parent.name / path.name
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _part(connection: duckdb.DuckDBPyConnection, source: str, target: Path) -> None:
    ((n, unpacked, packed),) = connection.execute(
        "SELECT (SELECT sum(num_rows) FROM parquet_file_metadata($1)), sum(total_uncompressed_size), "
        "sum(total_compressed_size) FROM parquet_metadata($1)",
        [source],
    ).fetchall()
    if (n or 0) > MAX_ROWS or (unpacked or 0) > max(FREE, RATIO * (packed or 0)):
        raise RegistryError(f"holds {n:,} records of {unpacked:,} bytes; that is more than is read", where=source)
    copy = f"COPY (SELECT * FROM read_parquet({_quoted(source)})) TO {_quoted(str(target))} (FORMAT parquet)"
    connection.execute(copy)


def _texts(connection: duckdb.DuckDBPyConnection, pattern: str) -> Mapping[str, str]:
    import duckdb

    try:
        sizes = connection.execute("SELECT filename, size FROM read_text($1)", [pattern]).fetchall()
        for source, size in sizes:
            if size > MAX_RECORD:
                raise RegistryError(f"has {size:,} bytes; at most {MAX_RECORD:,} are read", where=source)
        return dict(connection.execute("SELECT filename, content FROM read_text($1)", [pattern]).fetchall())
    except duckdb.IOException as error:
        if "No files found" in str(error):
            return {}
        raise
