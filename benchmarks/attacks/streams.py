"""Streams that are closed or full, Ctrl-C at any moment, and two at once."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from harness import Attack
from made import ROOT, STUDY, all_of, grid, manifest, registry

DIGEST = "sha256:" + "0" * 64
COMMANDS: dict[str, tuple[str, str]] = {  # all that end in a few seconds
    "indicators": ("predictor", "indicators m.csv"), "the list": ("predictor", "indicators --list"), "predict": ("predictor", "predict m.csv"),
    "recipes": ("predictor", "recipes"), "predict json": ("predictor", "predict m.csv --format json"), "advise": ("predictor", "advise m.csv --budget 9"),
    "pilots": ("predictor", f"pilots m.csv --next 1 --source s --digest {DIGEST}"), "agreement": ("predictor", "agreement runs --draws 100"),
    "list": ("predictor", "runs list runs"), "show": ("predictor", "runs show runs"), "check": ("predictor", "runs check runs"),
    "pack": ("predictor", "runs pack runs"), "unpack": ("predictor", "runs unpack runs"), "claims": ("predictor", "claims runs"),
    "rates": ("predictor", "rates g.yaml"), "help": ("predictor", "--help"), "plan": ("trainer", "plan g.yaml"), "status": ("trainer", "status g.yaml"),
}  # fmt: skip
ALL = all_of(manifest, registry, grid)


def closed() -> Iterator[Attack]:
    """Standard streams that are not there, or take nothing."""
    for name, (program, line) in COMMANDS.items():
        args = line.split()
        common = {"kind": "streams", "args": args, "program": program, "prepare": ALL}
        yield Attack(
            what=f"{name}: a full stdout", stdout="/dev/full", says="standard output: cannot be written", **common
        )
        yield Attack(what=f"{name}: a closed stdout", closed=(1,), says="standard output: is closed", **common)
        yield Attack(what=f"{name}: a closed stdin", closed=(0,), codes=(0,), **common)
        yield Attack(what=f"{name}: a closed stderr", closed=(2,), codes=(0,), **common)
        yield Attack(what=f"{name}: all closed", closed=(0, 1, 2), **common)
    for stdin in (b"", b"\x00" * 1000, b"\xff" * 1000, b"label\n"):
        yield Attack(kind="streams", what=f"stdin of {stdin[:3]!r}", args=["indicators", "-"], stdin=stdin)
    yield Attack(kind="streams", what="a closed stdin as manifest", args=["indicators", "-"], closed=(0,))


def interrupted() -> Iterator[Attack]:
    """Ctrl-C at the n-th import of every command."""
    for name, (program, line) in COMMANDS.items():
        for at in (1, 3, 10, 40, 120):
            yield Attack(kind="Ctrl-C", what=f"{name}, import {at}", args=line.split(), program=program, prepare=ALL, interrupt=at,
                         codes=(130, 0), also=_whole)  # fmt: skip


def _whole(folder: Path) -> bool:
    """Every record is where it was, or in a part; nothing is half written."""
    import duckdb

    study = folder / "runs" / STUDY
    loose = {path.stem for path in study.glob("*.json")}
    packed = {
        row[0] for part in study.glob("*.parquet") for row in duckdb.execute(f"SELECT run_id FROM '{part}'").fetchall()
    }
    return len(loose | packed) == 12


GROW = """
import time
end = time.monotonic() + 4
while time.monotonic() < end:
    with open({name!r}, "ab") as file:
        file.write({piece!r} * 2_000)
    time.sleep(0.02)
"""


def growing() -> Iterator[Attack]:
    """Manifests that somebody writes while they are read."""
    for name, head, piece in (
        ("m.csv", b"label,count\n", b"cat,1\n"),
        ("m.jsonl", b"", b'{"label": "cat"}\n'),
        ("m.csv.gz", gzip.compress(b"label,count\ncat,1\n"), gzip.compress(b"cat,1\n")),
        ("m.csv.gz", gzip.compress(b"label,count\ncat,1\n"), b"x"),
        ("m.parquet", b"PAR1", b"PAR1"),
        ("m.txt", b"a/1.jpg 0\n", b"b/2.jpg 1\n"),
    ):

        def prepare(folder: Path, name: str = name, head: bytes = head, piece: bytes = piece) -> None:
            (folder / name).write_bytes(head + piece * 1_000)
            subprocess.Popen(
                [sys.executable, "-c", GROW.format(name=name, piece=piece)], cwd=folder, stderr=subprocess.DEVNULL
            )

        yield Attack(
            kind="two at once",
            what=f"{name} grows by {piece[:8]!r}",
            args=["indicators", name],
            prepare=prepare,
            codes=(0, 2),
        )


def together() -> Iterator[Attack]:
    """Two processes on one registry."""
    code = "from predictor.records import {0}; {0}('runs', '{1}')"

    def beside(word: str):
        def start(folder: Path) -> None:
            registry(folder)
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            subprocess.Popen([sys.executable, "-c", code.format(word, STUDY)], cwd=folder, env=environment,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip

        return start

    for first in ("pack", "unpack"):
        for second in ("pack", "unpack", "check", "list"):
            for again in range(2):
                yield Attack(kind="two at once", what=f"{first} and {second}, {again}", args=["runs", second, "runs"], codes=(0, 2),
                             prepare=beside(first), also=_whole)  # fmt: skip
