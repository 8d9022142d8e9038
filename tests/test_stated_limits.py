"""The limits that README states are those of the code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from predictor.errors import ManifestError
from predictor.grids import limits as grids
from predictor.manifest import read_manifest
from predictor.manifest.readers import text as manifests
from predictor.manifest.table import MAX_KEYS
from predictor.models.fit import MAX_FIT
from predictor.reading import MIB
from predictor.records import parts
from predictor.text import MAX_NAME


def test_readme_states_the_limits():
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    stated = " ".join(text[text.index("- Limits, looked at") :].split("\n\n")[0].split())
    assert stated == (
        f"- Limits, looked at before the work: a grid {grids.MAX_FILE // MIB} MiB, {grids.MAX_NODES:,} values, "
        f"{grids.MAX_RUNS:,} runs; a record {parts.MAX_RECORD // MIB} MiB; a part {parts.MAX_ROWS:,} records, and "
        f"{parts.FREE >> 30} GiB or {parts.RATIO:,} times its size of text; a fit {MAX_FIT // MIB} MiB; a name "
        f"{MAX_NAME:,} characters; a manifest {MAX_KEYS:,} labels, and {manifests.FREE >> 30} GiB or {manifests.RATIO} "
        "times its size unpacked."
    )


def test_readme_states_how_often_it_is_attacked() -> None:
    root = Path(__file__).parents[1]
    asked = [sys.executable, str(root / "benchmarks/attacks"), "--help"]
    told = subprocess.run(asked, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "10000"})
    kinds = {kind: int(n) for kind, n in re.findall(r"'([^']+)' \((\d+)\)", told.stdout)}
    n = sum(kinds.values())
    assert len(kinds) == 13 and n >= 600
    assert f"{n:,} of {n:,} (" in (root / "README.md").read_text(encoding="utf-8")


def test_a_json_record_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    path.write_bytes(b'{"label": "cat", "x": "' + b"y" * 40_000_000 + b'"}\n')
    with pytest.raises(ManifestError, match=r"a record of more than 16 MB. leave the content of images out"):
        read_manifest(path)
