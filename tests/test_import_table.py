"""Tables of others: every column has a meaning that was stated, bad cells are named, nothing is added twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML
from tables_made import made

from predictor.cli.import_command import command
from predictor.errors import PredictorError, RegistryError
from predictor.importers.build import build
from predictor.importers.effective import with_effective
from predictor.importers.mapping import Map, checked_map, own_map
from predictor.importers.readers.files import read_table
from predictor.importers.table import BadCell, ImportedTable, number
from predictor.importers.timm import pretraining
from predictor.records import Outcome, check, frame, read_registry
from predictor.spec import spec_id

TABLES = Path(__file__).parent.parent.parent / "shared" / "data" / "tables"
MAPS = Path(__file__).parent.parent / "docs" / "maps"
COLUMNS = {
    "net": ["a", "a", "b", "b"], "seed": [0, 1, 0, 1], "bee": [10, 10, 5, 5], "bus": [10, 10, 50, 50],
    "steps": [600, 600, 900, 900], "lr": [0.1, 0.1, 0.03, 0.03], "acc": [51.5, 52.0, 61.25, 60.0],
    "nll": [1.5, 1.4, 1.1, 1.2], "note": ["x", "", "y", "z"],
}  # fmt: skip
SMALL: dict[str, Any] = {
    "study": "s", "citation": "c", "target_set": "t", "domain": "d", "indicators": ["n"],
    "outcomes": {"accuracy": "a"},
}  # fmt: skip
MAP: dict[str, Any] = {
    "study": "theirs", "citation": "A paper", "target_set": "photos", "domain": "web", "seed": "seed",
    "identity": ["net"], "recipe": {"learning_rate": "lr"}, "counts": {"columns": ["bee", "bus"]},
    "image_steps": "steps", "ignore": ["note"],
    "outcomes": {"accuracy": {"column": "acc", "per_cent": True, "chance": 0.5},
                 "valid": {"column": "nll", "scale": "loss"}},
}  # fmt: skip


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(command, [str(word) for word in words])


def one_line(result: Result) -> str:
    """What was printed, whatever the length of a path made of its lines."""
    return " ".join(result.output.split())


def table(**columns: list[Any]) -> ImportedTable:
    rows = list(zip(*columns.values(), strict=True))
    return ImportedTable.of("t.csv", list(columns), ((f"line {n}", row) for n, row in enumerate(rows, 2)))


def refusal(plan: dict[str, Any], of: ImportedTable) -> str:
    with pytest.raises(PredictorError) as told:
        build(of, checked_map(plan, "map.yaml"))
    return str(told.value)


@pytest.mark.parametrize("form", ["csv", "tsv", "json array", "json lines", "parquet", "xlsx"])
def test_every_form_gives_the_same_runs(form: str, tmp_path: Path) -> None:
    ending = {"csv": ".csv", "tsv": ".tsv", "json array": ".json", "json lines": ".jsonl"}.get(form, "")
    file = made(form, tmp_path / "in", COLUMNS)
    source = file.rename(file.with_name(f"t{ending or file.suffix}"))
    (tmp_path / "map.yaml").write_text(json.dumps(MAP))
    words = ("table", source, tmp_path / "runs", "--map", tmp_path / "map.yaml")
    dry = call(*words, "--dry-run")
    assert dry.exit_code == 0 and "dry run: 4 runs, 2 configurations; nothing was written" in dry.output, dry.output
    assert "outcome accuracy (accuracy, per cent)" in dry.output and not (tmp_path / "runs").exists()
    assert "2 classes of 5 to 50 images, 900 image-steps" in dry.output
    assert "theirs: 4 runs added (of 4 runs, 2 configurations)" in one_line(call(*words))
    assert "theirs: 0 runs added; 4 were there already" in one_line(call(*words))
    assert check(tmp_path / "runs") == []
    found = frame(tmp_path / "runs").sort_values(["axis_net", "axis_seed"])
    assert found.out_accuracy.tolist() == [0.515, 0.52, 0.6125, 0.6]
    assert found.axis_learning_rate.tolist() == [0.1, 0.1, 0.03, 0.03] and found.axis_seed.tolist() == [0, 1, 0, 1]
    assert found.ind_imbalance_ratio.tolist() == [1, 1, 10, 10] and set(found.scale_valid) == {"loss"}
    assert found.run_id.nunique() == 4 and found.configuration_id.nunique() == 2
    ids = sorted(found.run_id)
    assert spec_id(json.dumps(ids)) == "1e9ee370c87d3616", "the ids are those of the rows, whatever file they stand in"


def test_a_mended_outcome_is_not_a_second_run(tmp_path: Path) -> None:
    file = made("json array", tmp_path, COLUMNS)
    source = file.rename(tmp_path / "t.json")
    (tmp_path / "map.yaml").write_text(json.dumps(MAP))
    words = ("table", source, tmp_path / "runs", "--map", tmp_path / "map.yaml")
    assert call(*words).exit_code == 0
    source.write_text(source.read_text().replace("61.25", "62.25"))
    told = one_line(call(*words))
    assert "0 runs added; 4 were there already" in told and "1 of these have other outcomes now" in told
    assert sorted(r.outcomes["accuracy"].value for r in read_registry(tmp_path / "runs")) == [0.515, 0.52, 0.6, 0.6125]


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("030282.63", "is no plain number: it begins with 0"),
        ("1,5", "is no plain number: a comma parts thousands or decimals, nothing says which"),
        ("51 %", "is no plain number: write it without %, and per_cent: true in the map"),
        ("0x1F", "is no plain number"),
        ("1e400", "is no finite number"),
        (
            "57.3",
            "is outside the scale accuracy; needed a fraction, 0 to 1; per_cent: true where the whole",
        ),
        (True, "True is no number"),
    ],
)
def test_bad_cells_are_named_by_row_and_column(cell: Any, told: str) -> None:
    text = refusal(SMALL, table(n=["10", "20", "30"], a=["0.5", cell, "0.75"]))
    assert f"t.csv: 1 cells cannot be read: line 3, column 'a': {cell!r}" in text and told in text, text


def test_all_bad_cells_come_in_one_error() -> None:
    text = refusal(SMALL, table(n=["10", "x", "-"], a=["7", "0.5", "0.75"]))
    assert "3 cells" in text and all(f"line {n}" in text for n in (2, 3, 4))
    assert (
        len(
            build(
                table(n=["10", "20", "-"], a=["", "0.5", "0.75"]), checked_map({**SMALL, "missing": ["-"]}, "m")
            ).records
        )
        == 2
    )


def test_the_page_has_a_map_that_works() -> None:
    page = (MAPS.parent / "import.md").read_text()
    text = page.split("```yaml\n")[1].split("```")[0]
    plan = YAML(typ="safe", pure=True).load(text)
    columns = {
        "dataset": ["d"], "seed": [0], "model": ["m"], "lr": [0.1], "n_bee": [3], "n_bus": [4], "steps": [600],
        "top1": [50], "top1_of_all": [40], "sketch": [0.4], "top1_on_its_classes": [0.5], "nll": [1.5],
        "split": ["test"], "comment": ["-"], "trained_on": ["in1k"],
    }  # fmt: skip
    parts = {name: value for name, value in plan.items() if name != "effective_robustness"} | {"ignore": "rest"}
    (record,) = build(table(**columns), checked_map(parts, "page")).records
    assert record.outcomes["accuracy"] == Outcome(value=0.5, chance=0.1) and record.data.stages[0].counts == (3, 4)
    assert checked_map(plan, "page").effective_robustness is not None
    keys = {line.lstrip("# ").split(":")[0] for line in text.splitlines()}
    assert set(Map.model_fields) - keys == {"separator", "sheet"}, "the page shows every key"


def test_columns_without_a_meaning_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("n_samples,accuracy,secret,seed\n100,0.5,1,0\n200,0.6,2,0\n")
    said = ("--study", "s", "--citation", "c", "--target-set", "t", "--domain", "d")
    told = call("table", tmp_path / "t.csv", tmp_path / "runs", "--dry-run", *said)
    assert isinstance(told.exception, RegistryError) and "1 columns have no meaning: 'secret'" in str(told.exception)
    assert [line.split()[:2] for line in told.output.splitlines() if line.startswith("secret")] == [["secret", "-"]]
    (tmp_path / "t.csv").write_text("n_samples,accuracy,seed\n100,0.5,0\n200,0.6,0\n")
    assert "2 runs added" in one_line(call("table", tmp_path / "t.csv", tmp_path / "runs", *said))
    short = call("table", tmp_path / "t.csv", tmp_path / "runs")
    for part in ("target set", "domain", "study", "citation"):
        assert f"{part}: " in str(short.exception), part


def test_words_of_this_package_need_no_map() -> None:
    found = own_map(table(**{"accuracy": [1], "shift:x": [1], "count:bee": [1], "left_skew@5": [1], "other": [1]}))
    assert found["outcomes"] == {"accuracy": "accuracy", "shift:x": "shift:x"}
    assert found["counts"] == {"columns": {"bee": "count:bee"}} and found["indicators"] == ["left_skew@5"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"outcome": {}}, "outcome: unknown key; did you mean 'outcomes'?"),
        ({"outcomes": {"accuracy": {"column": "acc", "scale": "percent"}}}, "outcomes.accuracy.scale"),
        ({"outcomes": {"v": {"column": "nll", "scale": "loss", "per_cent": True}}}, "per_cent is of fractions"),
        ({"counts": {"k": "bee"}}, "k and classes belong together"),
        ({"counts": {"k": "bee", "cell": "bus", "classes": 3}}, "needed: one of columns, cell, k; found cell, k"),
        ({"seed": "sed"}, "no column 'sed' (near: 'seed'"),
        ({"indicators": ["lr"]}, "either counts or indicators"),
        ({"only": {"net": ["c"]}}, "no row is left"),
    ],
)
def test_what_a_map_cannot_say(change: dict[str, Any], told: str) -> None:
    text = refusal({**MAP, **change}, table(**COLUMNS))
    assert told in text, text


def test_k_of_every_class() -> None:
    plan = {
        "study": "s", "target_set": {"column": "data"}, "domain": "d", "outcomes": {"accuracy": "a"},
        "counts": {"k": "k", "classes": {"by": "data", "of": {"x": 3, "y": 2}}}, "only": {"k": [10, 25]},
    }  # fmt: skip
    own = table(data=["x", "y", "y"], k=[10, "25", -1], a=[0.5, 0.6, 0.7])
    found = build(own, checked_map(plan, "m"))
    assert [r.data.stages[0].counts for r in found.records] == [(10, 10, 10), (25, 25)]
    assert found.notes == ("1 rows left out: k is not 10 or 25",)
    assert "'y' has no number of classes in the map" in refusal(
        {**plan, "counts": {"k": "k", "classes": {"by": "data", "of": {"x": 3}}}}, own)  # fmt: skip
    cells = table(n=[{"bee": 4, "bus": 6}, {"bee": "1.5", "bus": 2}], a=[0.5, 0.5])
    other = {**plan, "target_set": "t", "counts": {"cell": "n"}, "only": {}}
    assert "line 3, column 'n': '1.5' is no whole number" in refusal(other, cells)


def test_rows_of_one_run_that_differ() -> None:
    plan = {**MAP, "seed": None, "ignore": "rest"}
    text = refusal(plan, table(**COLUMNS))
    assert (
        "2 rows give a run other values than another row does: line 2 and line 3: they differ in accuracy, valid"
        in text
    )
    twice = {name: [*cells, cells[0]] for name, cells in COLUMNS.items()}
    found = build(table(**twice), checked_map(MAP, "m"))
    assert len(found.records) == 4 and found.notes == ("1 rows repeat another one",)
    part = {name: [*cells[:2], cells[2]] for name, cells in COLUMNS.items()}
    left = build(table(**part), checked_map({**plan, "contradictions": "drop"}, "m"))
    assert len(left.records) == 1 and "1 runs left out, whose rows tell different things" in left.notes[0]


def test_words_become_columns_of_0_and_1() -> None:
    plan = {
        "study": "s",
        "citation": "c",
        "target_set": "t",
        "domain": "d",
        "words": ["net"],
        "outcomes": {"accuracy": "a"},
    }
    found = build(table(net=["a", "b"], a=[0.5, 0.6]), checked_map(plan, "m"))
    assert [r.data.indicators for r in found.records] == [{"net=a": 1, "net=b": 0}, {"net=a": 0, "net=b": 1}]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("t.csv", "a,b\n1,2\n1,2,3\n", "line 3 has 3 cells; the header has 2"),
        ("t.csv", "a,a\n1,2\n", "columns stand there twice: 'a'"),
        ("t.csv", "a;b\n1;2\n", "cells are parted by ','. name what parts them in the map, as in  separator: ';'"),
        ("t.csv", "", "no header"),
        ("t.csv", "a,b\n", "no rows"),
        ("t.csv", b"a\n\xff\n", "is no UTF-8 text (invalid start byte). save it as UTF-8"),
        ("t.json", '{"a": 1}', "holds a dict, no list of records"),
        ("t.json", "[]", "t.json: holds no record. name a file with a record a run"),
        ("t.json", "[1]", "t.json, record 1: is a int; needed a mapping"),
        ("t.jsonl", '{"a": 1}\n{', "t.jsonl, line 2: is no JSON"),
        ("t.parquet", "x", "is no readable Parquet file"),
        ("t.xlsx", "x", "is no readable workbook"),
        ("t.txt", "x", "ends in '.txt'; read are .csv"),
        ("t", "x", "has no ending; read are .csv, .tsv"),
    ],
)
def test_damaged_tables(name: str, content: str | bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(PredictorError) as error:
        read_table(tmp_path / name)
    assert told in str(error.value), str(error.value)


def test_plain_numbers() -> None:
    assert [number(x) for x in ("0", "-0.5", ".5", "5.", "1e-3", "10", 3, 2.5)] == [0, -0.5, 0.5, 5, 0.001, 10, 3, 2.5]
    for cell in ("00", "1_000", "٣", "+-1", "1e", ".", "e5", "infinity"):
        with pytest.raises(BadCell):
            number(cell)


def test_robustness_is_the_mean_of_the_shifts_that_the_map_names() -> None:
    of = table(net=["a", "b"], top=[0.7, 0.6], v2=[0.5, 0.4], sketch=[0.3, "-"], objects=[0.1, 0.1])
    plan: dict[str, Any] = {
        "study": "s", "citation": "c", "target_set": "t", "domain": "d", "identity": ["net"], "missing": ["-"],
        "indicators": {"size": "top"}, "robustness": ["v2", "sketch"],
        "outcomes": {"shift:v2": "v2", "shift:sketch": "sketch", "shift:objects": "objects"},
    }  # fmt: skip
    first, second = build(of, checked_map(plan, "map.yaml")).records
    assert first.outcomes["robustness"].value == pytest.approx(0.4) and first.outcomes["robustness"].scale == "accuracy"
    assert "robustness" not in second.outcomes, "a row without one of the shifts has no such mean"
    assert "no outcome shift:v3 in the map" in refusal({**plan, "robustness": ["v3"]}, of)
    twice = {**plan, "outcomes": {**plan["outcomes"], "robustness": "objects"}}
    assert "stated twice" in refusal(twice, of)
    loss = {**plan["outcomes"], "shift:v2": {"column": "v2", "scale": "loss"}}
    assert "shift:v2 is a loss" in refusal({**plan, "outcomes": loss}, of)


def test_effective_robustness_is_what_the_reference_set_does_not_explain() -> None:
    rng = np.random.default_rng(0)
    columns: dict[str, list[Any]] = {"n": [], "kind": [], "a": [], "b": []}
    for number_ in range(60):
        eta, extra = rng.normal(0, 1), number_ % 3 == 0
        columns["n"].append(number_ + 1)
        columns["kind"].append("more" if extra else "plain")
        columns["a"].append(1 / (1 + np.exp(-eta)))
        columns["b"].append(1 / (1 + np.exp(-(0.8 * eta - 1 + 0.5 * extra))))
    plan = {
        "study": "s", "citation": "c", "target_set": "t", "domain": "d", "indicators": ["n"],
        "outcomes": {"accuracy": "a", "shift:x": "b"},
        "effective_robustness": {"name": "plain nets", "reference": {"kind": ["plain"]}},
    }  # fmt: skip
    found = build(table(**columns), checked_map(plan, "m"))
    (line,) = found.lines
    assert (line.slope, line.intercept, line.r2) == pytest.approx((0.8, -1, 1)) and line.n_reference == 40
    effective = np.array([record.outcomes["effective:x"].value for record in found.records])
    plain = np.array(columns["kind"]) == "plain"
    assert np.abs(effective[plain]).max() < 1e-9 and effective[~plain].min() > 0.01
    assert found.records[0].outcomes["effective_robustness"].scale == "identity"
    few = {**plan, "effective_robustness": {"name": "none", "reference": {"kind": ["?"]}}}
    assert "the reference set 'none' has 0 runs with shift:x and accuracy" in refusal(few, table(**columns))


def test_a_shift_is_held_against_the_clean_value_of_its_own_classes() -> None:
    plan = {
        "study": "s", "citation": "c", "target_set": "t", "domain": "d", "indicators": ["n"],
        "outcomes": {"accuracy": "a", "shift:x": {"column": "b", "clean": "m"}},
    }  # fmt: skip
    rows = table(n=list(range(1, 13)), a=[0.5] * 12, b=[i / 20 for i in range(1, 13)], m=[i / 15 for i in range(1, 13)])
    records = build(rows, checked_map(plan, "m")).records
    assert records[2].outcomes["shift:x"] == Outcome(value=0.15, clean_value=0.2)
    (_, (line,)) = with_effective(records, [True] * 12, name="all")
    assert line.slope > 0.5, "against accuracy, which never varies, there is no line"


def test_a_clean_value_is_in_per_cent_as_its_shift_is_and_a_column_with_a_word_holds_words() -> None:
    plan = {
        "study": "s", "citation": "c", "target_set": "t", "domain": "d", "indicators": ["n"], "recipe": {"rate": "lr"},
        "outcomes": {"shift:x": {"column": "b", "clean": "m", "per_cent": True}},
    }  # fmt: skip
    rows = table(n=[1, 2], b=[15, 20], m=[20, 40], lr=["0.1", "auto"])
    one, two = build(rows, checked_map(plan, "m")).records
    assert one.outcomes["shift:x"] == Outcome(value=0.15, clean_value=0.2)
    assert (one.axes, two.axes) == ({"rate": "0.1"}, {"rate": "auto"})


def test_stages_and_label_sets_of_timms_tags() -> None:
    found = {tag: pretraining(tag) for tag in ("a1_in1k", "fcmae_ft_in22k_in1k", "clip_laion2b_augreg_ft_in12k_in1k",
                                               "clip_ft_in1k", "ns_jft_in1k", "ft_in1k", "")}  # fmt: skip
    told = {
        tag: (item.sources, item.n_stages, item.n_classes, item.n_samples) if item else None
        for tag, item in found.items()
    }
    assert told == {
        "a1_in1k": (("in1k",), 1, 1000, 1_281_167),
        "fcmae_ft_in22k_in1k": (("in1k", "in22k", "in1k"), 3, 21_841, 15_478_289),
        "clip_laion2b_augreg_ft_in12k_in1k": (("laion2b", "in12k", "in1k"), 3, 11_821, 2_333_410_854),
        "clip_ft_in1k": (("clip", "in1k"), 2, 1000, None),
        "ns_jft_in1k": (("jft", "in1k"), 2, 18_291, 301_281_167),
        "ft_in1k": None,
        "": None,
    }


needs_tables = pytest.mark.skipif(not TABLES.is_dir(), reason="the tables are not here")


@needs_tables
def test_vlhub_names_its_implausible_rows(tmp_path: Path) -> None:
    told = one_line(call("table", TABLES / "vlhub-meta-analysis.csv", tmp_path / "runs", "--map", MAPS / "vlhub.yaml"))
    assert "19 rows say that accuracy is below imagenet1k (left out):" in told
    for name in ("resmlp_big_24_distilled_224", "xception41", *(f"tf_efficientnet_b{n}_ap" for n in range(6))):
        assert f"({name})" in told, name
    assert "vlhub: 628 runs added" in told


@needs_tables
def test_timm_and_the_probes_of_clip(tmp_path: Path, monkeypatch) -> None:
    page = (MAPS.parent / "import.md").read_text()
    shown = page.split("$ predictor import timm timm/ runs/\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    assert call("timm", TABLES / "timm", "runs").output == shown, "what the page shows is what the command prints"
    words = ("table", TABLES / "clip-linear-probes.json", tmp_path / "runs", "--map", MAPS / "clip-linear-probes.yaml")
    assert "clip-linear-probes: 2,268 runs added" in one_line(call(*words))
    table = frame(tmp_path / "runs", ["n_samples", "n_classes"])
    clip = table[table.study == "clip-linear-probes"]
    assert set((clip.ind_n_samples / clip.ind_n_classes).unique()) == {10.0, 25.0}, "k images of every class"
    timm = table[table.study == "timm"]
    shifts = [name for name in timm if name.startswith("out_effective")]
    assert len(shifts) == 5 and abs(timm.out_robustness.max() - 0.83062) < 1e-9


def test_a_row_without_a_word_has_no_indicator_of_words() -> None:
    rows = [("line 2", ("a", "big", "0.5")), ("line 3", ("b", "", "0.6")), ("line 4", ("c", "small", "0.7"))]
    table = ImportedTable.of("t.csv", ("run", "kind", "accuracy"), rows)
    plan = checked_map(
        {"study": "s", "target_set": "t", "domain": "d", "citation": "x", "identity": ["run"], "words": ["kind"],
         "outcomes": {"accuracy": "accuracy"}}, "map.yaml",
    )  # fmt: skip
    found = {record.axes["run"]: record.data.indicators for record in build(table, plan).records}
    assert found == {
        "a": {"kind=big": 1.0, "kind=small": 0.0}, "b": {}, "c": {"kind=big": 0.0, "kind=small": 1.0},
    }  # fmt: skip
