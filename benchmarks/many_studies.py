"""What the commands take on a registry of ten studies: seconds and memory of each in a process of its own.

    python benchmarks/many_studies.py [RECORDS] [FOLDER]

100,000 records unless said otherwise, packed, of ten studies and target sets, five seeds a configuration; made by
benchmarks/registry.py. Goals are for 100,000 on two cores. FOLDER keeps the records for another time.
"""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from registry import PART, made_records

from predictor.records.pack import write_part
from predictor.records.store import Stored

STUDIES, SEEDS = 10, 5
MEMORY = 2.0  # GB
GOALS = {  # words of the command -> seconds
    "runs list": 10, "runs check": 30, "frame": 10, "fit --sample 5000 --outcome accuracy --output FIT": 120,
    "report --output PAGE": 60,
}  # fmt: skip


def make(folder: Path, n: int) -> None:
    """Ten studies of equal size, packed."""
    for number in range(STUDIES):
        study = folder / f"study-{number}"
        study.mkdir(parents=True)
        batch: list[Stored] = []
        for record in made_records(n // STUDIES, study.name, f"letters/{number}", SEEDS):
            batch.append(Stored(study.name, study, None, record.to_json()))
            if len(batch) == PART:
                write_part(study, batch)
                batch = []
        if batch:
            write_part(study, batch)


def main() -> None:
    """Make the records where they are not there yet, then run each command."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(temporary, "runs")
        if not folder.exists():
            make(folder, n)
        print(f"{n:,} records; {platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
              f"load {os.getloadavg()[0]:.1f}")  # fmt: skip
        for words, goal in GOALS.items():
            group, *rest = words.replace("FIT", f"{temporary}/fit.json").replace("PAGE", f"{temporary}/p.html").split()
            if group == "frame":
                command = [sys.executable, "-c", f"from predictor.records import frame; frame({str(folder)!r})"]
            elif group == "runs":
                command = [sys.executable, "-m", "predictor", group, *rest, str(folder)]
            else:
                command = [sys.executable, "-m", "predictor", group, str(folder), *rest]
            began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run(command, capture_output=True, text=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            took = f"{time.perf_counter() - began:6.1f} s   CPU {cpu:6.1f} s   goal {goal} s"
            memory = f"largest so far {after.ru_maxrss / 1e6:.2f} GB (goal {MEMORY:g})"
            print(f"{words.split(' --')[0]:<12} {took}   {memory}   exit {done.returncode}")
            if done.returncode:
                print(done.stderr.strip()[-500:])
            sys.stdout.flush()


if __name__ == "__main__":
    main()
