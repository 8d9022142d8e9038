"""The published tables: the parts that ship equal the readable tables, and these equal the paper."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import pytest

from predictor.errors import RegistryError
from predictor.importers.published import CITATIONS, published_records, write_published
from predictor.records import check, read_registry

RUNS = Path(__file__).parent.parent / "runs"

# the paper, Table 3, in per cent: samples, left-skew, long-tail @500 and @100, accuracy, robustness
TABLE_3 = """
in100 (100%) 125,000  5  0 0 85.3 40.6
in100 (62%)  130,000  5  0 0 82.5 43.1
oi100 (71%)  190,000 45  0 0 82.2 44.3
oi100 (60%)  101,000 13  0 0 79.3 41.3
oi100 (88%)   90,000 25  0 0 76.6 38.8
oi100 (67%)  135,000 31  9 9 73.9 40.7
oi100 (57%)  105,000 12  9 9 73.4 39.1
oi100 (100%) 135,000 64 64 9 67.7 37.2
oi100 (100%)  53,000 18 67 9 58.2 31.1
"""


@pytest.mark.parametrize("study", CITATIONS)
def test_parts_equal_their_tables(study: str) -> None:
    table = published_records(RUNS / study / "table.csv", study=study, citation=CITATIONS[study])
    assert read_registry(RUNS, [study]) == sorted(table, key=lambda record: record.run_id)
    assert check(RUNS / study) == []
    for record in table:
        assert record.provenance == "published" and record.data.kind == "reported" and record.spec is None
        assert record.citation and record.distribution is None, "no counts are invented"


def test_table_3_is_the_papers() -> None:
    records = published_records(RUNS / "published-table3" / "table.csv", study="published-table3", citation="x")
    rows = [re.split(r"\s+", line.strip()) for line in TABLE_3.strip().splitlines()]
    assert len(rows) == len(records) == 9
    for (source, share, samples, *per_cent), record in zip(rows, records, strict=True):
        assert record.axes == {"source": source, "source_share": float(share.strip("(%)")) / 100}
        found = [*record.data.indicators.values(), *(outcome.value for outcome in record.outcomes.values())]
        assert found == pytest.approx([int(samples.replace(",", "")), *(float(x) / 100 for x in per_cent)])
        assert list(record.data.indicators) == ["n_samples", "left_skew@5", "long_tail@500", "long_tail@100"]


def test_tables_1_and_2() -> None:
    one, two = (
        published_records(RUNS / study / "table.csv", study=study, citation="x")
        for study in ("published-table1", "published-table2")
    )
    assert [r.outcomes["accuracy"].value for r in one] == [0.958, 0.95, 0.952, 0.867, 0.689, 0.664, 0.267]
    assert [r.outcomes["robustness"].value for r in one] == [0.59, 0.537, 0.522, 0.434, 0.188, 0.362, 0.052]
    assert [r.data.indicators["n_samples"] / 1e6 for r in one] == [15.4, 12.6, 1.2, 14.2, 14.2, 14.2, 14.2]
    assert (one[0].axes["pretrain_classes"], one[0].axes["finetune_classes"]) == (21800, 1000)
    assert "finetune_classes" not in one[2].axes and one[2].data.indicators["n_classes"] == 1000
    values = {r.axes["others"]: (r.outcomes["accuracy"].value, r.outcomes["robustness"].value) for r in two}
    assert values == {"OpenImages": (0.915, 0.502), "ImageNet": (0.907, 0.468), "FractalDB": (0.854, 0.402)}


def test_parts_are_written_from_the_tables(tmp_path: Path) -> None:
    for study in CITATIONS:
        (tmp_path / study).mkdir()
        shutil.copy(RUNS / study / "table.csv", tmp_path / study)
    written = write_published(tmp_path)
    assert [part.relative_to(tmp_path) for part in written] == [Path(study) / "runs-001.parquet" for study in CITATIONS]
    # records, not bytes: a field that the schema gained since then has its default there
    assert read_registry(tmp_path) == read_registry(RUNS, list(CITATIONS))
    assert write_published(tmp_path) == [], "what is there stays"
    table = tmp_path / "published-table2" / "table.csv"
    table.write_text(table.read_text().replace("0.915", "0.925"))
    with pytest.raises(RegistryError, match=r"is not in table.csv\. delete the parts"):
        write_published(tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("web,many,0.5,0.5", "line 2: n_samples is 'many'; needed a number"),
        ("web,10,,0.5", "line 2: column 'accuracy' is empty or missing"),
        ("web,10,0.5,0.5\nweb,10,0.5,0.5", "line 3: the row stands there twice"),
    ],
)
def test_bad_tables(tmp_path: Path, line: str, message: str) -> None:
    table = tmp_path / "table.csv"
    table.write_text(f"others,n_samples,accuracy,robustness\n{line}\n")
    with pytest.raises(RegistryError, match=message):
        published_records(table, study="demo", citation="x")
    with pytest.raises(RegistryError, match="not a readable table"):
        published_records(tmp_path / "none.csv", study="demo", citation="x")


def test_tables_hold_fractions() -> None:
    for study in CITATIONS:
        with open(RUNS / study / "table.csv", newline="") as file:
            assert all(
                0 <= float(row[name]) <= 1 for row in csv.DictReader(file) for name in ("accuracy", "robustness")
            )
