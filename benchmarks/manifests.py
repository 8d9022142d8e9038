"""How long counting a sample manifest takes beside the same GROUP BY in plain DuckDB, and what memory it needs.

    python benchmarks/manifests.py [--rows 20000000] [--large] [--form csv|parquet|...] [--repeat 3]

Makes the manifests in a temporary folder: `path,label`, 22,000 classes whose sizes follow Zipf's law. Every reading
runs in a process of its own, by turns with the plain GROUP BY. Prints the ratio (medians of n; start of the interpreter
excluded), rows/s and the peak memory of a process that reads once; --large adds a manifest of ten times the rows.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

N_CLASSES = 22_000
FORMS = ("csv", "csv.gz", "csv.zst", "parquet", "jsonl", "txt")
GOAL = 1.15


def make(path: Path, n_rows: int) -> None:
    """Write a sample manifest; its name tells the format."""
    import duckdb

    options = {
        "csv": "FORMAT csv, HEADER",
        "gz": "FORMAT csv, HEADER, COMPRESSION gzip",
        "zst": "FORMAT csv, HEADER, COMPRESSION zstd",
        "parquet": "FORMAT parquet, COMPRESSION zstd",
        "jsonl": "FORMAT json",
        "txt": "FORMAT csv, HEADER false, DELIMITER ' ', QUOTE ''",
    }[path.suffix[1:]]
    with duckdb.connect(config={"memory_limit": "1GB", "preserve_insertion_order": False}) as connection:
        # u^6 of a hashed row gives sizes that fall as a power of the rank
        connection.execute(
            f"COPY (SELECT 'train/' || lpad(label::VARCHAR, 5, '0') || '/' || i || '.jpg' AS path, "
            f"'n' || lpad(label::VARCHAR, 8, '0') AS label FROM (SELECT i, "
            f"floor({N_CLASSES} * pow(hash(i) / 18446744073709551616.0, 6))::BIGINT AS label "
            f"FROM range({n_rows}) t(i))) TO '{path}' ({options})"
        )


def plain(path: Path) -> float:
    """Seconds of the GROUP BY that a person would write."""
    import duckdb

    rows = {
        "parquet": f"SELECT label FROM '{path}'",
        "jsonl": f"SELECT label FROM read_json('{path}')",
        "txt": f"SELECT column1 AS label FROM read_csv('{path}', delim = ' ', header = false)",
    }.get(path.suffix[1:], f"SELECT label FROM read_csv('{path}')")
    start = perf_counter()
    with duckdb.connect() as connection:
        connection.execute(f"SELECT label, count(*) FROM ({rows}) GROUP BY label").fetchall()
    return perf_counter() - start


def ours(path: Path) -> float:
    """Seconds until the labels are counted: format recognised, cells checked, missing labels told apart."""
    from predictor.manifest.counted import ManifestRequest
    from predictor.manifest.counting import count_labels
    from predictor.manifest.readers import reader_of

    start = perf_counter()
    count_labels(reader_of(path), path, ManifestRequest())
    return perf_counter() - start


def whole(path: Path) -> float:
    """Seconds of `open_manifest`, which also sorts the classes and builds the label distribution."""
    from predictor.manifest import open_manifest

    start = perf_counter()
    open_manifest(path)
    return perf_counter() - start


def measured(path: Path, what: str, repeat: int) -> dict[str, list[float]]:
    """Times and the peak memory (MB) of one process. what : 'plain', 'ours', 'whole' or 'all'"""
    import duckdb  # noqa: F401, its import is start-up

    works = {"plain": plain, "ours": ours, "whole": whole}
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeat):
        for name, work in works.items():
            if what in (name, "all"):
                times[name].append(work(path))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {**times, "peak": [peak / (2**20 if sys.platform == "darwin" else 1024)]}


def in_a_process(path: Path, what: str, repeat: int) -> dict[str, list[float]]:
    """`measured` in a new interpreter."""
    words = [sys.executable, __file__, "--measure", str(path), what, str(repeat)]
    return json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def report_memory(path: Path, n_rows: int) -> None:
    """Print what one reading of a large manifest takes."""
    found = in_a_process(path, "whole", 1)
    (seconds,), (peak,) = found["whole"], found["peak"]
    print(
        f"{path.name:12} {n_rows:>12,} rows {path.stat().st_size / 1e6:8,.0f} MB   ours {seconds:7.2f} s   "
        f"{n_rows / seconds / 1e6:6.1f} M rows/s   peak {peak:4.0f} MB   n 1",
        flush=True,
    )


def report(path: Path, n_rows: int, repeat: int) -> None:
    """Print one row of the table."""
    times = in_a_process(path, "all", repeat)
    peak = in_a_process(path, "whole", 1)["peak"][0]
    peak_plain = in_a_process(path, "plain", 1)["peak"][0]
    median = {name: statistics.median(times[name]) for name in ("plain", "ours", "whole")}
    print(
        f"{path.name:12} {n_rows:>12,} rows {path.stat().st_size / 1e6:8,.0f} MB   DuckDB {median['plain']:7.2f} s   "
        f"ours {median['ours']:7.2f} s   ratio {median['ours'] / median['plain']:5.2f} (goal {GOAL})   "
        f"with its label distribution {median['whole'] / median['plain']:5.2f}   "
        f"{n_rows / median['ours'] / 1e6:6.1f} M rows/s   peak {peak:4.0f} MB (DuckDB {peak_plain:4.0f})   n {repeat}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--form", action="append", choices=FORMS)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        path, what, repeat = given.measure
        print(json.dumps(measured(Path(path), what, int(repeat))))
        return
    import duckdb

    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; Python {platform.python_version()}, "
        f"DuckDB {duckdb.__version__}; {N_CLASSES:,} classes"
    )
    for form in given.form or FORMS[:4]:
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"m.{form}"
            make(path, given.rows)
            report(path, given.rows, given.repeat)
            if given.large:
                make(path, 10 * given.rows)
                report_memory(path, 10 * given.rows)


if __name__ == "__main__":
    main()
