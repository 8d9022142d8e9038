"""Where workers write their output: a temporary folder that the next scheduler clears where this one was killed."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from predictor.reading import check_regular

PREFIX = "trainer-logs-"
LOCK = "lock"  # held by the scheduler as long as it lives


@contextmanager
def log_folder() -> Iterator[Path]:
    """Yield an empty folder, removed at the end; folders of schedulers that were killed are removed first.

    Not in the registry: a full disk must not silence the log that says so.
    """
    clear(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as name, _locked(Path(name)):
        yield Path(name)


def clear(folder: Path) -> None:
    """Remove the folders of dead schedulers; those whose lock is held, missing or another user's stay."""
    for left in folder.glob(f"{PREFIX}*"):
        with suppress(OSError), open(check_regular(left / LOCK, left), "r+b") as file:
            _lock(file)
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with open(folder / "unlocked", "xb") as file:
        _lock(file)
        if sys.platform != "win32":  # there an open file keeps its name, and nothing is ever cleared
            (folder / "unlocked").rename(folder / LOCK)  # only now: nobody finds it unlocked
        yield


def _lock(file: IO[bytes]) -> None:
    """Lock a file until it is closed or the process dies. Raises OSError where it is locked already."""
    if sys.platform == "win32":
        return
    import fcntl

    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
