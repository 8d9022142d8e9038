"""Failed tries, and records that lost a race: attempts/<run_id>.<n>.json below the study."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from predictor.errors import RegistryError
from predictor.files import add_file
from predictor.reading import MIB, check_inside, read_bytes
from predictor.records.parts import names_in

FOLDER = "attempts"
MAX_ATTEMPT = 64 * MIB  # bytes of one
DUPLICATE = "duplicate"  # status of an attempt that holds a second, differing record of a finished run


def write_attempt(runs_dir: str | Path, *, study: str, run_id: str, attempt: Mapping[str, Any]) -> Path:
    """Keep a try that gave no record, under the next free number. Returns its file.

    attempt : anything JSON can say; `status` and `message` by custom. `written_at` is added.
    """
    content = {"run_id": run_id, "written_at": datetime.now(UTC).isoformat(timespec="seconds"), **attempt}
    text = json.dumps(content, default=str) + "\n"
    _check_folder(Path(runs_dir, study))
    for number in itertools.count(1):
        path = Path(runs_dir, study, FOLDER, f"{run_id}.{number}.json")
        if not path.exists() and add_file(path, text.encode()):
            return path
    raise AssertionError("count() does not end")


def read_attempts(study_dir: str | Path) -> dict[Path, dict[str, Any]]:
    """{file: content} of every attempt of a study, oldest number first.

    Raises RegistryError for one that is not whole.
    """
    attempts: dict[Path, dict[str, Any]] = {}
    _check_folder(Path(study_dir))
    for path in sorted(_files(Path(study_dir)), key=_order):
        try:
            content = json.loads(read_bytes(path, limit=MAX_ATTEMPT, root=study_dir))
        except (ValueError, RecursionError) as error:
            raise RegistryError(f"not whole JSON ({error})", where=str(path), remedy="delete it") from None
        except OSError as error:
            raise RegistryError(f"cannot be read ({error.strerror})", where=str(path), remedy="delete it") from None
        if not isinstance(content, dict):
            raise RegistryError("an attempt is a JSON object", where=str(path), remedy="delete it")
        attempts[path] = content
    return attempts


def _check_folder(study_dir: Path) -> None:
    """Raise RegistryError where the attempts are a link out of their study."""
    folder = study_dir / FOLDER
    if folder.is_symlink():
        try:
            check_inside(folder, study_dir)
        except OSError as error:
            raise RegistryError(str(error.strerror), where=str(folder), remedy="copy it in, or remove it") from None


def failed_ids(study_dir: str | Path) -> set[str]:
    """Runs of a study that have an attempt, whether they have a record by now or not; from file names alone.

    >>> failed_ids("no/such/folder")
    set()
    """
    return {path.name.partition(".")[0] for path in _files(Path(study_dir))}


def _files(study_dir: Path) -> list[Path]:
    return [study_dir / FOLDER / name for name in names_in(study_dir / FOLDER) if name.endswith(".json")]


def _order(path: Path) -> tuple[str, int, str]:
    run_id, _, number = path.stem.partition(".")
    return run_id, int(number) if number.isdecimal() else 0, number
