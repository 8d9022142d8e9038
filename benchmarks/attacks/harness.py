"""One attempt: a command in a process of its own, in a folder of its own, and whether it held."""

from __future__ import annotations

import ctypes
import hashlib
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SECRET = "SECRET-8f1c2"  # in files that no attempt may show
SECONDS = float(os.environ.get("SECONDS", "120"))  # an attempt that takes longer hangs
MEMORY = 3 << 30  # bytes of one attempt
OUT, ERR = "stdout", "stderr"
Prepare = Callable[[Path], object]


@dataclass(frozen=True, kw_only=True)
class Attack:
    """What is tried.

    args : of the command, {here} in them is its folder; prepare : makes the files, in the folder it is given, which is the working directory
    codes : exit codes that are right; says : part of the message; also : whether the folder is as it must be
    stdout : a file to send it to; closed : descriptors that are closed; user : root's powers are given up
    """

    kind: str
    what: str
    args: Sequence[str]
    prepare: Prepare = lambda folder: None
    codes: tuple[int, ...] = (2,)
    says: str = ""
    also: Prepare = lambda folder: True
    program: str = "predictor"
    stdin: bytes | None = None
    stdout: str | None = None
    closed: tuple[int, ...] = ()
    user: bool = False
    interrupt: int = 0  # the import at which Ctrl-C comes
    keeps: tuple[str, ...] = field(default=("keep", "../outside"))


def held(attack: Attack, base: Path) -> str | None:
    """None where the attempt held, else what did not."""
    folder, outside = base / "work", base / "outside"
    for path in (folder / "keep", outside, base / "streams"):
        path.mkdir(parents=True)
    (outside / "secret.txt").write_text(f"{SECRET},1\n")
    (folder / "keep" / "mine.txt").write_text("mine\n")
    attack.prepare(folder)
    before = [_state(folder / name) for name in attack.keeps]
    code, seconds, memory = _run(attack, folder, base / "streams")
    printed = (base / "streams" / OUT).read_bytes(), (base / "streams" / ERR).read_bytes()
    faults = list(_faults(attack, folder, code, *printed))
    if seconds > SECONDS:
        faults.append(f"still running after {SECONDS:.0f} s")
    if memory > MEMORY:
        faults.append(f"took {memory / 2**30:.1f} GiB")
    if [_state(folder / name) for name in attack.keeps] != before:
        faults.append("a file that was not its own is changed")
    if left := [path.name for path in _files(folder) if path.name.endswith(".tmp")]:
        faults.append(f"left {left[0]}")
    return "; ".join(faults) + f" | {printed[1][-300:]!r}" if faults else None


def _faults(attack: Attack, folder: Path, code: int, out: bytes, err: bytes) -> Iterator[str]:
    text = (out + err).decode(errors="surrogateescape")
    if code not in attack.codes:
        yield f"exit {code}, needed {' or '.join(map(str, attack.codes))}"
    if "Traceback" in text or "internal error" in text:
        yield "a traceback"
    if SECRET in text:
        yield "shows a file outside"
    if bad := sorted(
        {c for c in text if c not in "\n\t" and not c.isprintable() and c not in "\u200c\u200d\xa0\u202f"}
    ):
        yield f"prints {bad[:3]!a}"
    if attack.says not in text:
        yield f"does not say {attack.says!r}"
    if code == 2 and 2 not in attack.closed and not err.strip():
        yield "no message"
    if len(err) > 20_000:
        yield f"a message of {len(err):,} bytes"
    if (folder / "pwned").exists() or Path("/tmp/pwned").exists():
        yield "code ran"
    if attack.also(folder) is False:
        yield "the folder is not as it must be"


def _run(attack: Attack, folder: Path, streams: Path) -> tuple[int, float, int]:
    """(exit code, seconds, bytes of memory); a process that hangs is killed."""
    for name in (OUT, ERR):
        (streams / name).touch()
        (streams / name).chmod(0o666)
    (streams / "stdin").write_bytes(attack.stdin or b"")
    began = time.monotonic()
    pid = os.fork()
    if not pid:
        _child(attack, folder, streams)
    while True:
        done, status, usage = os.wait4(pid, os.WNOHANG)
        seconds = time.monotonic() - began
        if done:
            return os.waitstatus_to_exitcode(status), seconds, usage.ru_maxrss * 1024
        if seconds > SECONDS:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def _child(attack: Attack, folder: Path, streams: Path) -> None:
    """Never returns."""
    code = 1
    try:
        os.setsid()
        os.chdir(folder)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 32, 1 << 32))
        files = streams / "stdin", Path(attack.stdout or streams / OUT), streams / ERR
        for number, path in enumerate(files):
            descriptor = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_APPEND)
            os.dup2(descriptor, number)
            os.close(descriptor)
        if attack.user and os.geteuid() == 0:
            _give_up_powers()
        names = ("stdin", "stdout", "stderr")
        for number, name in enumerate(names):
            stream = open(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
        for number in attack.closed:
            os.close(number)
            setattr(sys, names[number], None)
        sys.argv = [attack.program, *(word.replace("{here}", str(folder)) for word in attack.args)]
        if attack.program == "trainer":
            from trainer.__main__ import main
        else:
            from predictor.__main__ import main
        if attack.interrupt:
            _interrupt_at(attack.interrupt)
        main()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        try:
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
        except OSError:
            code = 120  # what the interpreter would end with
        os._exit(code)


def _give_up_powers() -> None:
    """From here on the modes of files hold for root as for everybody; another user could not read root's Python."""
    version_3, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(version_3, nothing):
        raise OSError(ctypes.get_errno(), "capset")


def _interrupt_at(number: int) -> None:
    left = number

    def hook(event: str, arguments: object) -> None:
        nonlocal left
        if event == "import":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGINT)

    sys.addaudithook(hook)


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_dir() and not folder.is_symlink():
        for path in sorted(folder.iterdir()):
            yield path
            yield from _files(path)


def _state(folder: Path) -> list[tuple[str, int, str]]:
    """Every file below: name, kind, and what it holds or where it leads."""
    found = []
    for path in _files(folder):
        mode = path.lstat().st_mode & 0o170000
        held = os.readlink(path) if path.is_symlink() else ""
        if mode == 0o100000 and path.stat().st_size < 1 << 24:
            held = hashlib.sha256(path.read_bytes()).hexdigest()
        found.append((str(path), mode, held))
    return found


def tried(attacks: Sequence[Attack], base: Path, say: Callable[[str], None]) -> list[tuple[Attack, str]]:
    """Those that did not hold, with what did not."""
    failed = []
    for number, attack in enumerate(attacks):
        place = base / str(number)
        try:
            fault = held(attack, place)
        finally:
            _remove(place)
        if fault:
            failed.append((attack, fault))
            say(f"NOT HELD   {attack.kind}: {attack.what}: {fault}")
    return failed


def _remove(place: Path) -> None:
    for folder in (place, *(path for path in _files(place) if path.is_dir() and not path.is_symlink())):
        folder.chmod(0o755)
    for _ in range(100):  # somebody may still write there
        shutil.rmtree(place, ignore_errors=True)
        if not place.exists():
            return
        time.sleep(0.1)
