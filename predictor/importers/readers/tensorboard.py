"""A folder of TensorBoard event files -> a table: a row a run, the last value of each scalar, and its hparams.

TensorBoard itself reads its files (extra [integrations]). A run is a folder that holds event files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from predictor.errors import RegistryError
from predictor.importers.readers.flat import MAX_RUNS, files_below, folder_of
from predictor.importers.table import Cell, ImportedTable

EVENTS = "*tfevents*"
HPARAMS = "_hparams_/session_start_info"


def read(source: str | Path) -> ImportedTable:
    """The table of the runs below a folder: run, hparams.NAME, scalars.NAME.

    Raises RegistryError where there is none, and where TensorBoard is missing.
    """
    root = folder_of(Path(source), "a folder of event files, such as runs/ or lightning_logs/")
    folders = sorted({path.parent for path in files_below(root, EVENTS)})
    if not folders:
        raise RegistryError("no event files (events.out.tfevents.*) in it", where=str(root), remedy="name their folder")
    if len(folders) > MAX_RUNS:
        raise RegistryError(f"more than {MAX_RUNS:,} runs", where=str(root), remedy="import them in parts")
    return ImportedTable.of_records(
        str(root), [(f"run {_name(folder, root)}", _cells(folder, root)) for folder in folders]
    )


def _name(folder: Path, root: Path) -> str:
    return folder.relative_to(root).as_posix() if folder != root else folder.resolve().name


def _cells(folder: Path, root: Path) -> dict[str, Cell]:
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
    except ImportError:
        raise RegistryError("holds event files, which TensorBoard reads", where=str(folder),
                            remedy='install it: pip install "predictor[integrations]"') from None  # fmt: skip
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    tags = events.Tags()
    cells: dict[str, Cell] = {"run": _name(folder, root)}
    if HPARAMS in events.summary_metadata:
        data = HParamsPluginData.FromString(events.SummaryMetadata(HPARAMS).plugin_data.content)
        cells |= {f"hparams.{key}": _value(value) for key, value in data.session_start_info.hparams.items()}
    for tag in tags["scalars"]:
        found = events.Scalars(tag)
        cells[f"scalars.{tag}"] = _shortest(max(found, key=lambda event: event.step).value) if found else None
    for tag in tags["tensors"]:  # scalars as newer writers store them
        found = events.Tensors(tag)
        if found and not found[-1].tensor_proto.tensor_shape.dim and tag != HPARAMS:
            last = max(found, key=lambda event: event.step).tensor_proto
            values = [*map(_shortest, last.float_val), *last.double_val, *last.int_val, *last.int64_val]
            cells[f"scalars.{tag}"] = values[0] if values else None
    return cells


def _shortest(value: float) -> float:
    """A number that was stored in single precision, in the fewest digits that name it: 0.6, not 0.6000000238."""
    return float(str(np.float32(value)))


def _value(value: Any) -> Cell:
    kind = value.WhichOneof("kind")
    found: Cell = getattr(value, kind) if kind else None
    return found
