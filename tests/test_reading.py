"""One opener: regular files of bounded size, and none outside of the folder that it belongs to."""

from __future__ import annotations

import ast
import errno
import os
import socket
from pathlib import Path

import pytest

from predictor.cli.common import write_text
from predictor.errors import PredictorError, RegistryError
from predictor.files import add_file, replace_file
from predictor.reading import check_inside, check_regular, opened, read_bytes, read_text


def test_a_regular_file_is_read(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfcat\r\ndog\rcow\n")
    assert read_text(tmp_path / "a", limit=100) == "cat\ndog\ncow\n"
    (tmp_path / "link").symlink_to("a")
    assert read_text(tmp_path / "link", limit=100, root=tmp_path) == "cat\ndog\ncow\n"


def test_whatever_might_not_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "to-pipe").symlink_to("pipe")
    (tmp_path / "to-zero").symlink_to("/dev/zero")
    server = socket.socket(socket.AF_UNIX)
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    server.bind("socket")
    server.close()
    for name, kind in {"pipe": "a pipe", "to-pipe": "a pipe", "to-zero": "a device", "socket": "a socket"}.items():
        with pytest.raises(OSError, match=rf"is no regular file \({kind}\)"):
            read_bytes(tmp_path / name, limit=100)
        with pytest.raises(OSError, match="is no regular file"):
            opened(tmp_path / name)
    with pytest.raises(IsADirectoryError):
        read_bytes(tmp_path, limit=100)
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "nothing", limit=100)


def test_size_is_bounded_before_it_is_read(tmp_path: Path):
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match=r"has 1,099,511,627,776 bytes; at most 100 are read"):
        read_bytes(tmp_path / "sparse", limit=100)
    (tmp_path / "just").write_bytes(b"x" * 100)
    assert len(read_bytes(tmp_path / "just", limit=100)) == 100
    with pytest.raises(OSError, match="at most 100 are read"):  # says that it has none
        read_bytes("/proc/self/maps", limit=100)


def test_no_link_leads_out(tmp_path: Path):
    (tmp_path / "root/sub").mkdir(parents=True)
    (tmp_path / "secret").write_text("x")
    (tmp_path / "root/out").symlink_to("../secret")
    (tmp_path / "root/sub/inside").symlink_to("../own")
    (tmp_path / "root/own").write_text("y")
    (tmp_path / "rootless").write_text("z")
    (tmp_path / "root/near").symlink_to("../rootless")  # begins like the folder
    for name in ("out", "near"):
        with pytest.raises(OSError, match="leads out of"):
            read_bytes(tmp_path / "root" / name, limit=100, root=tmp_path / "root")
    assert read_bytes(tmp_path / "root/sub/inside", limit=100, root=tmp_path / "root") == b"y"
    check_inside(tmp_path / "root", tmp_path / "root")
    assert check_regular(tmp_path / "root/out") == (tmp_path / "secret").resolve()
    (tmp_path / "alias").symlink_to("root")
    assert read_bytes(tmp_path / "alias/own", limit=100, root=tmp_path / "alias") == b"y"


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (os.mkfifo, r"is no regular file \(a pipe\)"),
        (lambda path: path.symlink_to("/dev/null"), "is a link, to /dev/null; name the file itself"),
        (lambda path: path.symlink_to("nothing"), "is a link, to nothing; name the file itself"),
        (lambda path: path.mkdir(), "Is a directory"),
    ],
)
def test_a_writer_replaces_regular_files_alone(tmp_path: Path, make, problem):
    path = tmp_path / "x"
    make(path)
    before = path.lstat().st_mode
    with pytest.raises(OSError, match=problem):
        replace_file(path, b"new")
    assert path.lstat().st_mode == before and [p.name for p in tmp_path.iterdir()] == ["x"]
    with pytest.raises(PredictorError, match=problem if "Is a" not in problem else "is a folder"):
        write_text(path, "new")


def test_a_link_to_a_file_is_not_followed(tmp_path: Path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "x").symlink_to("mine")
    with pytest.raises(PredictorError, match="is a link, to mine; name the file itself"):
        write_text(tmp_path / "x", "new")
    assert (tmp_path / "mine").read_text() == "mine"


def test_names_may_be_as_long_as_the_system_allows(tmp_path: Path):
    replace_file(tmp_path / ("x" * 255), b"new")
    replace_file(tmp_path / os.fsdecode(b"\xff" * 255), b"new")
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(OSError, match="File name too long"):
        replace_file(tmp_path / ("x" * 256), b"new")


def test_text_that_is_no_unicode_is_written_out(tmp_path: Path):
    write_text(tmp_path / "x", "pilots of \udcff.csv")
    assert (tmp_path / "x").read_text() == "pilots of \\udcff.csv"


def test_a_disk_that_takes_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "unlink", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(RegistryError, match=r"cannot be written \(Read-only file system\)"):
        add_file(tmp_path / "x", b"new")


ELSEWHERE = {  # calls that open files beside the one opener and the one writer, and why that is right
    "predictor/class_lists.py": "of the package",
    "predictor/grids/presets.py": "of the package",
    "predictor/models/fit.py": "of the package",
    "predictor/prediction/recipes.py": "of the package",
    "predictor/entry.py": "the null device",
    "predictor/images/decoding.py": "bytes in memory",
    "predictor/images/readers/arrow.py": "looked at by check_regular",
    "predictor/manifest/read.py": "what it wrote itself",
    "predictor/manifest/readers/workbook.py": "what it writes itself",
    "predictor/manifest/readers/text.py": "looked at by head_of",
    "predictor/records/pack.py": "what it wrote itself",
    "predictor/records/store.py": "opened without waiting, looked at afterwards",
    "trainer/data/streamed.py": "of the system",
    "trainer/data/writing.py": "what it writes itself",
    "trainer/device.py": "of the system",
    "trainer/energy.py": "of the system",
    "trainer/features/cache.py": "what it writes itself",
    "trainer/launch/lease.py": "a new file",
    "trainer/launch/logs.py": "a new file, or looked at by check_regular",
    "trainer/launch/pool.py": "the log of a worker",
    "trainer/launch/worker.py": "the log of a worker, and of the system",
}


def test_files_are_opened_in_one_place():
    root = Path(__file__).parents[1]
    found = set()
    for file in [*root.glob("predictor/**/*.py"), *root.glob("trainer/**/*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            own = isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") in ("self", "reading")
            method = isinstance(node.func, ast.Attribute) and name in ("read_text", "read_bytes")
            if not own and (name == "open" or method):
                found.add(file.relative_to(root).as_posix())
    assert found - {"predictor/reading.py", "predictor/files.py"} == set(ELSEWHERE)
