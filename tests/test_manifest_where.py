"""--where, --weight and --missing; and that a condition can open nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from predictor.cli.indicators_command import command as indicators
from predictor.cli.predict_command import command as predict
from predictor.errors import ManifestError
from predictor.manifest import one_engine, open_manifest, read_manifest
from predictor.manifest.engine import connected

ROWS = """label,width,source,times,split
cat,32,web,2,train
cat,640,web,0.5,train
 dog ,64,lab,1,train
,100,lab,1,train
cat,7,web,1,test
"""


@pytest.fixture
def path(tmp_path) -> Path:
    (tmp_path / "m.csv").write_text(ROWS)
    return tmp_path / "m.csv"


def counts(path: Path, **how: str) -> dict[str, int]:
    d = read_manifest(path, **how)
    return dict(zip(d.class_names, d.class_counts.tolist(), strict=True))


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("width >= 64", {"cat": 1, "dog": 1}),  # as numbers, not as text
        ("width BETWEEN 30 AND 100 AND source <> 'lab'", {"cat": 1}),
        ("label IN ('cat')", {"cat": 2}),
        ("trim(label) LIKE 'd%' -- dogs", {"dog": 1}),
    ],
)
def test_rows_are_chosen_by_a_condition(path, where, expected) -> None:
    assert counts(path, where=where) == expected


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("wdth > 3", r"--where: 'wdth > 3' does not fit: .*\"wdth\" not found.*columns of .*\"label\", \"width\""),
        ("width > ", "is not one SQL condition: .*syntax error"),
        ("true; DROP TABLE x", "is not one SQL condition"),
        ("true) UNION SELECT (1", "is not one SQL condition"),
        ("true, false", "is not one SQL condition"),
        ("count(*) > 1", "does not fit: .*aggregates"),
        ("width > 1000", "lists no image for which --where holds"),
        ("label > error('x')", "x"),
    ],
)
def test_what_is_no_condition(path, where, message) -> None:
    with pytest.raises(ManifestError, match=message):
        read_manifest(path, where=where)


@pytest.mark.parametrize(
    "sql",
    [
        "label IN (SELECT label FROM read_csv('{other}'))",
        "label IN (SELECT label FROM '{other}')",
        "label IN (SELECT content FROM read_text('{other}'))",
        "label IN (SELECT content FROM read_blob('{other}'))",
        "label IN (SELECT file FROM glob('{folder}/*'))",
        "label IN (SELECT json FROM read_json_objects('{other}'))",
        "label IN (SELECT label FROM read_csv('https://example.com/x.csv'))",
        "label IN (SELECT label FROM sniff_csv('{other}'))",
        "label IN (SELECT x FROM secret)",
        "label = getenv('HOME')",
    ],
)
def test_a_condition_opens_nothing(path, tmp_path, sql) -> None:
    (tmp_path / "other.csv").write_text("label\ncat\n")
    secret = [{"x": "cat"}]  # a variable that the engine could take for a table
    assert secret
    with pytest.raises(ManifestError, match=r"--where: (opens something|.* does not fit|.* holds a query)"):
        read_manifest(path, where=sql.format(other=tmp_path / "other.csv", folder=tmp_path))


@pytest.mark.parametrize(
    "sql",
    [
        "(SELECT count(*) FROM range(1000000000000)) > 0",
        "(WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t) > 0",
        "list_filter(range(9), x -> x > (SELECT 1)) = []",
        "EXISTS(FROM range(9))",
    ],
)
def test_a_condition_holds_no_query(path, sql) -> None:
    with pytest.raises(
        ManifestError, match=r"holds a query \(SELECT, FROM\)\. write a condition on the columns of one row"
    ):
        read_manifest(path, where=sql)


def test_a_text_may_speak_of_queries(path) -> None:
    sql = """label <> '(SELECT 1) "class":"SUBQUERY"' AND width > 0"""
    assert read_manifest(path, where=sql).n_samples == read_manifest(path, where="width > 0").n_samples


def test_a_condition_that_is_no_text(path) -> None:
    with pytest.raises(ManifestError, match=r"'\\udcff' is not one SQL condition"):
        read_manifest(path, where="\udcff")
    with pytest.raises(ManifestError) as raised:
        read_manifest(path, where="1" + "+1" * 20_000 + " > 0")
    assert len(str(raised.value)) < 1_000


def test_weights_say_how_often_a_row_counts(path, tmp_path) -> None:
    manifest = open_manifest(path, weight="times", split="all")
    assert manifest.distribution.rows() == [("cat", "web", 4), ("dog", "lab", 1)]
    assert manifest.distribution.n_samples == 5
    assert "images of 1 class rounded: their weights add up to no whole number" in manifest.notes
    assert counts(path, weight="width") == {"cat": 672, "dog": 64}
    with pytest.raises(ManifestError, match=r"5 bad weights, first at line 2: 'web'; line 3: 'web'; .*finite number"):
        read_manifest(path, weight="source")
    (tmp_path / "w.csv").write_text("label,w\na,nan\nb,inf\nc,-1\nd,1e2\ne,\n")
    with pytest.raises(ManifestError, match=r"4 bad weights, first at line 2: 'nan'; .*line 4: '-1'; line 6: None"):
        read_manifest(tmp_path / "w.csv", weight="w")
    with pytest.raises(ManifestError, match="--count and --weight together"):
        read_manifest(path, weight="times", count="width")
    with pytest.raises(ManifestError, match="cannot hold both labels and weights"):
        read_manifest(path, weight="label")


def test_missing_labels_can_be_an_error(path) -> None:
    assert "1 row without a label left out" in open_manifest(path).notes
    with pytest.raises(ManifestError, match=r"1 row without a label: line 5\. label them, or .* --missing drop"):
        read_manifest(path, missing="error")
    assert counts(path, missing="error", split="test") == {"cat": 1}
    assert counts(path, missing="error", where="width <> 100") == {"cat": 2, "dog": 1}


def test_missing_labels_of_a_count_table(tmp_path) -> None:
    (tmp_path / "c.csv").write_text("label,count\na,1\n" + "  ,2\n" * 12)
    assert open_manifest(tmp_path / "c.csv").notes == ("12 rows without a label left out",)
    with pytest.raises(ManifestError, match=r"12 rows without a label: line 3; .*line 12; and 2 more"):
        read_manifest(tmp_path / "c.csv", missing="error")


OPTIONS = ["--where", "width > 7", "--weight", "width", "--missing", "drop", "--several", "first", "--split", "all"]


def test_the_commands_pass_the_options_on(path) -> None:
    found = json.loads(CliRunner().invoke(indicators, [str(path), *OPTIONS, "--format", "json"]).stdout)
    assert found["manifests"][0]["n_samples"] == 736
    found = json.loads(CliRunner().invoke(predict, [str(path), *OPTIONS, "--format", "json"]).stdout)
    values = {entry["name"]: entry["value"] for entry in found["predictions"][0]["indicators"]}
    assert values["n_samples"] == 736
    for command in (indicators, predict):
        failed = CliRunner().invoke(command, [str(path), "--missing", "error"])
        assert isinstance(failed.exception, ManifestError) and "line 5" in str(failed.exception)
        text = CliRunner().invoke(command, ["--help"]).stdout
        assert all(option in text for option in OPTIONS[::2])


def test_one_engine_reads_many_manifests_and_nothing_else(tmp_path) -> None:
    files = [tmp_path / f"{i}.csv" for i in range(3)]
    for i, file in enumerate(files):
        file.write_text("label,count\n" + f"cat,{i + 1}\n")
    (tmp_path / "bad.csv").write_text("label,count\ncat,-1\n")
    alone = [open_manifest(file).distribution for file in files]
    with one_engine([*files[:2], tmp_path / "bad.csv"]):
        assert [open_manifest(file).distribution for file in files] == alone, "what is not named has its own engine"
        with pytest.raises(ManifestError, match="bad count"):
            open_manifest(tmp_path / "bad.csv")
        assert open_manifest(files[0]).distribution == alone[0], "it goes on after an error"
        with (
            pytest.raises(ManifestError, match="opens something"),
            connected([files[0]], "m.csv") as connection,
        ):
            connection.execute(f"SELECT * FROM read_csv('{tmp_path / '2.csv'}')").fetchall()


def test_a_weight_of_0_is_no_fault_and_a_small_one_loses_no_class(tmp_path) -> None:
    (tmp_path / "w.csv").write_text("label,w\ncat,2\ncat,0\ndog,0.2\nfox,0.4\nfox,0.3\n")
    assert counts(tmp_path / "w.csv", weight="w") == {"cat": 2, "dog": 1, "fox": 1}
