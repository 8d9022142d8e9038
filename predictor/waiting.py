"""A sign of life: what takes longer than two seconds without a word says on standard error that it is at work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

AFTER = 2.0  # seconds without a word
LINES = (2.0, 10.0, 30.0)  # of silence, at which a line is said where there is no terminal; then every minute
TICK = 0.25
SIGNS = "|/-\\"


class Waiting:
    """A thread that says what is at work: on a terminal one line that goes away again, else a line now and then.

    name : of the work; stream : standard error as it is
    """

    def __init__(self, name: str, stream: IO[str]):
        self._name, self._stream = name, stream
        self._terminal = stream.isatty()
        self._began = self._heard = time.monotonic()
        self._shown = self._said = 0
        self._quiet = 0
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        """Begin to wait."""
        self._thread.start()

    def heard(self) -> None:
        """Something else was said: the silence ends, and so does the line that was shown."""
        with self._lock:
            self._heard, self._said = time.monotonic(), 0
            self._clear()

    def stop(self) -> None:
        """End it, before the process does."""
        self._ended.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(2 * TICK)
        with self._lock:
            self._clear()

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Nothing is said: something else shows how far the work is."""
        with self._lock:
            self._quiet += 1
            self._clear()
        try:
            yield
        finally:
            with self._lock:
                self._quiet -= 1
                self._heard = time.monotonic()

    def _work(self) -> None:
        while not self._ended.wait(TICK):
            with self._lock:
                silent = time.monotonic() - self._heard
                if silent < AFTER or self._quiet or self._ended.is_set():
                    continue
                try:
                    self._say(silent)
                except (OSError, ValueError):  # nobody listens
                    return

    def _say(self, silent: float) -> None:
        seconds = time.monotonic() - self._began
        if self._terminal:
            text = f"{SIGNS[self._shown % len(SIGNS)]} {self._name}: at work, {seconds:.0f} s"
            self._stream.write(f"\r\x1b[K{text}")
            self._shown += 1
        else:
            at = LINES[self._said] if self._said < len(LINES) else 60.0 * (self._said - len(LINES) + 1)
            if silent < at:
                return
            self._said += 1
            self._stream.write(f"{self._name}: at work, {seconds:.0f} s\n")
        self._stream.flush()

    def _clear(self) -> None:
        if self._terminal and self._shown:
            self._shown = 0
            try:
                self._stream.write("\r\x1b[K")
                self._stream.flush()
            except (OSError, ValueError):
                pass
