"""A folder of TensorBoard event files -> a table: a row a run, the last value of each scalar, and its hparams.

TensorBoard itself reads its files (extra [integrations]); it stops without a word where one is damaged, so that the
frames of their records are looked at first. A run is a folder that holds event files.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from predictor.errors import RegistryError, listed
from predictor.importers.readers.flat import MAX_RUNS, files_below, folder_of
from predictor.importers.table import Cell, ImportedTable
from predictor.reading import opened

EVENTS = "*tfevents*"
HPARAMS = "_hparams_/session_start_info"
SCALARS = "scalars."
FRAME = struct.Struct("<QI")  # length of a record, and its checksum; the record; the record's checksum
MARK = struct.Struct("<I")


def read(source: str | Path) -> ImportedTable:
    """The table of the runs below a folder: run, hparams.NAME, scalars.NAME.

    Runs without scalars are left out. Raises RegistryError where there is no other, where a file is damaged, and where
    TensorBoard is missing.
    """
    root = folder_of(Path(source), "a folder of event files, such as runs/ or lightning_logs/")
    files = files_below(root, EVENTS)
    folders = sorted({path.parent for path in files})
    if not folders:
        raise RegistryError("no event files (events.out.tfevents.*) in it", where=str(root), remedy="name their folder")
    if len(folders) > MAX_RUNS:
        raise RegistryError(f"more than {MAX_RUNS:,} runs", where=str(root), remedy="import them in parts")
    checksum = _checksum(root)
    cut = [path.relative_to(root).as_posix() for path in files if _is_cut_off(path, root, checksum)]
    runs = [(_name(folder, root), _cells(folder, root)) for folder in folders]
    empty = [name for name, cells in runs if not any(column.startswith(SCALARS) for column in cells)]
    if len(empty) == len(runs):
        raise RegistryError(f"no scalars in its runs: {listed(empty)}", where=str(root),
                            remedy="name a folder whose event files hold scalars")  # fmt: skip
    notes = [f"{len(cut)} event files end in a record that was cut off: {listed(cut)}"] if cut else []
    notes += [f"{len(empty)} runs left out, without scalars: {listed(empty)}"] if empty else []
    kept = [(f"run {name}", cells) for name, cells in runs if name not in empty]
    return ImportedTable.of_records(str(root), kept, notes)


def _checksum(root: Path) -> Callable[[bytes], int]:
    """The library's checksum of a record."""
    try:
        from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c
    except ImportError:
        raise RegistryError("holds event files, which TensorBoard reads", where=str(root),
                            remedy='install it: pip install "predictor[integrations]"') from None  # fmt: skip
    found: Callable[[bytes], int] = masked_crc32c
    return found


def _is_cut_off(path: Path, root: Path, checksum: Callable[[bytes], int]) -> bool:
    """Whether the last record of a file is not whole: the run died, or still runs.

    Raises RegistryError for a damaged one, after which nothing can be read.
    """
    try:
        with opened(path, root=root) as stream:
            size, at = os.fstat(stream.fileno()).st_size, 0
            while at < size:
                head = stream.read(FRAME.size)
                if len(head) < FRAME.size:
                    return True
                length, mark = FRAME.unpack(head)
                sound = checksum(head[:8]) == mark
                end = at + FRAME.size + length + MARK.size
                if sound and end > size:
                    return True
                if not sound or checksum(stream.read(length)) != MARK.unpack(stream.read(MARK.size))[0]:
                    raise RegistryError(f"byte {at:,}: a damaged record", where=str(path),
                                        remedy="copy the run's folder again, or remove it")  # fmt: skip
                at = end
    except OSError as error:
        raise RegistryError(
            f"cannot be read: {error.strerror}", where=str(path), remedy="make it a file that may be read"
        ) from None
    return False


def _name(folder: Path, root: Path) -> str:
    return folder.relative_to(root).as_posix() if folder != root else folder.resolve().name


def _cells(folder: Path, root: Path) -> dict[str, Cell]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    tags = events.Tags()
    cells: dict[str, Cell] = {"run": _name(folder, root)}
    if HPARAMS in events.summary_metadata:
        data = HParamsPluginData.FromString(events.SummaryMetadata(HPARAMS).plugin_data.content)
        cells |= {f"hparams.{key}": _value(value) for key, value in data.session_start_info.hparams.items()}
    for tag in tags["scalars"]:
        found = events.Scalars(tag)
        cells[f"{SCALARS}{tag}"] = _shortest(max(found, key=lambda event: event.step).value) if found else None
    for tag in tags["tensors"]:  # scalars as newer writers store them
        found = events.Tensors(tag)
        if found and not found[-1].tensor_proto.tensor_shape.dim and tag != HPARAMS:
            value = _of_tensor(max(found, key=lambda event: event.step).tensor_proto)
            if value is not None:
                cells[f"{SCALARS}{tag}"] = value
    return cells


def _of_tensor(proto: Any) -> Cell:
    """The number in a tensor without dimensions, whichever of its fields holds it; None where it is none."""
    from tensorboard.util.tensor_util import make_ndarray

    try:
        found = make_ndarray(proto)
    except (TypeError, ValueError):  # of a type that numpy has not, or without content
        return None
    if found.shape or found.dtype.kind not in "fiub":
        return None
    number: Cell = found.item()
    return _shortest(number) if isinstance(number, float) and found.dtype.itemsize <= 4 else number


def _shortest(value: float) -> float:
    """A number that was stored in single precision, in the fewest digits that name it: 0.6, not 0.6000000238."""
    return float(str(np.float32(value)))


def _value(value: Any) -> Cell:
    kind = value.WhichOneof("kind")
    found: Cell = getattr(value, kind) if kind else None
    return found
