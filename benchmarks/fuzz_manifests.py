"""Fuzz every reader of manifests with coverage-guided bytes: a result or one ManifestError, never anything else.

    pip install atheris        # Linux and macOS; the tests fuzz with hypothesis alone
    python benchmarks/fuzz_manifests.py [-max_total_time=300] [-timeout=20] [-rss_limit_mb=4096] [CORPUS]

Arguments go to libFuzzer, which ends with the offending bytes in a file where something else than a ManifestError is
raised, where an input takes too long, or where memory runs out. It starts from one small file of each format.
"""

from __future__ import annotations

import gzip
import io
import sys
import tarfile
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["predictor.manifest"]):
    from predictor.errors import ManifestError
    from predictor.manifest import open_manifest

TABLE = b'label,count,source\ncat,3,web\ndog,x,web\n"a,b",2,\n'
SEEDS = {
    "csv": TABLE,
    "tsv": TABLE.replace(b",", b"\t"),
    "gz": gzip.compress(TABLE),
    "jsonl": b'{"label": "cat"}\n{"label": 3, "count": 1}\n',
    "array": b'[{"label": "cat"}, {"label": null}]',
    "list": b"train/a/1.jpg 0\ntrain/b/2.jpg 1\n",
    "open-images": b"ImageID,Source,LabelName,Confidence\n00a,verification,/m/01,1\n00a,machine,/m/02,0\n",
}


def shard() -> bytes:
    """A tar of two samples."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in (("0.cls", b"3"), ("0.jpg", b"x"), ("1.json", b'{"label": "cat"}')):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def parquet() -> bytes:
    """A table of one column."""
    import duckdb

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m.parquet")
        duckdb.sql(f"COPY (SELECT 'cat' AS label, 2 AS count) TO '{path}' (FORMAT parquet)")
        return path.read_bytes()


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    corpus = folder / "corpus"
    corpus.mkdir()
    for name, content in {**SEEDS, "tar": shard(), "parquet": parquet()}.items():
        (corpus / name).write_bytes(content)
    path = folder / "manifest"

    def once(data: bytes) -> None:
        path.write_bytes(data)
        try:
            open_manifest(path)
        except ManifestError as error:
            assert "\n" not in str(error), "one line"

    atheris.Setup([*sys.argv, str(corpus)], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
