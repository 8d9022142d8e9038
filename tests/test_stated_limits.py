"""The limits that README states are those of the code."""

from __future__ import annotations

from pathlib import Path

from predictor.grids import limits as grids
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
