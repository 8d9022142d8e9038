"""Worker processes as the scheduler sees them: given a run, watched, replaced when they die."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from predictor.errors import PredictorError
from predictor.grids import PlannedRun
from trainer.launch.job import Job, TryOutcome
from trainer.launch.lease import Lease
from trainer.launch.worker import DUMP_SIGNAL, work

POLL_SECONDS = 0.5
LOG_LINES = 50  # of a failed run that its attempt keeps
STARTS = 3  # workers that may die before their first run until the machine is to blame


def context_of() -> Any:
    """How processes are made. Forked from a server that imported torch and did nothing else: there in milliseconds
    and without threads; where fork is not safe, started from nothing."""
    if not sys.platform.startswith("linux"):
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["trainer.launch.preload"])
    return context


def start_server(context: Any) -> None:
    """Let the server that workers are forked from begin its imports, which take seconds; it goes with this process.

    Signals that would reach a worker before it can ignore them are blocked in the server, and so in all it forks.
    """
    if context.get_start_method() == "forkserver":
        with signals_wait():
            forkserver.ensure_running()


class Worker:
    """One process and the run it has, if any.

    Attributes: run, lease: what it trains; heard: monotonic time of its last sign of life
    """

    def __init__(self, context: Any, job: Job, log: Path):
        self.context, self.job, self.log = context, job, log
        self.run: PlannedRun | None = None
        self.lease: Lease | None = None
        self.heard = 0.0
        self.step: tuple[int, int] | None = None
        self.stopping = False
        self.idle_deaths = 0
        self.start()

    def start(self) -> None:
        """A new process."""
        self.log.write_bytes(b"")
        self.connection, theirs = self.context.Pipe()
        self.process = self.context.Process(target=work, args=(theirs, self.job, self.log))
        start_server(self.context)
        with signals_wait() if self.context.get_start_method() == "spawn" else nullcontext():
            self.process.start()
        theirs.close()

    def assign(self, run: PlannedRun, lease: Lease) -> None:
        """Give it a run to train. Raises OSError where it has died."""
        self.connection.send(run)
        self.run, self.lease, self.heard, self.step = run, lease, time.monotonic(), None
        self.idle_deaths = 0

    def stop(self) -> None:
        """Ask it once to save a checkpoint and stop."""
        if not self.stopping:
            self.stopping = True
            with suppress(OSError):  # dead: `receive` will tell
                self.connection.send(None)

    def receive(self) -> TryOutcome | None:
        """Take what it sent; the outcome of its run once that is there. Raises EOFError where it has died."""
        while self.connection.poll():
            try:
                message = self.connection.recv()
            except OSError as error:
                raise EOFError from error
            self.heard = time.monotonic()
            if isinstance(message, TryOutcome):
                return message
            self.step = message
        if not self.process.is_alive() and not self.connection.poll():
            raise EOFError
        return None

    def resident(self) -> int:
        """Bytes of memory it holds; 0 where the system does not say."""
        with suppress(OSError, ValueError, IndexError):
            pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE")
        return 0

    def lapse(self, timeout: float, memory_limit: float | None) -> tuple[str, str] | None:
        """(status, message) where it hangs or holds too much memory."""
        if memory_limit is not None and (resident := self.resident()) > memory_limit:
            held, limit = resident / 2**30, memory_limit / 2**30
            return "out_of_memory", f"held {held:.2f} GiB (--memory-limit {limit:g}); the process was killed"
        silent = time.monotonic() - self.heard
        if silent > timeout:
            return "failed", f"no sign of life for {silent:.0f} s (--timeout {timeout:g}); the process was killed"
        return None

    def end(self, *, ask: bool = False) -> str:
        """Kill it and say how it ended. ask: let it first write to its log where it is."""
        pid = self.process.pid
        if pid is None:  # it was interrupted while it was made
            self.connection.close()
            return "the worker process did not start"
        if ask and DUMP_SIGNAL is not None and self.process.is_alive():
            with suppress(OSError):
                os.kill(pid, DUMP_SIGNAL)
            self.process.join(0.3)
        with suppress(OSError):
            if self.process.exitcode is None or self.process.exitcode == 255:
                os.kill(pid, signal.SIGKILL)  # 255: the server it was forked from died, which says nothing about it
        self.process.join(10)
        self.connection.close()
        return ended(self.process.exitcode)

    def tail(self) -> str:
        """The last lines of its log."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-LOG_LINES:])

    def replace(self) -> None:
        """A new process in the place of a dead one. Raises PredictorError where it dies again and again at once."""
        if self.run is None:
            self.idle_deaths += 1
        if self.idle_deaths >= STARTS:
            how = ended(self.process.exitcode)
            raise PredictorError(
                f"worker processes do not start: {how}; {self.tail() or 'no output'}",
                remedy="run `trainer run --workers 1 --device cpu` on one run: it shows whether the installation works",
            )
        self.start()


def ready(workers: list[Worker], bell: Connection, timeout: float) -> None:
    """Wait until a worker says something or dies, the bell rings, or the time is up."""
    sources: list[Connection | int] = [source for w in workers for source in (w.connection, w.process.sentinel)]
    wait([bell, *sources], timeout)


def ended(exit_code: int | None) -> str:
    """How a process ended, in words.

    >>> ended(-9)
    'the worker process was killed (SIGKILL), as the system does where memory runs out'
    >>> ended(3)
    'the worker process ended with exit code 3'
    """
    if exit_code is None:
        return "the worker process does not end"
    if exit_code >= 0:
        return f"the worker process ended with exit code {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    text = f"the worker process was killed ({name})"
    return f"{text}, as the system does where memory runs out" if name == "SIGKILL" else text


@contextmanager
def signals_wait() -> Iterator[None]:
    """Processes made meanwhile are born with SIGINT and SIGTERM blocked: a terminal and a batch system send these to
    all processes, and they would reach one before it can ignore them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # type: ignore[attr-defined]  # starting it later would unblock both
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
