"""How a command line begins and ends: signals, streams and exit codes, the same for `predictor` and `trainer`.

0: done. 2: a fault of the input or of the machine, in one message. 130: Ctrl-C. 1: a fault of the program itself.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import FrameType
from typing import IO, Any, NoReturn

import click

from predictor.errors import PredictorError
from predictor.text import visible
from predictor.waiting import Waiting

OUTPUT = "standard output"
_waiting: Waiting | None = None  # of this process
_given: dict[str, str] = {}  # folder -> the place that it was fetched from, as the user wrote it


def run(command: click.Command, name: str, extras: Mapping[str, str] | None = None) -> NoReturn:
    """Call a command with the arguments of this process, and end the process.

    extras : {package that may be missing: what to install}
    """
    interrupt, streams = Interrupt(), Streams()
    try:
        streams.guard()
        code = command.main(prog_name=name, standalone_mode=False) or 0
        sys.stdout.flush()
    except BaseException as error:
        came = interrupt.came and not isinstance(error, SystemExit)  # whatever it was turned into on its way
        gone = streams.reader_gone and isinstance(error, SystemExit)  # click makes exit 1 of it
        code = 0 if gone else _told(KeyboardInterrupt() if came else error, extras or {})
    finally:
        _done_waiting()
        streams.restore()
    _end(130 if interrupt.came else code)  # also where somebody's `except` swallowed it


class Interrupt:
    """Ctrl-C: the first one is a KeyboardInterrupt that is remembered, the second ends the process at once."""

    def __init__(self) -> None:
        self.came = False
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as of `nohup`, or of a job in the background
            signal.signal(signal.SIGINT, self._first)

    def _first(self, number: int, frame: FrameType | None) -> None:
        self.came = True
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        raise KeyboardInterrupt


class Streams:
    """Standard input, output and error of a process, made safe for whatever the data holds."""

    def __init__(self) -> None:
        self._raw = sys.stdin, sys.stdout, sys.stderr
        self._out: Visible | None = None

    def guard(self) -> None:
        """From here on what is printed is visible. Raises PredictorError where standard output is closed."""
        for number in range(3):
            try:
                os.fstat(number)
            except OSError:  # closed: the next file that is opened would take its place
                os.open(os.devnull, os.O_RDWR)
        stdin, stdout, stderr = self._raw
        for stream in (stdout, stderr):
            if isinstance(stream, io.TextIOWrapper):  # a name that is no Unicode, or a terminal that is not
                stream.reconfigure(errors="backslashreplace")
        nowhere = None if all(self._raw) else open(os.devnull, "r+")  # noqa: SIM115
        sys.stdin = stdin or nowhere
        sys.stderr = Visible(stderr or nowhere, "standard error")  # type: ignore[assignment]
        self._out = sys.stdout = Visible(stdout or nowhere, OUTPUT)  # type: ignore[assignment]
        if stdout is None:
            raise PredictorError("is closed", where=OUTPUT, remedy="leave it open, or send it into a file: > FILE")

    @property
    def reader_gone(self) -> bool:
        """Whether what standard output was read by has ended: `predictor ... | head`."""
        return self._out is not None and self._out.reader_gone

    def restore(self) -> None:
        """The streams as they were."""
        sys.stdin, sys.stdout, sys.stderr = self._raw


class Visible:
    """A stream that writes control characters out, except the ends of lines and tabs."""

    encoding = "utf-8"  # else click would take the stream below, which writes what it cannot encode as \\u732b

    def __init__(self, stream: IO[str], name: str):
        self.raw, self._name = stream, name
        self.reader_gone = False

    def write(self, text: str) -> int:
        """Raises PredictorError where nothing more can be written."""
        return self._done(lambda: self.raw.write(visible(text, keep="\n\t")))

    def flush(self) -> None:
        """Raises PredictorError where nothing more can be written."""
        self._done(self.raw.flush)

    def _done(self, work: Callable[[], Any]) -> Any:
        if _waiting is not None:
            _waiting.heard()
        try:
            return work()
        except BrokenPipeError:
            self.reader_gone = True
            raise
        except OSError as error:
            if self._name != OUTPUT:  # nobody can be told
                return 0
            problem = f"cannot be written ({error.strerror or error})"
            raise PredictorError(problem, where=OUTPUT, remedy="free space, or send it elsewhere: > FILE") from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)


def at_work(name: str) -> None:
    """Say after two seconds without a word that this is at work; of a process that `run` began.

    PREDICTOR_QUIET in the environment: never.
    """
    global _waiting
    if not os.environ.get("PREDICTOR_QUIET") and _waiting is None and isinstance(sys.stderr, Visible):
        _waiting = Waiting(name, sys.stderr.raw)
        _waiting.start()


def stands_for(folder: str | Path, place: str) -> None:
    """Remember that a temporary folder holds what the user named by another name."""
    _given[str(folder)] = place


def as_given(text: str | Path) -> str:
    """A text in which places are named as the user named them."""
    text = str(text)
    for folder, place in _given.items():
        text = text.replace(folder, place)
    return text


def no_sign() -> AbstractContextManager[None]:
    """While something else shows how far the work is."""
    return nullcontext() if _waiting is None else _waiting.quiet()


def _done_waiting() -> None:
    global _waiting
    if _waiting is not None:
        _waiting.stop()
    _waiting = None


def colours() -> bool:
    """Whether standard output is a terminal that takes colours, and nobody asked for none (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def say_styled(text: str) -> None:
    """Print a text with escape sequences of our own; what came from data was made visible before."""
    sys.stdout.flush()
    stream = getattr(sys.stdout, "raw", sys.stdout)
    stream.write(f"{text}\n")
    stream.flush()


class Commands(click.Group):
    """A group of commands whose list says of each its whole first paragraph; click cuts it at the end of the line."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list."""
        found = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, _paragraph(one)) for name, one in found if one is not None and not one.hidden]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


def _paragraph(command: click.Command) -> str:
    """The first paragraph of a help text."""
    return " ".join((command.short_help or command.help or "").split("\n\n")[0].split())


def terminal() -> IO[str]:
    """Standard error as it is, for progress bars, which move the cursor."""
    return getattr(sys.stderr, "raw", sys.stderr)


def _told(error: BaseException, extras: Mapping[str, str]) -> int:
    """Say what ended a command; the exit code."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, BrokenPipeError):  # `predictor ... | head`
        return 0
    if isinstance(error, KeyboardInterrupt | click.exceptions.Abort):
        return _say("aborted", 130)
    if isinstance(error, click.ClickException):
        error.show(sys.stderr)
        return error.exit_code
    if isinstance(error, PredictorError):
        return _say(f"error: {as_given(str(error))}", 2)
    if isinstance(error, ModuleNotFoundError) and error.name in extras:
        return _say(f"error: this needs {error.name}, which is not installed. {extras[error.name]}", 2)
    if os.environ.get("PREDICTOR_DEBUG"):
        raise error
    if isinstance(error, OSError):
        return _say(f"error: {_of_system(error)}", 2)
    if isinstance(error, MemoryError):
        return _say("error: needs more memory than this machine has. give it less to read, or more memory", 2)
    return _say(f"internal error: {type(error).__name__}: {error}. set PREDICTOR_DEBUG=1 for the traceback", 1)


def _of_system(error: OSError) -> str:
    """A refusal of the operating system in words."""
    where = error.filename if isinstance(error.filename, str) else os.fsdecode(error.filename or b"the system")
    return f"{where}: {error.strerror or error}. make room or permit it, or name another path"


def _say(text: str, code: int) -> int:
    try:
        sys.stderr.write(f"{visible(text, keep=chr(10))}\n")
        sys.stderr.flush()
    except (OSError, AttributeError, ValueError):  # closed, or full: the exit code tells
        pass
    return code


def _end(code: int) -> NoReturn:
    """End the process with this code, also where standard output takes nothing more."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError) as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else the interpreter fails on it again
        code = code if isinstance(error, BrokenPipeError) else code or 2
    sys.exit(code)
