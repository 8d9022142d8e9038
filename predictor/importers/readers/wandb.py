"""Weights & Biases -> a table: config.NAME, summary.NAME and the name of each run.

Exported tables (CSV, JSON) are read as they are. Folders of offline runs (offline-run-*/run-ID.wandb) hold a log of
records: blocks of 32 KiB as in LevelDB (https://github.com/google/leveldb/blob/main/doc/log_format.md), checked by
their CRC, and in them messages of the library's own protocol, which the library decodes (extra [integrations]).
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from predictor.errors import RegistryError
from predictor.importers.readers.files import read_table
from predictor.importers.readers.flat import MAX_RUNS, files_below, flat, folder_of
from predictor.importers.table import Cell, ImportedTable
from predictor.reading import MIB, read_bytes

LOGS = "run-*.wandb"
MAX_LOG = 1024 * MIB
HEADER = struct.Struct("<4sHB")
MARK = (b":W&B", 0xBEE1, 0)
CHUNK = struct.Struct("<IHB")  # CRC, length, type
BLOCK = 32 * 1024
WHOLE, FIRST, MIDDLE, LAST = 1, 2, 3, 4
OWN = "_"  # the library's own settings and summaries: _wandb, _step, _runtime


def read(source: str | Path) -> ImportedTable:
    """The table of an export, or of the offline runs below a folder.

    Raises RegistryError where there is none, where a log is damaged, and where the library is missing.
    """
    path = Path(source)
    if path.is_file() and path.suffix != ".wandb":
        return read_table(path)
    logs = [path] if path.is_file() else files_below(folder_of(path, "an export, or a folder of offline runs"), LOGS)
    if not logs:
        raise RegistryError("no run-*.wandb in it", where=str(path), remedy="name wandb/, or an exported CSV")
    if len(logs) > MAX_RUNS:
        raise RegistryError(f"more than {MAX_RUNS:,} runs", where=str(path), remedy="import them in parts")
    records, left = [], []
    for log in logs:
        cells, finished = _run(log)
        (records if finished else left).append((f"run {cells.get('run_id') or log.stem}", cells))
    if not records:
        raise RegistryError(f"no finished run ({len(left)} others)", where=str(path), remedy="wait until one ends")
    notes = [f"{len(left)} runs left out, not finished: {', '.join(place for place, _ in left)}"] if left else []
    return ImportedTable.of_records(str(path), records, notes)


def _run(log: Path) -> tuple[dict[str, Cell], bool]:
    """The cells of one run, and whether its log ends with a good exit."""
    try:
        from wandb.proto.wandb_internal_pb2 import Record
    except ImportError:
        raise RegistryError("is an offline run, which the library wandb decodes", where=str(log),
                            remedy='install it: pip install "predictor[integrations]"') from None  # fmt: skip
    cells: dict[str, Cell] = {}
    config: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    finished = False
    for content in chunks(read_bytes(log, limit=MAX_LOG), str(log)):
        record = Record.FromString(content)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            cells = {"run_id": record.run.run_id, "run_name": record.run.display_name or None,
                     "project": record.run.project or None}  # fmt: skip
            _update(config, record.run.config.update)
        elif kind == "config":
            _update(config, record.config.update)
        elif kind == "summary":
            _update(summary, record.summary.update)
        elif kind == "history":
            _update(summary, record.history.item)
        elif kind == "exit":
            finished = record.exit.exit_code == 0
    return {**cells, **flat("config", config), **flat("summary", summary)}, finished


def _update(settings: dict[str, Any], items: Any) -> None:
    for item in items:
        *outer, last = list(item.nested_key) or [item.key]
        if (outer or [last])[0].startswith(OWN):
            continue
        place = settings
        for key in outer:
            place = place.setdefault(key, {})
        place[last] = json.loads(item.value_json)


def chunks(log: bytes, where: str) -> Iterator[bytes]:
    """The records of a log, up to one that was being written when the process died.

    Raises RegistryError for a damaged one.
    """
    if len(log) < HEADER.size or HEADER.unpack(log[: HEADER.size]) != MARK:
        raise RegistryError("is no log of an offline run", where=where, remedy="name a folder wandb/")
    at, parts = HEADER.size, []
    while at + CHUNK.size <= len(log):
        left = BLOCK - at % BLOCK
        if left < CHUNK.size:
            at += left
            continue
        crc, length, kind = CHUNK.unpack(log[at : at + CHUNK.size])
        content = log[at + CHUNK.size : at + CHUNK.size + length]
        if len(content) < length:
            return
        if zlib.crc32(content, zlib.crc32(bytes([kind]))) != crc or not WHOLE <= kind <= LAST:
            raise RegistryError(f"byte {at:,}: a damaged record", where=where, remedy="copy the run's folder again")
        at += CHUNK.size + length
        parts = [content] if kind in (WHOLE, FIRST) else [*parts, content]
        if kind in (WHOLE, LAST):
            yield b"".join(parts)
