"""How long a large registry takes to read into a frame, packed and as JSON, and how much memory that needs.

    python benchmarks/registry.py [RECORDS] [FOLDER]

Records of made-up runs of eight classes and two shifts, true to their specs: 50 seeds of each configuration. Each
figure comes from a process of its own; memory is its peak resident set. FOLDER keeps the records for another time.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pydantic

from predictor.records import Counted, Energy, Environment, Outcome, RunRecord, Seconds, StageCounts
from predictor.records.pack import write_part
from predictor.records.store import Stored
from predictor.spec import RunSpec, planned_counts

SEEDS = 50
PART = 10_000  # records
CLASSES = tuple("ABCDEFGH")
GOALS = {"packed": (5.0, 1.0), "json": (20.0, 1.0), "status": (3.0, 1.0), "check": (None, None)}  # seconds, GB


def made_records(n: int, study: str = "many", target_set: str = "letters/a", seeds: int = SEEDS) -> Iterator[RunRecord]:
    """n records, each right by itself; equal for equal arguments. seeds : of each configuration"""
    rng = np.random.default_rng(0)
    sources = {name: f"sha256:{number:064x}" for number, name in enumerate(("fonts", "street-good", "street-bad"))}
    for configuration in range(-(-n // seeds)):
        data = {"source": "fonts", "samples_per_class": 2 + configuration}
        spec = RunSpec.model_validate(
            {
                "protocol": 2,
                "sources": sources,
                "target": {
                    "name": target_set,
                    "classes": CLASSES,
                    "test": {"source": "fonts"},
                    "shifts": {name: {"source": f"street-{name}"} for name in ("good", "bad")},
                },
                "stages": [{"data": data, "image_steps": 30_000}],
                "model": {"name": "predictor_small", "head": 128},
                "recipe": {"learning_rate": 0.03, "augmentation": "simclr-mild", "flip": False},
                "seeds": {"data": 0, "training": 0},
            }
        )
        counted = Counted(stages=(StageCounts.from_distribution(planned_counts(spec), 30_000),))
        for seed in range(min(seeds, n - configuration * seeds)):
            yield _record(
                spec.model_copy(update={"seeds": spec.seeds.model_copy(update={"data": seed})}), counted, study, rng
            )


def _record(spec: RunSpec, counted: Counted, study: str, rng: np.random.Generator) -> RunRecord:
    outcomes: dict[str, Outcome] = {}
    for name, tested in (("accuracy", 124), ("shift:good", 200), ("shift:bad", 110)):
        n = spec.stages[0].data.samples_per_class or 1
        correct = tuple(rng.binomial(tested, 1 - 0.8 * n**-0.2, len(CLASSES)).tolist())
        value = sum(k / tested for k in correct) / len(CLASSES)
        plain = sum(correct) / (tested * len(CLASSES))
        clean = outcomes["accuracy"].value if outcomes else None
        outcomes[name] = Outcome(
            value=value,
            plain=plain,
            classes=CLASSES,
            tested=(tested,) * len(CLASSES),
            correct=correct,
            chance=1 / len(CLASSES),
            clean_value=clean,
        )
    robustness = (outcomes["shift:good"].value + outcomes["shift:bad"].value) / 2
    outcomes["robustness"] = Outcome(value=robustness, chance=1 / len(CLASSES))
    versions = {name: "1.2.3" for name in ("python", "torch", "timm", "numpy", "pillow", "predictor")}
    return RunRecord(
        run_id=spec.run_id,
        configuration_id=spec.configuration_id,
        study=study,
        provenance="trained",
        target_set=spec.target.name,
        domain="characters",
        axes={"samples_per_class": spec.stages[0].data.samples_per_class, "profile": "balanced", "others": "none"},
        spec=spec.content(),
        data=counted,
        outcomes=outcomes,
        seconds=Seconds(load=rng.random(), train=20 + rng.random(), evaluate=rng.random()),
        images_per_second=1400 + rng.random(),
        energy=Energy(reason="RAPL: No such file or directory"),
        peak_memory_bytes=int(rng.integers(10**9, 2 * 10**9)),
        environment=Environment(
            device="cpu", device_name="Some processor", threads=1, precision="bf16", versions=versions, commit="0" * 40
        ),
        started_at="2026-01-01T00:00:00+00:00",
    )


def make(folder: Path, n: int) -> None:
    """The records in parts below `packed`, and one file each below `json`."""
    packed, loose = folder / "packed" / "many", folder / "json" / "many"
    packed.mkdir(parents=True)
    loose.mkdir(parents=True)
    batch: list[Stored] = []
    for record in made_records(n):
        text = record.to_json()
        (loose / f"{record.run_id}.json").write_text(f"{text}\n")
        batch.append(Stored("many", loose / f"{record.run_id}.json", None, text))
        if len(batch) == PART:
            write_part(packed, batch)
            batch = []
    if batch:
        write_part(packed, batch)


def measure(what: str, folder: Path) -> dict[str, float]:
    """Seconds and memory of one piece of work in this process; imports are not counted."""
    import pandas  # noqa: F401

    from predictor.records import check, finished_ids, frame, read_costs

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    start, cpu = time.perf_counter(), time.process_time()
    figures: dict[str, float] = {}
    if what == "status":
        study = folder / "packed" / "many"  # what `trainer status` reads
        figures["records"] = len(finished_ids(study)) and len(read_costs(study))
    elif what == "check":
        figures["faults"] = len(check(folder / "packed"))
    else:
        figures["records"] = len(frame(folder / what))
    figures["seconds"] = time.perf_counter() - start
    figures["CPU"] = time.process_time() - cpu
    figures["GB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    figures["GB before"] = before / 1e9
    return figures


def main() -> None:
    """Make the records where they are not there yet, then measure in fresh processes."""
    if len(sys.argv) > 3:  # one of those processes
        print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]))))
        return
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(temporary)
        if not (folder / "packed").exists():
            make(folder, n)
        load = os.getloadavg()[0]
        print(f"{n:,} records; {platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {load:.1f}")
        print(f"Python {platform.python_version()}, DuckDB {duckdb.__version__}, pydantic {pydantic.VERSION}")
        for what, (seconds, memory) in GOALS.items():
            command = [sys.executable, __file__, what, str(folder), "measure"]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            aim = f"   goal {seconds:g} s, {memory:g} GB" if seconds else ""
            print(f"{what:8}", "   ".join(f"{name} {value:,.2f}" for name, value in found.items()), aim)


if __name__ == "__main__":
    main()
