"""Few bytes that stand for a lot of work."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
from harness import Attack
from made import all_of, grid, manifest, records, registry

MIB = 1 << 20


def _write(name: str, content: bytes | Callable[[], bytes]) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content if isinstance(content, bytes) else content())


def _parquet(name: str, select: str) -> Callable[[Path], object]:
    return lambda folder: duckdb.execute(f"COPY ({select}) TO '{folder / name}' (FORMAT parquet, COMPRESSION zstd)")


def _long_line(folder: Path) -> None:
    with open(folder / "m.jsonl", "wb") as file:
        file.write(b'{"label": "cat", "x": "')
        for _ in range(1024):
            file.write(b"y" * MIB)
        file.write(b'"}\n')


def _gzip(n: int) -> bytes:
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb") as file:
        file.write(b"label,count\n")
        for _ in range(n):
            file.write(b"cat,1\n" * (MIB // 6))
    return stream.getvalue()


def _zstd(n: int) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        duckdb.execute(f"COPY (SELECT 'cat' AS label, 1 AS count FROM range({n})) TO '{folder}/m.csv.zst' "
                       "(FORMAT csv, COMPRESSION zstd)")  # fmt: skip

    return write


def _tar(*members: tuple[str, int, bytes], kind: bytes = tarfile.REGTYPE) -> bytes:
    """Members as (name, stated size, content)."""
    stream = io.BytesIO()
    for name, size, content in members:
        member = tarfile.TarInfo(name)
        member.size, member.type = size, kind
        stream.write(member.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512))
    return stream.getvalue() + bytes(1024)


def _sparse_tar() -> bytes:
    """A member with holes, as GNU tar stores it."""
    return _tar(("a.cls", 0, b""), kind=tarfile.GNUTYPE_SPARSE)


def _pax(records_: dict[str, str]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("a.cls")
        member.pax_headers = records_
        archive.addfile(member, io.BytesIO(b""))
    return stream.getvalue()


MANIFESTS: dict[str, tuple[str, Callable[[Path], object], tuple[int, ...]]] = {
    "gzip of 3 GiB": ("m.csv.gz", _write("m.csv.gz", lambda: _gzip(3 * 1024)), (2,)),
    "gzip of nothing": ("m.csv.gz", _write("m.csv.gz", gzip.compress(b"")), (2,)),
    "gzip cut": ("m.csv.gz", _write("m.csv.gz", lambda: _gzip(1)[:-9]), (2,)),
    "gzip in gzip": ("m.csv.gz", _write("m.csv.gz", lambda: gzip.compress(_gzip(50))), (2,)),
    "zstd of 200 million rows": ("m.csv.zst", _zstd(200_000_000), (2,)),
    "Parquet of 10^11 rows": ("m.parquet", _parquet("m.parquet", "SELECT 'a' AS label FROM range(30000000)"), (0,)),
    "Parquet of one text of 500 MB": ("m.parquet", _parquet("m.parquet", "SELECT repeat('x', 500000000) AS label"), (2,)),
    "Parquet of 5,000 columns": (
        "m.parquet", _parquet("m.parquet", "SELECT 'a' AS label, " + ", ".join(f"{i} AS c{i}" for i in range(5000))), (0,),
    ),
    "Parquet of lists of 10^6": (
        "m.parquet", _parquet("m.parquet", "SELECT range(1000000)::VARCHAR[] AS label FROM range(3)"), (0, 2),
    ),
    "Parquet, deep": ("m.parquet", _parquet("m.parquet", "SELECT " + "[" * 60 + "'a'" + "]" * 60 + " AS label"), (0, 2)),
    "Parquet without a footer": ("m.parquet", _write("m.parquet", b"PAR1" + b"x" * 100), (2,)),
    "Parquet, footer of 4 GiB": ("m.parquet", _write("m.parquet", b"PAR1" + b"\xff\xff\xff\xffPAR1"), (2,)),
    "a label of 100 MB": ("m.csv", _write("m.csv", lambda: b"label\n" + b"x" * (100 * MIB) + b"\n"), (2,)),
    "a quote that is never closed": ("m.csv", _write("m.csv", lambda: b'label\n"' + b"cat\n" * (5 * MIB)), (2,)),
    "a header of 50 MB": ("m.csv", _write("m.csv", lambda: b"c," * (25 * MIB) + b"label\n"), (2,)),
    "20,000 columns": (
        "m.csv", _write("m.csv", b",".join(b"c%d" % i for i in range(20_000)) + b",label\n" + b"," * 20_000 + b"cat\n"), (0, 2),
    ),
    "a million classes": ("m.csv", _write("m.csv", lambda: b"label\n" + b"\n".join(b"c%d" % i for i in range(10**6))), (0,)),
    "six million classes": ("m.csv", _write("m.csv", lambda: b"label\n" + b"\n".join(b"%d" % i for i in range(6 * 10**6))), (2,)),
    "counts that add up beyond 64 bits": ("m.csv", _write("m.csv", b"label,count\n" + b"a,9223372036854775807\n" * 3), (2,)),
    "a count of 5,000 digits": ("m.csv", _write("m.csv", b"label,count\na," + b"9" * 5000 + b"\n"), (2,)),
    "a count of 1e308": ("m.csv", _write("m.csv", b"label,count\na,1e308\nb,1e308\n"), (2,)),
    "a JSON line of 200 MB": (
        "m.jsonl", _write("m.jsonl", lambda: b'{"label": "cat", "x": "' + b"y" * (200 * MIB) + b'"}\n'), (0, 2),
    ),
    "a JSON line of 1 GB": ("m.jsonl", _long_line, (2,)),
    "JSON 100,000 deep": ("m.jsonl", _write("m.jsonl", b'{"label": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"), (2,)),
    "JSON of 10^6 keys": (
        "m.jsonl", _write("m.jsonl", json.dumps({"label": "cat"} | {f"k{i}": 1 for i in range(10**5)}).encode()), (0, 2),
    ),
    "JSON array without an end": ("m.json", _write("m.json", b'[{"label": "cat"}' * 10**5), (2,)),
    "tar: a member of 2^60 bytes": ("m.tar", _write("m.tar", _tar(("a.cls", 1 << 60, b"1"))), (2,)),
    "tar: sparse": ("m.tar", _write("m.tar", _sparse_tar()), (2,)),
    "tar: pax sparse": ("m.tar", _write("m.tar", _pax({"GNU.sparse.major": "1", "GNU.sparse.name": "x"})), (2,)),
    "tar: a size of 10^30": ("m.tar", _write("m.tar", _pax({"size": "9" * 30})), (2,)),
    "tar: a name of 900 kB": ("m.tar", _write("m.tar", _pax({"path": "x/" * 450_000 + "a.cls"})), (0, 2)),
    "tar: names that lead out": (
        "m.tar", _write("m.tar", _tar(("../../outside/0.cls", 1, b"1"), ("/etc/1.cls", 1, b"2"))), (0, 2),
    ),
    "tar: links": ("m.tar", _write("m.tar", _tar(("a.cls", 0, b""), kind=tarfile.SYMTYPE)), (2,)),
    "tar: devices": ("m.tar", _write("m.tar", _tar(("a.cls", 0, b""), kind=tarfile.CHRTYPE)), (2,)),
    "tar.gz of 3 GiB": (
        "m.tar.gz", lambda folder: (folder / "m.tar.gz").write_bytes(gzip.compress(_tar(("a.bin", 3 << 30, b"")) + bytes(2_000 * MIB), 1)), (2,),
    ),
    "all bytes": ("m.csv", _write("m.csv", bytes(range(256)) * 100), (2,)),
    "UTF-16": ("m.csv", _write("m.csv", "label,count\ncat,3\n".encode("utf-16")), (0, 2)),
    "ends of lines alone": ("m.csv", _write("m.csv", lambda: b"\n" * (20 * MIB)), (2,)),
    "one byte": ("m.csv", _write("m.csv", b"x"), (0, 2)),
    "nothing": ("m.csv", _write("m.csv", b""), (2,)),
}  # fmt: skip


def manifests() -> Iterator[Attack]:
    """Label lists that unpack, nest or repeat without end."""
    for what, (name, prepare, codes) in MANIFESTS.items():
        yield Attack(kind="bombs", what=f"manifest: {what}", args=["indicators", name], prepare=prepare, codes=codes)
    for what in ("a million classes", "six million classes"):
        name, prepare, codes = MANIFESTS[what]
        yield Attack(kind="bombs", what=f"predict: {what}", args=["predict", name], prepare=prepare, codes=codes)
        yield Attack(kind="bombs", what=f"--targets: {what}", prepare=all_of(manifest, prepare),
                     args=["indicators", "m.parquet", "--targets", name], codes=(2,))  # fmt: skip


LEVELS = str([*range(1, 1001)])
GRIDS = {
    "10^9 runs": ("samples_per_class: [5, 20]", f"samples_per_class: {LEVELS}, image_steps: {LEVELS}, learning_rate: {LEVELS}"),
    "300,000 seeds": ("[0, 1]", str([*range(100_000)]).replace(" ", "")),
    "10^7 draws": ("grid:\n  - {", "random:\n  - {sample: 10000000, seed: 0, "),
    "100,000 draws": ("grid:\n  - {", "random:\n  - {sample: 100000, seed: 0, "),
    "10^30 draws": ("grid:\n  - {", f"random:\n  - {{sample: 1{'0' * 30}, seed: 0, "),
    "brackets": ("[0, 1]", "[" * 5_000), "braces": ("[0, 1]", "{a: " * 5_000), "half a million brackets": ("[0, 1]", "[" * 500_000),
    "nine levels of ten aliases": (
        "recipe:", "a: &a0 [1]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10)) + "recipe:",
    ),
    "merged aliases": (
        "recipe:", "a: &a0 {k: 1}\n" + "".join(f"a{i}: &a{i} {{x: *a{i - 1}, y: *a{i - 1}}}\n" for i in range(1, 60)) + "recipe:",
    ),
    "an alias of itself": ("recipe:", "a: &a [*a]\nrecipe:"), "an alias of its mapping": ("recipe:", "a: &a {b: *a}\nrecipe:"),
    "a chain of aliases": (
        "recipe:", "a: &a0 [1]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 3_000)) + "recipe:",
    ),
    "2 MiB": ("recipe:", "# " + "x" * (2 * MIB) + "\nrecipe:"), "a number of 5,000 digits": ("protocol: 3", f"protocol: {'9' * 5_000}"),
    "1e999999": ("learning_rate: 0.03", "learning_rate: 1e999999"), "an impossible date": ("protocol: 3", "protocol: 2020-99-99"),
    "base 60": ("protocol: 3", "protocol: 190:20:30"), "NaN": ("learning_rate: 0.03", "learning_rate: .nan"),
    "infinity": ("image_steps: 2000", "image_steps: .inf"), "a name of 300,000": ("study: demo", f"study: {'x' * 300_000}"),
    "a target set's name of 100,000": ("digits8: {", f"? {'x' * 100_000}\n  : {{"), "a class of 100,000": ('"0"', f'"{"x" * 100_000}"'),
    "30,000 classes": ('"0", "1", "2"', ", ".join(f'"{i}"' for i in range(30_000))),
    "the same class 30,000 times": ('"0", "1", "2"', ", ".join(['"0"'] * 30_000)),
    "not UTF-8": ("demo", "d\udcffmo"), "NUL": ("demo", "d\x00mo"), "a study that leads out": ("study: demo", "study: ../outside"),
    "a study that is a path": ("study: demo", "study: /tmp/pwned"), "a tag": ("demo", '!!python/object/apply:os.system ["touch pwned"]'),
    "another tag": ("demo", '!!python/name:os.system'), "two documents": ("recipe:", "---\nrecipe:"), "a huge head": ("head: 10", "head: 1000000000"),
    "a huge image": ("image_size: 16", "image_size: 1000000"), "a huge batch": ("batch_size: 64", "batch_size: 100000000000"),
    "10^18 images": ("[5, 20]", "1000000000000000000"), "tabs": ("seeds:", "\tseeds:"), "a network that is code": ("predictor_small", "__import__('os')"),
    "a network that is a path": ("predictor_small", "hf-hub:../../x"), "others without end": (
        "samples_per_class: [5, 20]", "samples_per_class: 5, others: {source: digits, n_classes: 1000000000, samples_per_class: 1000000000}",
    ),
}  # fmt: skip


def grids() -> Iterator[Attack]:
    """Grids that describe more than anybody could train."""
    for what, change in GRIDS.items():
        for args in (["plan", "g.yaml"], ["run", "g.yaml"]):
            yield Attack(kind="bombs", what=f"grid: {what}: {args[0]}", args=args, program="trainer",
                         prepare=lambda folder, change=change: grid(folder, *change))  # fmt: skip
        yield Attack(kind="bombs", what=f"grid: {what}: rates", args=["rates", "g.yaml"],
                     prepare=lambda folder, change=change: grid(folder, *change), codes=(0, 2))  # fmt: skip


def registries() -> Iterator[Attack]:
    """Parts and records that unpack without end."""
    rows = "SELECT '0123456789abcdef' AS run_id, {} AS record FROM range({})"
    parts = {
        "20 million records": rows.format("'x'", 20_000_000), "2,000 records of 1 MB": rows.format("repeat('x', 1000000)", 2_000),
        "a record of 200 MB": rows.format("repeat('x', 200000000)", 1), "no column": "SELECT 1 AS a",
        "numbers": "SELECT 1 AS run_id, 2 AS record", "lists": "SELECT ['a'] AS run_id, ['b'] AS record",
    }  # fmt: skip
    for what, select in parts.items():
        for args in (
            ["runs", "list", "runs"],
            ["runs", "check", "runs"],
            ["agreement", "runs"],
            ["runs", "pack", "runs"],
        ):

            def prepare(folder: Path, select: str = select) -> None:
                study = registry(folder)
                duckdb.execute(f"COPY ({select}) TO '{study}/runs-001.parquet' (FORMAT parquet, COMPRESSION zstd)")

            yield Attack(kind="bombs", what=f"part: {what}: {args[1]}", args=args, prepare=prepare)
    texts = {
        "brackets": "[" * 200_000, "braces": '{"a":' * 100_000, "digits": "9" * 10_000, "a huge record": "x" * (70 * MIB),
        "a name of 100,000": records(1)[0].replace('"study"', '"study"').replace('"domain":"', '"domain":"' + "x" * 100_000),
    }  # fmt: skip
    for what, text in texts.items():
        for args in (["runs", "list", "runs"], ["runs", "check", "runs"], ["report", "runs"]):

            def put(folder: Path, text: str = text) -> None:
                (registry(folder) / "0123456789abcdef.json").write_text(text)

            yield Attack(kind="bombs", what=f"record: {what}: {args[0]}", args=args, prepare=put)
    yield Attack(kind="bombs", what="a registry of 10,000 studies", args=["runs", "list", "runs", "--format", "csv"], codes=(0,),
                 prepare=lambda folder: (registry(folder), [(folder / f"runs/s{i}").mkdir() for i in range(10_000)]))  # fmt: skip
