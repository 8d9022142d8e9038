"""Several registries -> one: every run once, and nothing lost without a word."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from predictor.errors import RegistryError, listed
from predictor.files import unwritable
from predictor.grids.probes import FILE
from predictor.images.results import Probe, probes_text
from predictor.reading import MIB, read_bytes
from predictor.records.indicator_inputs import probes_of
from predictor.records.pack import write_part
from predictor.records.schema import RunRecord
from predictor.records.store import GRID, Stored, result, stored_records, study_folders

CHUNK = 50_000  # records of a part
LARGEST = 256 * MIB  # of a grid or the probes


@dataclass(frozen=True)
class Merged:
    """One study of the merged registry: its runs, and how many of them stood in several registries."""

    study: str
    n_runs: int
    n_shared: int


def merge(registries: Sequence[str | Path], output: str | Path) -> list[Merged]:
    """Write every run of the registries into a new one, packed. Failed tries (attempts/) and fits stay where they are.

    Raises RegistryError for fewer than two registries, where `output` is there already, for damaged records, and where
    two registries say different things of one run, grid or probe, each named; then nothing is written.
    """
    output = Path(output)
    if len(registries) < 2:
        raise RegistryError("one registry; merging takes two or more", where=str(output), remedy="name another one")
    if output.exists():
        raise RegistryError("is there already", where=str(output), remedy="name a new folder: --output")
    studies: dict[str, list[Path]] = {}
    for path in registries:
        for folder in study_folders(path):
            studies.setdefault(folder.resolve().name, []).append(folder)
    probes = _probes(registries)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as temporary:
            made = Path(temporary, "merged")
            made.mkdir()
            found = [_study(name, folders, made / name) for name, folders in sorted(studies.items())]
            found = [item for item in found if item.n_runs]
            if not found:
                raise RegistryError("no run records", where=", ".join(map(str, registries)), remedy="name registries")
            if probes:
                (made / FILE).write_text(probes_text(probes), encoding="utf-8")
            made.rename(output)
    except OSError as error:
        raise unwritable(output, error) from error
    return found


def _study(name: str, folders: Sequence[Path], made: Path) -> Merged:
    first: dict[str, tuple[Stored, int]] = {}
    shared: set[str] = set()
    differing: list[str] = []
    for number, folder in enumerate(folders):
        for stored in stored_records(folder):
            record = stored.parse()
            before = first.setdefault(record.run_id, (stored, number))
            if before[0] is stored:
                continue
            if before[1] != number:
                shared.add(record.run_id)
            if _differs(before[0], stored, record):
                differing.append(f"{before[0].where} and {stored.where}")
    grids = {text for folder in folders if (text := _grid(folder)) is not None}
    if len(grids) > 1:
        differing.append(" and ".join(str(folder / GRID) for folder in folders))
    if differing:
        raise RegistryError(f"say different things of one study, {name}: {listed(differing)}",
                            remedy="rename one study's folder and records, or delete what is wrong")  # fmt: skip
    made.mkdir()
    stored_now = [stored for _, (stored, _) in sorted(first.items())]
    for start in range(0, len(stored_now), CHUNK):
        write_part(made, stored_now[start : start + CHUNK])
    for text in grids:
        (made / GRID).write_bytes(text)
    if not stored_now:
        shutil.rmtree(made)
    return Merged(name, len(first), len(shared))


def _differs(a: Stored, b: Stored, record: RunRecord) -> bool:
    return _plain(a) != _plain(b) and result(a.parse()) != result(record)


def _plain(stored: Stored) -> bytes:
    return (stored.text if isinstance(stored.text, bytes) else stored.text.encode()).strip()


def _grid(folder: Path) -> bytes | None:
    path = folder / GRID
    return read_bytes(path, limit=LARGEST, root=folder) if path.is_file() else None


def _probes(registries: Sequence[str | Path]) -> dict[str, Probe]:
    """The probes of all registries."""
    merged: dict[str, Probe] = {}
    for registry in registries:
        for key, probe in probes_of(registry).items():
            if merged.setdefault(key, probe) != probe:
                raise RegistryError(
                    f"probe {key} says something else than in another registry",
                    where=str(Path(registry, FILE)),
                    remedy="make it again: predictor probe",
                )
    return merged
