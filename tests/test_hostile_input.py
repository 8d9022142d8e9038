"""Manifests that grow, say no size or hold holes, numbers that no computer holds: a result or one message."""

from __future__ import annotations

import io
import sys
import tarfile
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner
from records_made import write_many

from predictor.cli import predictor
from predictor.errors import ManifestError, PredictorError
from predictor.manifest import read_manifest
from predictor.reading import read_bytes
from predictor.records import check, read_registry


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc here")
def test_a_file_that_says_no_size_is_bounded_all_the_same():
    path = Path("/proc/self/status")
    assert path.stat().st_size == 0
    with pytest.raises(OSError, match=r"bytes; at most 100 are read"):
        read_bytes(path, limit=100)


@pytest.mark.parametrize(("name", "line"), [("m.csv", b"cat\n"), ("m.jsonl", b'{"label": "cat"}\n')])
def test_a_manifest_that_grows_while_it_is_read(tmp_path: Path, name: str, line: bytes):
    path, head = tmp_path / name, b"label\n" if name == "m.csv" else b""
    path.write_bytes(head + line * 1_000)
    ended = threading.Event()

    def grow() -> None:
        while not ended.is_set() and path.stat().st_size < 1 << 20:
            with open(path, "ab") as file:
                file.write(line * 1_000)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        for _ in range(5):
            try:
                found = read_manifest(path)
            except ManifestError:  # a line that was half written
                continue
            assert set(found.class_names) <= {"cat", "ca", "c"} and found.n_samples >= 1_000
    finally:
        ended.set()
        writer.join()
    assert read_manifest(path).class_names == ("cat",)


@pytest.mark.parametrize("how", ["GNU", "pax"])
def test_a_tar_with_holes_is_refused(tmp_path: Path, how: str):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("a.cls")
        if how == "pax":
            member.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "a.cls"}
        else:
            member.type = tarfile.GNUTYPE_SPARSE
        archive.addfile(member)
    (tmp_path / "m.tar").write_bytes(stream.getvalue())
    with pytest.raises(ManifestError, match=r"is stored with holes \(a sparse file\). write the shard without"):
        read_manifest(tmp_path / "m.tar")


def test_more_labels_than_any_list_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("predictor.manifest.table_parts.MAX_KEYS", 3)
    (tmp_path / "m.csv").write_text("label\n" + "\n".join("abcd") + "\n")
    with pytest.raises(ManifestError, match="more than 3 different labels"):
        read_manifest(tmp_path / "m.csv")


def test_a_registry_of_many_studies(tmp_path: Path):
    write_many(tmp_path / "runs", range(2))
    for number in range(2_000):
        (tmp_path / f"runs/s{number}").mkdir()
    (tmp_path / "runs/lost+found").mkdir(mode=0)
    assert len(read_registry(tmp_path / "runs")) == 2 and check(tmp_path / "runs") == []


NUMBERS = ["9" * 400, "-1", "1e400", "nan", "inf", "9223372036854775808", "", "\u0661", "0x10", "\x1b[2J"]
OPTIONS = {
    "budget": "advise m.csv --budget",
    "reach": "advise m.csv --budget 9 --reach",
    "level": "predict m.csv --level",
    "image-steps": "predict m.csv --image-steps",
    "image-size": "predict m.csv --image-size",
    "next": f"pilots m.csv --source s --digest sha256:{'0' * 64} --next",
    "draws": "agreement runs --draws",
}


@pytest.mark.parametrize("option", OPTIONS)
def test_numbers_that_no_computer_holds_are_an_answer_or_a_fault_of_the_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
):
    monkeypatch.chdir(tmp_path)
    Path("m.csv").write_text("label,count\nbear,180\nbee,120\nbus,50\n")
    if "runs" in OPTIONS[option]:
        write_many(Path("runs"), range(3))
    for number in NUMBERS:
        done = CliRunner().invoke(predictor, [*OPTIONS[option].split(), number])
        fine = done.exception is None or isinstance(done.exception, PredictorError)
        assert fine or (isinstance(done.exception, SystemExit) and done.exit_code == 2), (number, done.exception)
        assert len(done.output) < 20_000


@pytest.mark.skipif(sys.platform == "win32", reason="names are bytes on POSIX alone")
@pytest.mark.parametrize("name", ["x" * 256, "a/" * 3_000 + "b", "\udcff\udcfe.csv", "new\nline.csv", "esc\x1b[2J.csv"])
def test_names_that_no_file_has_are_one_message(name: str):
    for words in (["indicators", name], ["predict", name], ["fit", name], ["runs", "list", name]):
        done = CliRunner().invoke(predictor, words)
        fault = done.exception
        assert isinstance(fault, OSError | PredictorError | SystemExit) and done.exit_code, (words[0], fault)
