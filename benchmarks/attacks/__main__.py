"""Attacks on both command lines: hostile, broken and impossible files, names, numbers, streams and signals.

    python benchmarks/attacks [KIND...]        # --help names the kinds; all of them take about half an hour
    SECONDS=60 python benchmarks/attacks       # the time after which an attempt hangs

Every attempt runs in a process and a folder of its own. It holds where the exit code is right, the message is one
that names a fault (no traceback), nothing outside is shown, changed or run, no control character is printed, and
time and memory are bounded. Ends with 0 where all held, else 1.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import bombs  # noqa: E402
import files  # noqa: E402
import streams  # noqa: E402
import texts  # noqa: E402
import wrong  # noqa: E402
from harness import Attack, tried  # noqa: E402


def attacks() -> Iterator[Attack]:
    """All of them."""
    for part in (files.read, files.written, files.outside, files.names, files.permission, texts.manifests, texts.registries,
                 texts.where, bombs.manifests, bombs.grids, bombs.registries, wrong.options, streams.closed,
                 streams.interrupted, streams.together, streams.growing):  # fmt: skip
        yield from part()
    yield from wrong.fits(150)
    yield from wrong.registries(100)


def main() -> int:
    found = list(attacks())
    counted = Counter(attack.kind for attack in found)
    parser = argparse.ArgumentParser(description="Attacks on both command lines; 0 where all held, else 1.")
    known = ", ".join(f"{kind!r} ({n})" for kind, n in counted.items())
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"default: all of them: {known}")
    wanted = set(parser.parse_args().kinds)
    if unknown := wanted - counted.keys():
        parser.error(f"no such kind: {', '.join(sorted(unknown))}; there are {known}")
    chosen = [attack for attack in found if not wanted or attack.kind in wanted]
    kinds = dict.fromkeys(attack.kind for attack in chosen)
    _warm({attack.program for attack in chosen})
    total: Counter[str] = Counter()
    for kind in kinds:
        own = [attack for attack in chosen if attack.kind == kind]
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="attacks-") as base:
            Path(base).chmod(0o755)
            failed = tried(own, Path(base), lambda line: print(ascii(line[:600])[1:-1], flush=True))
        total["tried"] += len(own)
        total["not held"] += len(failed)
        seconds = time.monotonic() - began
        print(f"{kind:22} tried {len(own):4}   held {len(own) - len(failed):4}   {seconds:5.0f} s", flush=True)
    print(f"{'all':22} tried {total['tried']:4}   held {total['tried'] - total['not held']:4}   "
          f"not held {total['not held']}")  # fmt: skip
    return 1 if total["not held"] else 0


def _warm(programs: set[str]) -> None:
    """Import what the commands import, once: an attempt is a fork of this process."""
    import importlib

    from predictor.cli import COMMANDS
    from predictor.models.fit import shipped_fit

    shipped_fit()
    for name in COMMANDS:
        importlib.import_module(f"predictor.cli.{name}_command")
    for name in (
        "numpy",
        "duckdb",
        "rich.console",
        "rich.table",
        "pandas",
        "predictor.records",
        "predictor.agreements",
    ):
        importlib.import_module(name)
    for name in ("torch", "timm", "trainer.cli", "trainer.launch.command") if "trainer" in programs else ():
        importlib.import_module(name)


if __name__ == "__main__":
    sys.exit(main())
