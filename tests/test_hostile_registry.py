"""Registries from elsewhere: links that lead out, files that never end, parts that are bombs, two packs at once."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from pathlib import Path

import duckdb
import pytest
from records_made import BARRIER_SECONDS, pack_together, write_many

from predictor.errors import RegistryError
from predictor.files import locked
from predictor.importers.published import published_records
from predictor.records import check, finished_ids, frame, pack, read_costs, read_registry, unpack, write_attempt
from predictor.records.elsewhere import fetched
from predictor.records.parts import MAX_ROWS


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    write_many(tmp_path / "runs", range(6))
    return tmp_path / "runs"


def study(runs: Path) -> Path:
    (folder,) = [path for path in runs.iterdir() if path.is_dir()]
    return folder


def write_part(part: Path, record: str, n: int) -> None:
    """The same record many times: stored once."""
    rows = f"SELECT '0123456789abcdef' AS run_id, '{record}' AS record FROM range({n})"
    duckdb.execute(f"COPY ({rows}) TO '{part}' (FORMAT parquet)")


def test_a_record_that_never_ends_is_named(runs: Path):
    os.mkfifo(study(runs) / "0123456789abcdef.json")
    (study(runs) / "fedcba9876543210.json").symlink_to("/dev/zero")
    with pytest.raises(
        RegistryError, match=r"0123456789abcdef\.json: cannot be read \(is no regular file \(a pipe\)\)"
    ):
        read_registry(runs)
    assert len([fault for fault in check(runs) if "cannot be read" in fault]) == 2
    finished_ids(study(runs))


def test_a_grid_that_never_ends_is_none(runs: Path):
    os.mkfifo(study(runs) / "grid.yaml")
    assert [record.representative for record in read_registry(runs)] == [False] * 6
    assert len(frame(runs)) == 6


def test_a_published_table_that_never_ends_is_named(tmp_path: Path):
    os.mkfifo(tmp_path / "table.csv")
    with pytest.raises(RegistryError, match=r"not a readable table .*is no regular file \(a pipe\)"):
        published_records(tmp_path / "table.csv", study="x", citation="y")


@pytest.mark.parametrize("name", ["0123456789abcdef.json", "runs-001.parquet", "grid.yaml", "link", "study"])
def test_a_url_of_files_that_never_end_or_lead_out_is_refused(runs: Path, tmp_path: Path, name: str):
    if name == "link":
        (tmp_path / "secret").write_text("secret")
        (study(runs) / "0123456789abcdef.json").symlink_to(tmp_path / "secret")
    elif name == "study":
        shutil.move(study(runs), tmp_path / "outside")
        (runs / "linked").symlink_to(tmp_path / "outside")
    else:
        os.mkfifo(study(runs) / name)
    with pytest.raises(RegistryError, match=r"is no regular file \(a pipe\)|leads out of"):
        fetched(runs.as_uri(), tmp_path / "here")


def test_links_that_lead_nowhere_or_to_themselves_are_named(runs: Path):
    (study(runs) / "0123456789abcdef.json").symlink_to("nothing")
    with pytest.raises(RegistryError, match=r"def\.json: cannot be read \(No such file"):
        read_registry(runs)
    (study(runs) / "0123456789abcdef.json").unlink()
    (study(runs) / "runs-001.parquet").symlink_to("runs-001.parquet")
    with pytest.raises(RegistryError, match=r"runs-001\.parquet: cannot be read \(Too many levels of symbolic links\)"):
        read_registry(runs)
    assert any("symbolic links" in fault for fault in check(runs))


@pytest.mark.parametrize("read", [read_registry, frame, check, lambda runs: read_costs(study(runs))])
def test_a_part_that_never_ends_is_named(runs: Path, read):
    os.mkfifo(study(runs) / "runs-001.parquet")
    named = r"runs-001\.parquet: cannot be read \(is no regular file \(a pipe\)\)"
    if read is check:
        assert any("is no regular file (a pipe)" in fault for fault in check(runs))
        return
    with pytest.raises(RegistryError, match=named):
        read(runs)


def test_a_record_outside_is_not_read(runs: Path, tmp_path: Path):
    first = min(study(runs).glob("*.json"))
    shutil.move(first, tmp_path / "outside.json")
    first.symlink_to(tmp_path / "outside.json")
    with pytest.raises(RegistryError, match=r"leads out of .*, to .*outside\.json"):
        read_registry(runs)
    assert any("leads out of" in fault for fault in check(runs))


def test_a_study_outside_is_neither_read_nor_packed(runs: Path, tmp_path: Path):
    write_many(tmp_path / "other", range(3))
    outside = study(tmp_path / "other")
    before = sorted(path.name for path in outside.iterdir())
    (runs / "linked").symlink_to(outside)
    for work in (read_registry, lambda runs: pack(runs, "linked"), lambda runs: unpack(runs, "linked")):
        with pytest.raises(RegistryError, match=r"linked: a folder of a registry leads out of .*copy it in"):
            work(runs)
    assert sorted(path.name for path in outside.iterdir()) == before
    assert pack(tmp_path / "other", outside.name), "named itself it is packed"


def test_attempts_outside_are_neither_read_nor_written(runs: Path, tmp_path: Path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other/0123456789abcdef.1.json").write_text("{}")
    (study(runs) / "attempts").symlink_to(tmp_path / "other")
    with pytest.raises(RegistryError, match=r"attempts: leads out of"):
        write_attempt(runs, study=study(runs).name, run_id="0123456789abcdef", attempt={})
    assert any("attempts: leads out of" in fault for fault in check(runs))
    assert len(list((tmp_path / "other").iterdir())) == 1


def test_a_link_to_a_folder_without_records_harms_nothing(runs: Path, tmp_path: Path):
    (tmp_path / "images").mkdir()
    (runs / "images").symlink_to(tmp_path / "images")
    assert len(read_registry(runs)) == 6


@pytest.mark.parametrize("read", [read_registry, frame, finished_ids, lambda folder: read_costs(folder)])
def test_a_part_of_too_many_rows_is_refused_at_once(runs: Path, read):
    part = study(runs) / "runs-001.parquet"
    write_part(part, "x", MAX_ROWS + 1)
    assert part.stat().st_size < 1_000_000
    folder = runs if read in (read_registry, frame) else study(runs)
    with pytest.raises(RegistryError, match=r"runs-001\.parquet: holds 1,000,001 records; at most 1,000,000 are read"):
        read(folder)


def test_a_part_that_unpacks_to_too_much_is_refused(runs: Path):
    part = study(runs) / "runs-001.parquet"
    duckdb.sql(
        f"COPY (SELECT 'a' AS run_id, repeat('x', 1000000) AS record FROM range(2000)) TO '{part}' (FORMAT parquet)"
    )
    with pytest.raises(RegistryError, match=r"unpacks to 2,000,000,000 bytes of records, more than 1,073,741,824"):
        read_registry(runs)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "[" * 5_000, "\\ud800", '{"run_id": "\\ud800"}', "9" * 5_000]
)
def test_deep_or_strange_json_is_a_damaged_record(runs: Path, text: str):
    (study(runs) / "0123456789abcdef.json").write_text(text)
    with pytest.raises(RegistryError, match=r"0123456789abcdef\.json"):
        read_registry(runs)
    assert any("0123456789abcdef" in fault for fault in check(runs))
    finished_ids(study(runs))


def test_two_packs_at_once_pack_every_run_once(tmp_path: Path):
    write_many(tmp_path / "runs", range(60))
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(4)
    processes = [
        context.Process(target=pack_together, args=(tmp_path / "runs", study(tmp_path / "runs").name, barrier))
        for _ in range(4)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    folder = study(tmp_path / "runs")
    rows = duckdb.sql(f"SELECT run_id FROM '{folder}/*.parquet'").fetchall()
    assert len(rows) == len(set(rows)) == 60 and check(tmp_path / "runs") == []
    assert not list(folder.glob(".*")), "the lock is gone"


def test_a_pack_waits_for_the_lock(runs: Path):
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    with locked(study(runs), "pack"):
        process = context.Process(target=pack_together, args=(runs, study(runs).name, barrier))
        process.start()
        barrier.wait(BARRIER_SECONDS)
        process.join(0.3)
        assert process.is_alive() and not list(study(runs).glob("*.parquet"))
    process.join()
    assert process.exitcode == 0 and len(list(study(runs).glob("*.parquet"))) == 1


def test_check_names_runs_that_stand_in_two_parts(runs: Path):
    part = pack(runs, study(runs).name)
    assert part is not None
    shutil.copy(part, part.with_name("runs-002.parquet"))
    (fault,) = check(runs)
    folder = study(runs)
    assert fault == (
        f"{folder}/runs-002.parquet: 6 runs stand there in runs-001.parquet too; "
        f"`predictor runs unpack {folder}`, then `predictor runs pack {folder}` leave each of them once"
    )
    unpack(folder, folder.name)
    pack(folder, folder.name)
    assert check(runs) == [] and len(read_registry(runs)) == 6


@pytest.mark.parametrize("key", ["target_set", "domain", "axes", "classes"])
def test_a_name_is_no_book(runs: Path, key: str):
    path = min(study(runs).glob("*.json"))
    content = json.loads(path.read_text())
    long = "x" * 100_000
    content[key] = {long: 1} if key == "axes" else long
    if key == "classes":
        del content[key]
        content["data"]["stages"][0]["classes"][0] = long
    path.write_text(json.dumps(content))
    with pytest.raises(RegistryError, match="at most 1000 characters") as raised:
        read_registry(runs)
    assert len(str(raised.value)) < 5_000


def test_a_pack_while_a_grid_writes_loses_and_doubles_nothing(tmp_path: Path):
    write_many(tmp_path / "runs", range(3))
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(tmp_path / "runs", range(n, n + 40))) for n in (3, 23)]
    for process in writers:
        process.start()
    folder = study(tmp_path / "runs")
    while any(process.is_alive() for process in writers):
        pack(tmp_path / "runs", folder.name)
    pack(tmp_path / "runs", folder.name)
    assert [process.exitcode for process in writers] == [0, 0]
    assert len(finished_ids(folder)) == 63 and not list(folder.glob("*.json"))
    assert check(tmp_path / "runs") == []
