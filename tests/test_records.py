"""Run records: written whole, read back equal, packed and unpacked, every fault named."""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path

import pytest
from records_filled import filled
from records_made import edited, made_record, made_spec, write_many

from predictor.errors import RegistryError
from predictor.records import (
    check,
    finished_ids,
    pack,
    read_attempts,
    read_registry,
    record_faults,
    unpack,
    write_attempt,
    write_record,
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    made = filled(tmp_path)
    assert read_registry(tmp_path) == made
    assert read_registry(tmp_path / "demo") == made, "the folder of one study is a registry too"
    assert finished_ids(tmp_path / "demo") == {record.run_id for record in made}
    assert [p for p in (tmp_path / "demo").iterdir() if p.suffix != ".json"] == [], "no temporary file stays"


def test_a_record_already_there_wins(tmp_path: Path) -> None:
    first = write_record(tmp_path, made_record(right=12))
    before = first.read_bytes()
    write_record(tmp_path, edited(made_record(right=12), seconds__train=9.0))
    assert check(tmp_path) == [], "a second run with the same result is no fault"
    write_record(tmp_path, made_record(right=14))
    assert first.read_bytes() == before
    (fault,) = check(tmp_path)
    assert f"{made_record().run_id}.1.json" in fault and "differs from the one that is kept" in fault


def test_a_record_that_contradicts_itself_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"contradicts itself: accuracy: value is 0\.1"):
        write_record(tmp_path, edited(made_record(), outcomes__accuracy__value=0.1))
    assert not list(tmp_path.rglob("*.json"))


def test_many_writers_on_one_folder(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(tmp_path, range(30))) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert len(read_registry(tmp_path)) == 30 and check(tmp_path) == []
    assert not list(tmp_path.rglob("*.tmp")) and not read_attempts(tmp_path / "demo")


def test_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RegistryError, match=r"\.json: cannot be written \(No space left on device\)\. free space"):
        write_record(tmp_path, made_record())
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    path = write_record(tmp_path, made_record())
    before = path.read_bytes()
    write_record(tmp_path, made_record(right=14))
    assert path.read_bytes() == before


def test_attempts_count_up(tmp_path: Path) -> None:
    paths = [write_attempt(tmp_path, study="demo", run_id="ab", attempt={"status": "failed"}) for _ in range(11)]
    assert [p.name for p in paths] == [f"ab.{n}.json" for n in range(1, 12)]
    assert list(read_attempts(tmp_path / "demo")) == paths
    assert all(content["status"] == "failed" for content in read_attempts(tmp_path / "demo").values())


@pytest.mark.parametrize("study", ["../out", "", ".hidden", "a/b"])
def test_a_study_cannot_leave_the_registry(study: str) -> None:
    with pytest.raises(ValueError, match="study"):
        made_record(study=study)


def test_pack_and_unpack_keep_every_byte(tmp_path: Path) -> None:
    made = filled(tmp_path)
    before = {p.name: p.read_bytes() for p in (tmp_path / "demo").iterdir()}
    part = pack(tmp_path, "demo")
    assert part and part.name == "runs-001.parquet" and [p.name for p in part.parent.iterdir()] == [part.name]
    assert read_registry(tmp_path) == made and check(tmp_path) == []
    assert finished_ids(tmp_path / "demo") == {record.run_id for record in made}
    assert pack(tmp_path, "demo") is None
    first_bytes = part.read_bytes()
    unpack(tmp_path, "demo")
    assert {p.name: p.read_bytes() for p in (tmp_path / "demo").iterdir()} == before
    again = pack(tmp_path, "demo")
    assert again and again.read_bytes() == first_bytes, "equal input, equal bytes"


def test_a_part_that_reads_back_differently_costs_no_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path)
    files = sorted((tmp_path / "demo").glob("*.json"))
    assert len(files) == 4
    before = [file.read_bytes() for file in files]
    monkeypatch.setattr(sys.modules["predictor.records.pack"], "part_column", lambda part, name: [])
    with pytest.raises(RegistryError, match="reads back differently; the JSON records stay"):
        pack(tmp_path, "demo")
    assert [file.read_bytes() for file in files] == before


def test_parts_are_added_and_never_rewritten(tmp_path: Path) -> None:
    filled(tmp_path, 2)
    first = pack(tmp_path, "demo")
    assert first
    before = first.read_bytes()
    filled(tmp_path, 4)  # two of them stand in the part already
    second = pack(tmp_path, "demo")
    assert second and second.name == "runs-002.parquet" and first.read_bytes() == before
    assert len(read_registry(tmp_path)) == 4 and check(tmp_path) == []
    record = read_registry(tmp_path)[0]
    path = first.parent / f"{record.run_id}.json"  # copied there by hand
    path.write_text(record.to_json())
    assert pack(tmp_path, "demo") is None and not path.exists(), "it stands in a part"


def test_a_part_can_be_queried(tmp_path: Path) -> None:
    import duckdb

    filled(tmp_path, 2)
    part = pack(tmp_path, "demo")
    rows = duckdb.sql(f"SELECT study, device, accuracy FROM '{part}'").fetchall()
    assert rows == [("demo", "cpu", made_record().outcomes["accuracy"].value)] * 2


def test_json_and_part_that_differ_are_named(tmp_path: Path) -> None:
    write_record(tmp_path, made_record(right=12))
    pack(tmp_path, "demo")
    path = write_record(tmp_path, made_record(right=14))
    (fault,) = check(tmp_path)
    assert str(path) in fault and "runs-001.parquet, row 1" in fault
    assert read_registry(tmp_path) == [made_record(right=12)], "the part wins"
    for move in (pack, unpack):
        with pytest.raises(RegistryError, match=r"different records of one run.*delete the wrong one"):
            move(tmp_path, "demo")
    assert path.exists() and (tmp_path / "demo" / "runs-001.parquet").exists()


def test_missing_empty_and_unknown(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"nowhere: no such folder\. name a folder of run records"):
        read_registry(tmp_path / "nowhere")
    with pytest.raises(RegistryError, match=r"no run records\. train a grid into it"):
        read_registry(tmp_path)
    with pytest.raises(RegistryError, match="no run records"):
        check(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(RegistryError, match="is a file; a registry is a folder"):
        read_registry(tmp_path / "file")
    filled(tmp_path, 1)
    with pytest.raises(RegistryError, match=r"no study 'dmeo'\. did you mean demo\?"):
        read_registry(tmp_path, ["dmeo"])


def test_a_fit_beside_the_runs_is_no_record(tmp_path: Path) -> None:
    filled(tmp_path, 1)
    (tmp_path / "demo" / "fit.json").write_text("{}")
    (tmp_path / "fit.json").write_text("{}")
    assert len(read_registry(tmp_path)) == 1 and check(tmp_path) == []


def test_truncated_records_are_all_named(tmp_path: Path) -> None:
    made = filled(tmp_path)
    for record in made[:2]:
        path = tmp_path / "demo" / f"{record.run_id}.json"
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RegistryError, match="2 damaged records") as caught:
        read_registry(tmp_path)
    for record in made[:2]:
        assert f"{record.run_id}.json: not a whole JSON object" in str(caught.value)
    assert len(check(tmp_path)) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"not a whole JSON object"),
        (b"\xff\xfe", r"is not UTF-8 text"),
        (b"[1]", r"a record is a JSON object; found list"),
        (b"{}", r"not a run record: run_id: Field required"),
        (b'{"schema_version": 2, "run_id": 5}', r"schema_version 2; .* reads up to 1\. install a newer predictor"),
    ],
)
def test_foreign_files(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "0123456789abcdef.json").write_bytes(content)
    with pytest.raises(RegistryError, match=message) as caught:
        read_registry(tmp_path)
    assert "0123456789abcdef.json" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"value":', '"vlaue":', r"outcomes\.accuracy\.value: Field required"),
        ('"value":', '"value":NaN,"x":', r"outcomes\.accuracy\.value: Input should be a finite number \(found nan\)"),
        ('"tested":[20,', '"tested":[', r"classes, tested and correct have 3, 2 and 3 entries"),
        ('"counts":[10,', '"counts":[-10,', r"data\.counted\.stages\.0\.counts\.0: .* \(found -10\)"),
        ('"status":"completed"', '"status":"perfect"', r"status: Input should be 'completed' or 'diverged'"),
    ],
)
def test_damaged_fields(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = write_record(tmp_path, made_record())
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(RegistryError, match=message):
        read_registry(tmp_path)


def test_damaged_parts(tmp_path: Path) -> None:
    filled(tmp_path)
    part = pack(tmp_path, "demo")
    assert part
    part.with_name("runs-002.parquet").write_bytes(part.read_bytes()[:200])
    with pytest.raises(RegistryError, match=r"runs-002\.parquet: not a readable part .*restore it"):
        read_registry(tmp_path)
    (fault,) = check(tmp_path)
    assert "runs-002.parquet" in fault


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spec__recipe__learning_rate": 0.2}, "run_id {id} is not the hash of its spec, "),
        ({"configuration_id": "0" * 16}, "configuration_id 0000000000000000 is not the hash of its spec without seeds"),
        ({"target_set": "photos/b"}, "target_set 'photos/b' is not the spec's, 'photos/a'"),
        ({"spec": None}, "a trained run has a spec; found none"),
        ({"outcomes": {}}, "completed, and has no outcome"),
        ({"data__stages__0__counts__0": 11}, "11 images of class 'bee' from 'photos'; the spec asks for 10"),
        ({"data__stages__0__sources__0": "web"}, "0 images of class 'bee' from 'photos'; the spec asks for 10"),
        ({"data__stages__0__image_steps": 5}, "5 image_steps; the spec asks for 600"),
        ({"data__stages__0__targets": ["bee", "bus"]}, "the targets are not the spec's"),
        ({"data__stages__0__counts": [0, 0, 0]}, "no images"),
        ({"outcomes__accuracy__value": 1.5}, "accuracy: value is 1.5; needed 0 to 1"),
        ({"outcomes__accuracy__correct__1": 21}, "accuracy: class 'bus' has 21 correct of 20 tested"),
        ({"outcomes__accuracy__value": 0.5}, "accuracy: value is 0.5; its counts give"),
        ({"outcomes__accuracy__plain": 0.5}, "accuracy: plain is 0.5; its counts give"),
        ({"outcomes__accuracy__chance": 0.5}, "accuracy: chance is 0.5; 3 targets give"),
        ({"outcomes__accuracy__tested": [0, 0, 0], "outcomes__accuracy__correct": [0, 0, 0]}, "no image was tested"),
        ({"outcomes__shift:sketch__clean_value": 0.5}, "shift:sketch: clean_value is 0.5; the clean counts give"),
        ({"outcomes__shift:sketch__intersection__value": 0.5}, "intersection has value 0.5; its counts give 0.75"),
        ({"outcomes__shift:sketch__intersection__n_classes": 3}, "n_classes 3; 2 classes were tested"),
        ({"outcomes__shift:sketch__classes__0": "ant"}, "class 'ant' is tested and is no target"),
        ({"outcomes__robustness__value": 0.9}, "robustness: value is 0.9; the mean over the shifts is"),
        ({"data": {"kind": "reported", "indicators": {}, "citation": "x"}}, "a trained run has class counts"),
    ],
)
def test_faults_inside_a_record(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    good = made_record()
    assert record_faults(good) == []
    bad = edited(good, **changes)
    path = tmp_path / "demo" / f"{bad.run_id}.json"
    path.parent.mkdir()
    path.write_text(bad.to_json())
    faults = check(tmp_path)
    assert any(message.format(id=good.run_id) in fault and str(path) in fault for fault in faults), faults


def test_others_blends_and_bad_images() -> None:
    others = [{"source": "sketches", "n_classes": 2, "samples_per_class": 5}]
    spec = made_spec(others=others, blend={"source": "sketches", "share": 0.3})
    record = made_record(spec=spec)
    classes = [c.replace("other/sketches/00000", "sketch-") for c in record.data.stages[0].classes]
    named = edited(record, data__stages__0__classes=classes)
    assert record_faults(named) == [], "the spec does not know the names of other classes"
    fewer = edited(named, data__stages__0__counts__0=6)
    assert record_faults(fewer) == ["stage 1: 6 images of class 'bee' from 'photos'; the spec asks for 7"]
    reported = {"bad_images": ["photos: row 3: is empty, 0 bytes"], "n_bad_images": 1}
    assert record_faults(edited(named, data_report=reported)) == []
    assert record_faults(edited(fewer, data_report=reported)), "the next image takes the place of a bad one"


def test_a_spec_with_its_defaults_written_out_has_the_same_id() -> None:
    assert record_faults(edited(made_record(), spec=made_spec().model_dump(mode="json"))) == []


def test_records_in_a_wrong_place_are_named(tmp_path: Path) -> None:
    path = write_record(tmp_path, made_record())
    path.rename(path.with_name("0123456789abcdef.json"))
    (tmp_path / "demo").rename(tmp_path / "other")
    faults = check(tmp_path)
    assert len(faults) == 2
    assert "the file is named '0123456789abcdef'" in faults[0] and "study is 'demo'; its folder is 'other'" in faults[1]
