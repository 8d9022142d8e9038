"""Cells and words of tables of others: what is empty, odd or said twice is named; a row's identity is its own."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_import_table import call, one_line, refusal, table

from predictor.errors import FitError, ManifestError, RegistryError, SpecError
from predictor.fitting import fit_registry
from predictor.importers.build import build
from predictor.importers.mapping import checked_map, read_map_text
from predictor.importers.readers.files import read_table
from predictor.importers.table import ImportedTable
from predictor.importers.timm import CLEAN, SHIFTS, read_timm
from predictor.records import check, read_registry
from predictor.records.schema import former_imported_id

SMALL: dict[str, Any] = {
    "study": "s", "citation": "c", "target_set": "t", "domain": "d", "identity": ["m"], "indicators": ["n"],
    "outcomes": {"accuracy": "a"},
}  # fmt: skip
COUNTED = {name: value for name, value in SMALL.items() if name != "indicators"}
SHIFTED: dict[str, Any] = {**SMALL, "outcomes": {"accuracy": "a", "shift:x": "b"}}


def small(m: list[Any] | None = None, n: list[Any] | None = None, **more: list[Any]) -> ImportedTable:
    columns = {"m": m or ["a", "b"], "n": n or [5, 6], "a": [0.5, 0.6], **more}
    return table(**columns)


def names(plan: dict[str, Any], of: ImportedTable) -> list[Any]:
    return [record.axes["m"] for record in build(of, checked_map(plan, "m")).records]


@pytest.mark.parametrize(
    "part",
    [{"only": {"w": ["x"]}}, {"words": ["w"]}, {"effective_robustness": {"name": "x", "reference": {"w": ["x"]}}}],
)
def test_a_mapping_where_a_word_is_expected_is_named(part: dict[str, Any]) -> None:
    text = refusal({**SHIFTED, **part}, small(w=[{"x": 1}, "x"], b=[0.4, 0.5]))
    assert "1 cells cannot be read: line 2, column 'w': {'x': 1} is no text" in text, text


def test_a_number_beyond_all_others_is_no_finite_number() -> None:
    assert "line 3, column 'n': 1000" in (text := refusal(SMALL, small(n=[5, 10**400])))
    assert "is no finite number" in text


@pytest.mark.parametrize(
    ("cells", "said"),
    [(["true", "false"], True), (["True", "False"], True), ([True, False], True), ([True, False], "true"),
     ([True, False], "True")],
)  # fmt: skip
def test_a_truth_of_a_map_is_the_same_in_every_file(cells: list[Any], said: Any) -> None:
    assert names({**SMALL, "only": {"w": [said]}}, small(w=cells)) == ["a"]
    none = refusal({**SMALL, "only": {"w": [said]}}, small(w=["no", "?"]))
    assert "no row is left; 2 rows left out: w is not" in none


def test_numbers_of_classes_are_looked_up_as_only_does() -> None:
    plan = {**COUNTED, "counts": {"k": "n", "classes": {"by": "w", "of": {10: 3, 20: 2}}}}
    found = build(small(w=["10.0", 20]), checked_map(plan, "m")).records
    assert [len(record.data.stages[0].counts) for record in found] == [3, 2]


def test_what_a_map_may_name_beside_texts_and_numbers(tmp_path: Path) -> None:
    assert names({**SMALL, "only": {"w": [date(2026, 1, 2)]}}, small(w=["5", "2026-01-02"])) == ["b"]
    (tmp_path / "map.yaml").write_text("- study\n")
    with pytest.raises(SpecError, match=r"map.yaml: holds no map\. state study, target_set"):
        read_map_text(tmp_path / "map.yaml")


def test_reference_sets_compare_cells_as_only_does() -> None:
    rows = {"m": list("abcdefghijkl"), "n": list(range(12)), "a": [i / 20 for i in range(1, 13)],
            "b": [i / 25 for i in range(1, 13)], "w": ["10.0"] * 11 + ["?"], "t": [True] * 12}  # fmt: skip
    reference = {"name": "ten", "reference": {"w": [10], "t": [True]}}
    found = build(table(**rows), checked_map({**SHIFTED, "effective_robustness": reference}, "m"))
    assert found.lines[0].n_reference == 11


@pytest.mark.parametrize("cell", ["-1", -1, -1.0])
def test_a_word_for_no_value_is_one_in_every_file(cell: Any) -> None:
    found = build(table(m=["a", "b"], n=[5, 6], a=[0.5, cell]), checked_map({**SMALL, "missing": [-1]}, "m"))
    assert [record.axes["m"] for record in found.records] == ["a"]
    assert found.notes == ("1 rows left out: no outcome has a value there (line 3)",)


@pytest.mark.parametrize(
    ("plan", "column"),
    [
        (SMALL, "m"),
        ({**SMALL, "seed": "w"}, "w"),
        ({**COUNTED, "counts": {"columns": {"bee": "n", "bus": "n"}}, "image_steps": "w"}, "w"),
        ({**COUNTED, "counts": {"k": "w", "classes": 3}, "ignore": ["n"]}, "w"),
        ({**COUNTED, "counts": {"k": "n", "classes": {"column": "w"}}}, "w"),
        ({**COUNTED, "counts": {"k": "n", "classes": {"by": "w", "of": {"5": 3}}}}, "w"),
        ({**COUNTED, "counts": {"cell": "w"}, "ignore": ["n"]}, "w"),
    ],
)
def test_an_empty_cell_where_a_value_must_stand(plan: dict[str, Any], column: str) -> None:
    good = '{"bee": 5, "bus": 6}' if plan.get("counts") == {"cell": "w"} else 5
    cells = {"m": ["a", "b"], "n": [5, 6], "w": [good, good]}
    cells[column] = [cells[column][0], ""]
    plan = plan if "w" in str(plan.values()) else {**plan, "ignore": ["w"]}
    text = refusal(plan, table(**cells, a=[0.5, 0.6]))
    assert f"1 cells cannot be read: line 3, column {column!r}: is empty" in text, text
    left = build(table(**cells, a=[0.5, ""]), checked_map(plan, "m"))
    assert len(left.records) == 1 and "(line 3)" in left.notes[0], "a row without an outcome needs no other value"


def test_a_count_that_is_not_there_is_no_zero() -> None:
    plan = {**COUNTED, "counts": {"columns": {"bee": "n", "bus": "w", "cat": "x"}}}
    text = refusal(plan, small(w=[5, ""], x=[0, 1]))
    assert "line 3, column 'w': is empty; write 0 where a class has no images" in text
    cell = {**COUNTED, "counts": {"cell": "w"}, "ignore": ["n"]}
    assert "line 3: 0 classes have images; needed 2 or more" in refusal(cell, small(w=[{"bee": 5, "bus": 1}, {}]))


def test_counts_in_a_cell_of_every_file(tmp_path: Path) -> None:
    import duckdb

    duckdb.sql(
        f"COPY (SELECT 'a' AS m, .5 AS a, {{'bee': 5, 'bus': 6, 'cat': NULL}} AS w "
        f"UNION ALL SELECT 'b', .6, {{'bee': 5, 'bus': NULL, 'cat': 7}}) TO '{tmp_path / 't.parquet'}'"
    )
    (tmp_path / "t.csv").write_text(
        'm,a,w\na,.5,"{""bee"": 5, ""bus"": 6}"\nb,.6,"{""bee"": 5, ""cat"": 7}"\n', encoding="utf-8"
    )
    plan = checked_map({**COUNTED, "counts": {"cell": "w"}}, "m")
    for file in ("t.parquet", "t.csv"):
        found = build(read_table(tmp_path / file), plan).records
        stages = [record.data.stages[0] for record in found]
        assert [dict(zip(s.classes, s.counts, strict=True)) for s in stages] == [
            {"bee": 5, "bus": 6}, {"bee": 5, "cat": 7}]  # fmt: skip
    for wrong, told in (("{'bee': 5}", "is no mapping of class"), ('{"a": 1, "a": 2}', "the key 'a' stands twice")):
        assert told in refusal({**COUNTED, "counts": {"cell": "w"}, "ignore": ["n"]}, small(w=[wrong, wrong]))


@pytest.mark.parametrize("classes", [{"column": "w"}, 3_000_000_000, {"by": "w", "of": {"3000000000": 3_000_000_000}}])
def test_more_classes_than_a_record_holds_are_refused(classes: Any) -> None:
    plan = {**COUNTED, "counts": {"k": "n", "classes": classes}, "ignore": "rest"}
    text = refusal(plan, small(w=[3_000_000_000, 3]))
    assert "3,000,000,000 classes; at most 100,000 are read" in text or "less than or equal to 100000" in text, text
    plan = {**COUNTED, "counts": {"k": "n", "classes": 2}}
    assert "is more than 9,007,199,254,740,992" in refusal(plan, small(n=[1e300, 3]))


def test_a_key_that_stands_twice_in_a_record(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('[{"m": "a", "a": 0.5, "a": 0.6}]')
    with pytest.raises(RegistryError, match=r"t.json: the key 'a' stands twice in .*\. leave one of them"):
        read_table(tmp_path / "t.json")
    (tmp_path / "t.jsonl").write_text('{"m": "a"}\n{"m": "a", "w": {"x": 1, "x": 2}}')
    with pytest.raises(RegistryError, match=r"line 2: the key 'x' stands twice"):
        read_table(tmp_path / "t.jsonl")


def test_columns_of_parquet_that_differ_in_capitals_alone(tmp_path: Path) -> None:
    pq.write_table(
        pa.table([pa.array([0.5]), pa.array([{"x": {"y": [1]}}]), pa.array([0.1]), pa.array(["a"])],
                 names=["acc", "nested", "ACC", "m"]), tmp_path / "t.parquet",
    )  # fmt: skip
    found = read_table(tmp_path / "t.parquet")
    assert found.columns == ("acc", "nested", "ACC", "m")
    assert found.rows == ((0.5, {"x": {"y": [1]}}, 0.1, "a"),)


def test_a_sheet_is_named_in_the_map(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["n_samples", "accuracy"])
    book.active.append([100, 0.5])
    book.create_sheet("other")
    book.save(tmp_path / "t.xlsx")
    with pytest.raises(ManifestError, match=r"has 2 sheets: .* name one: in the map, as in  sheet: 'Sheet'"):
        read_table(tmp_path / "t.xlsx")
    assert len(read_table(tmp_path / "t.xlsx", sheet="Sheet").rows) == 1


def test_a_folder_of_timm(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RegistryError, match=r"file: is no folder\. name timm's results folder"):
        read_timm(tmp_path / "file")
    for name in (CLEAN, *(file for files in SHIFTS.values() for file in files if file)):
        (tmp_path / name).write_text("model,img_size,top1,param_count\nx.a1_in1k,224,50,1\nx.a1_in1k,224,51,1\n")
    with pytest.raises(RegistryError, match=r"'x.a1_in1k' at 224 px stands there twice\. remove one of the two lines"):
        read_timm(tmp_path)


def test_a_fit_says_which_configurations_it_cannot_tell_apart() -> None:
    rows = 24
    of = table(m=[f"net {n}" for n in range(rows)], bee=[5 + n % 8 for n in range(rows)], bus=[9] * rows,
               a=[0.4 + n / 100 for n in range(rows)])  # fmt: skip
    plan = checked_map({**COUNTED, "counts": {"columns": ["bee", "bus"]}}, "m")
    with pytest.raises(FitError) as told:
        fit_registry(list(build(of, plan).records), studies=["s"])
    found = "accuracy: 8 configurations (24 by their settings: those that a fit cannot tell apart are one); at least 10"
    assert found in str(told.value)
    assert "add results on other images" in str(told.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"at_least": [{"outcome": "acuracy", "than": "all"}]}, "at_least.0: the map has no outcome 'acuracy' (near:"),
        ({"at_least": [{"outcome": "accuracy", "than": "al"}]}, "at_least.0: the map has no outcome 'al'"),
        (
            {"effective_robustness": {"name": "x", "reference": {"m": ["a"]}, "clean": "acuracy"}},
            "effective_robustness.clean: the map has no outcome 'acuracy' (near: 'accuracy')",
        ),
        ({"recipe": {"m": "n"}}, "recipe: 'm' would be column 'n', and is column 'm' in identity"),
        ({"recipe": {"seed": "n"}, "seed": "m"}, "seed: 'seed' would be column 'm', and is column 'n' in recipe"),
        ({"target_set": " "}, "target_set: is empty"),
        ({"domain": ""}, "domain: is empty"),
        ({"citation": ""}, "citation: is empty"),
    ],
)
def test_what_a_map_would_silently_not_do(change: dict[str, Any], told: str) -> None:
    text = refusal({**SHIFTED, **change}, small(b=[0.4, 0.5]))
    assert f"map.yaml: {told}" in text, text


def test_a_row_is_the_same_run_whatever_other_rows_there_are(tmp_path: Path) -> None:
    plan = {**SMALL, "words": ["opt"], "recipe": {"batch": "bs"}}
    (tmp_path / "map.yaml").write_text(json.dumps(plan))
    lines = ["m,n,a,opt,bs", "a,5,.5,sgd,64", "b,6,.6,adam,128.0"]
    words = ("table", tmp_path / "t.csv", tmp_path / "runs", "--map", tmp_path / "map.yaml")
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    assert "s: 2 runs added" in one_line(call(*words))
    (tmp_path / "t.csv").write_text("\n".join([*lines, "c,7,.7,lion,auto"]) + "\n")
    told = one_line(call(*words))
    assert "s: 1 runs added; 2 were there already" in told and "other outcomes" not in told, told
    assert check(tmp_path / "runs") == []
    assert {r.axes["m"]: r.axes["batch"] for r in read_registry(tmp_path / "runs")} == {"a": 64, "b": 128, "c": "auto"}
    (tmp_path / "t.csv").write_text("\n".join([*lines, "c,7,.75,lion,auto"]) + "\n")
    told = one_line(call(*words))
    assert "1 of these have other outcomes now" in told
    assert f"delete {tmp_path}/runs/s/runs-002.parquet, which holds them" in told, told


def test_runs_of_an_import_before_are_known_by_what_they_say(tmp_path: Path) -> None:
    plan = checked_map({**SMALL, "words": ["opt"]}, "m")
    old, new = small(opt=["sgd", "adam"]), table(m=["c", "a"], n=[7, 5], a=[0.7, 0.5], opt=["lion", "sgd"])
    from predictor.records.adding import add_records

    records = build(old, plan).records
    former = [record.model_copy(update={"run_id": former_imported_id(record)}) for record in records]
    assert {record.run_id for record in former}.isdisjoint(record.run_id for record in records)
    add_records(tmp_path, "s", former)
    assert check(tmp_path) == []
    added = add_records(tmp_path, "s", build(new, plan).records)
    assert (added.new, added.there, added.differing) == (1, 1, ())
