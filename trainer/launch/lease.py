"""Leases: two schedulers on one registry train no run twice, unless one gives no sign of life for LEASE_SECONDS.

A lease is a file beside the checkpoints, `<run_id>.<n>.lease`, which its owner touches again and again. No clock is
ever compared with another one, nor with itself across a jump: whoever waits for a lease looks whether the file
*changed* during LEASE_SECONDS of its own monotonic time. A lease that went stale is followed by one of the next
number; creating that file is the atomic step, so that of several takers one wins. On one machine nobody needs to
wait: there it shows at once that the owner's processes are dead.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from predictor.files import unwritable
from predictor.reading import opened

LEASE_SECONDS = 60.0
LONGEST = 1 << 16  # bytes of a lease that are read
BEAT_SECONDS = 10.0


@dataclass
class Lease:
    """A run that is ours. Made by `claim`."""

    path: Path
    touched: float

    def beat(self) -> bool:
        """Touch the file where that is due; False where another scheduler took the run over."""
        now = time.monotonic()
        if now - self.touched < BEAT_SECONDS:
            return True
        self.touched = now
        run_id, number = _name(self.path)
        try:
            os.utime(self.path)
        except FileNotFoundError:
            return False
        except OSError:  # a full disk or a server away for a moment: the next beat may do
            return True
        newest = _newest(self.path.parent, run_id)
        return newest is None or _name(newest)[1] <= number

    def release(self) -> None:
        """Give the run back."""
        with suppress(OSError):  # else it goes stale by itself
            self.path.unlink(missing_ok=True)


class Watch:
    """What one scheduler saw of the leases of others: {lease: (its state, since when on our monotonic clock)}."""

    def __init__(self) -> None:
        self._seen: dict[Path, tuple[tuple[int, int, bytes], float]] = {}

    def stale(self, path: Path) -> bool:
        """Whether the lease's owner is dead, or has not touched it for LEASE_SECONDS of watching."""
        try:
            status, content = _looked_at(path)
        except OSError:
            return False  # gone, or out of reach: the next look tells
        state, now = (status.st_ino, status.st_mtime_ns, content), time.monotonic()
        before, since = self._seen.setdefault(path, (state, now))
        if before != state:
            self._seen[path] = state, now
            return _dead(content)
        return now - since > LEASE_SECONDS or _dead(content)


def claim(folder: Path, run_id: str, watch: Watch, processes: Sequence[int]) -> Lease | None:
    """Take the lease of a run; None where another scheduler has it.

    processes : those that must all be dead before the lease is void on this machine
    Raises RegistryError where the folder cannot be written.
    """
    number = 0
    newest = _newest(folder, run_id)
    if newest is not None:
        if not watch.stale(newest):
            return None
        number = _name(newest)[1]
    path = folder / f"{run_id}.{number + 1}.lease"
    owner = {"machine": machine(), "processes": [[pid, started(pid)] for pid in processes]}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        with open(path, "x") as file:
            json.dump(owner, file)
    except FileExistsError:
        return None
    except OSError as error:  # a full disk may take the name and not the content
        with suppress(OSError):
            path.unlink(missing_ok=True)
        raise unwritable(path, error) from error
    for earlier in range(1, number + 1):
        (folder / f"{run_id}.{earlier}.lease").unlink(missing_ok=True)
    return Lease(path, time.monotonic())


def _looked_at(path: Path) -> tuple[os.stat_result, bytes]:
    """State and content of a lease; of what is no regular file no content, so that only time tells. Raises OSError."""
    try:
        with opened(path) as file:  # opening it, not only asking for its times, gets past a network's cache
            return os.fstat(file.fileno()), file.read(LONGEST)
    except FileNotFoundError:
        raise
    except OSError:
        return os.lstat(path), b""


def held(folder: Path) -> set[str]:
    """Runs that have a lease whose owner is not known to be dead.

    >>> held(Path("no/such/folder"))
    set()
    """
    watch = Watch()
    return {_name(path)[0] for path in folder.glob("*.lease") if not watch.stale(path)}


def _newest(folder: Path, run_id: str) -> Path | None:
    return max(folder.glob(f"{run_id}.*.lease"), key=lambda path: _name(path)[1], default=None)


def _name(path: Path) -> tuple[str, int]:
    """(run id, number) of a lease file."""
    run_id, _, number = path.stem.rpartition(".")
    return run_id, int(number) if number.isdecimal() else 0


def _dead(content: bytes) -> bool:
    """Whether the lease says processes of this machine, and none of them lives."""
    try:
        owner: dict[str, Any] = json.loads(content)
        processes = owner["processes"]
        return owner["machine"] is not None and owner["machine"] == machine() and not any(map(_alive, processes))
    except (ValueError, LookupError, TypeError, RecursionError):  # being written, or torn: only time tells
        return False


def _alive(process: Sequence[int | str | None]) -> bool:
    pid, start = process
    return start is None or started(int(pid or 0)) == start


def started(pid: int) -> str | None:
    """When a process began, in ticks since the boot, which tells it from a later one of the same number.

    None where it is dead, or where the system does not say.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


@lru_cache(maxsize=1)
def machine() -> str | None:
    """This boot of this machine and its space of process numbers; None where the system does not say."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None
