"""Disks that are full or take nothing, no /dev/shm, folders that an ordinary user may not read: real ones, so that
most of it needs root. `benchmarks/faults.py` does the same with real training."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
from launch_made import made_grid, made_job
from records_made import write_many

from predictor.errors import ManifestError, PredictorError, RegistryError
from predictor.images.listing import digest_of
from predictor.importers.readers.flat import files_below
from predictor.manifest import read_manifest
from predictor.manifest.readers.paths import files_of, walked
from predictor.records import check, finished_ids, frame, pack, read_attempts, read_registry
from trainer.launch.local import run_grid

PAGE = os.sysconf("SC_PAGE_SIZE")
NOBODY = 65534


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Mounts a file system in memory at `runs`, or mounts it again with other options."""
    runs = tmp_path / "runs"

    def mount(options: str) -> None:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", runs], capture_output=True).returncode:
            pytest.skip("no file system can be mounted here")

    runs.mkdir()
    yield mount
    while os.path.ismount(runs):
        subprocess.run(["umount", "-l", runs], check=True)


@pytest.mark.parametrize("pages", [1, 2, 5])
def test_a_disk_that_fills_up_ends_a_grid_and_costs_no_record(tmp_path: Path, disk, pages: int) -> None:
    disk(f"size={pages * PAGE}")
    grid = made_grid(tmp_path, [4, 8], [0, 1, 2])
    job = made_job(grid, tmp_path)
    with pytest.raises(RegistryError, match=r"cannot be written \(No space left on device\)\. free space"):
        run_grid(grid, job, workers=1)
    kept = finished_ids(job.study_dir)
    assert os.statvfs(tmp_path / "runs").f_bavail <= 1 and len(kept) < pages
    assert not list(job.study_dir.glob(".*")), "no temporary file stays"
    disk("remount,size=1m")
    done = run_grid(grid, job, workers=1)
    assert len(done) == 6 - len(kept) and len(read_registry(tmp_path / "runs")) == 6 and check(tmp_path / "runs") == []


def test_a_disk_that_becomes_read_only_ends_a_grid(tmp_path: Path, disk) -> None:
    disk("size=1m")
    grid = made_grid(tmp_path, [4], [0])
    run_grid(grid, made_job(grid, tmp_path), workers=1)
    disk("remount,ro")
    more = made_grid(tmp_path, [4, 8], [0])
    with pytest.raises(RegistryError, match=r"cannot be written \(Read-only file system\)"):
        run_grid(more, made_job(more, tmp_path), workers=1)
    (study,) = (tmp_path / "runs").iterdir()
    with pytest.raises(PredictorError, match="Read-only file system"):
        pack(tmp_path / "runs", study.name)
    assert len(read_registry(tmp_path / "runs")) == 1 and check(tmp_path / "runs") == []


SCRIPT = """
from pathlib import Path
from launch_made import made_grid, made_job
from trainer.launch.local import run_grid
if __name__ == "__main__":
    grid = made_grid(Path("."), [4], [0, 1])
    print([outcome.status for outcome in run_grid(grid, made_job(grid, Path(".")), workers=2)])
"""


def test_a_grid_is_trained_without_shared_memory(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    inside = "mount -t tmpfs -o ro tmpfs /dev/shm || exit 77; exec $0 script.py"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    try:
        done = subprocess.run(["unshare", "--mount", "sh", "-c", inside, sys.executable], cwd=tmp_path,
                              capture_output=True, text=True, timeout=600, env=environment)  # fmt: skip
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("no file system can be mounted here")
    assert done.returncode == 0 and done.stdout.split() == ["['completed',", "'completed']"], done.stderr


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Of root, nobody: root may read everything."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


VOC = "<annotation><object><name>{}</name></object></annotation>"
READERS: dict[str, Callable[[Path], object]] = {
    "manifest": lambda folder: read_manifest(folder / "m.csv"),
    "image folder": lambda folder: read_manifest(folder / "pets"),
    "folder of tables": lambda folder: read_manifest(folder / "tables"),
    "annotations": lambda folder: read_manifest(folder / "voc"),
    "files of a folder": lambda folder: files_of(folder / "tables", ".parquet"),
    "files of annotations": lambda folder: list(walked(folder / "voc", links=True)),
    "runs of a tracker": lambda folder: files_below(folder / "tables", "*.parquet"),
    "digest": lambda folder: digest_of(folder / "pets"),
    "registry": lambda folder: read_registry(folder / "runs"),
    "columns of a registry": lambda folder: frame(folder / "runs"),
    "check": lambda folder: check(folder / "runs"),
    "one study": lambda folder: read_registry(next((folder / "runs").iterdir())),
    "attempts": lambda folder: read_attempts(folder / "other"),
    "pack": lambda folder: pack(folder / "runs", next((folder / "runs").iterdir()).name),
}


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
@pytest.mark.parametrize("what", READERS)
def test_what_an_ordinary_user_may_not_read_is_named(what: str) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "m.csv").write_text("label,count\ncat,3\ndog,2\n")
        for label in ("cat", "dog"):
            (folder / "pets" / label).mkdir(parents=True)
            (folder / "pets" / label / "1.jpg").write_bytes(b"x")
            (folder / "tables" / label).mkdir(parents=True)
            duckdb.execute(f"COPY (SELECT '{label}' AS label) TO '{folder}/tables/{label}/x.parquet'")
            (folder / "voc" / label).mkdir(parents=True)
            (folder / "voc" / label / "x.xml").write_text(VOC.format(label))
        (folder / "other/attempts").mkdir(parents=True)
        write_many(folder / "runs", range(2))
        READERS[what](folder)  # as root: whatever is imported only then
        locked = [folder / "m.csv", next((folder / "runs").iterdir()), folder / "other/attempts"]
        locked += [folder / kind / "cat" for kind in ("pets", "tables", "voc")]
        for path in locked:
            path.chmod(0)
        try:
            with ordinary_user(), pytest.raises((ManifestError, PredictorError), match="ermission") as raised:
                READERS[what](folder)
            assert str(folder) in str(raised.value)
        finally:
            for path in locked:
                path.chmod(0o755)
