"""What the trainer keeps beside its records: pipes, links and files of another shape neither hang it nor are lost."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from predictor.errors import DataError
from predictor.files import replacing
from trainer import checkpoint, weights
from trainer.features.cache import FeatureCache, Key
from trainer.launch import lease as leases
from trainer.launch import logs
from trainer.launch.lease import Watch, claim

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes have names on POSIX alone")


def test_a_checkpoint_that_is_a_pipe_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    os.mkfifo(path)
    with pytest.raises(checkpoint.WrongCheckpointError, match=r"it cannot be read \(is no regular file \(a pipe\)\)"):
        checkpoint.read(path, "cpu")
    assert checkpoint.put_aside(path).is_fifo() and checkpoint.read(path, "cpu") is None


def test_weights_that_are_a_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.pth")
    with pytest.raises(DataError, match=r"cannot be read: is no regular file \(a pipe\)"):
        weights.tensors(tmp_path / "a.pth")


@pytest.mark.parametrize("kind", ["pipe", "link", "long"])
def test_a_lease_that_is_none_goes_stale_by_time_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path, now = tmp_path / "a.1.lease", [0.0]
    monkeypatch.setattr(leases.time, "monotonic", lambda: now[0])
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("/dev/zero")
    else:
        path.write_bytes(b"[" * (1 << 20))
    watch = Watch()
    assert claim(tmp_path, "a", watch, [os.getpid()]) is None
    now[0] = leases.LEASE_SECONDS
    assert claim(tmp_path, "a", watch, [os.getpid()]) is None
    now[0] += 1
    assert claim(tmp_path, "a", watch, [os.getpid()])


def cache(width: int = 3) -> FeatureCache:
    return FeatureCache(
        Key("s", "w", "n", 8, "bicubic"), 5, width, lambda rows: np.repeat(rows[:, None], width, 1) + 0.5
    )


@pytest.mark.parametrize("name", ["done.npy", "features.npy"])
def test_features_that_are_no_files_are_computed_again_and_nothing_else_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("PREDICTOR_CACHE", str(tmp_path))
    first = cache().take(np.array([1, 4]))
    assert first.tolist() == [[1.5] * 3, [4.5] * 3]
    path = cache().folder / name
    path.unlink()
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    path.symlink_to(outside)
    with pytest.raises(OSError, match="is a link, to"):
        cache().take(np.array([1, 2]))
    assert outside.read_bytes() == b"mine"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match="is no regular file"):
        cache().take(np.array([1, 2]))
    path.unlink()
    assert cache().take(np.array([1, 2])).tolist() == [[1.5] * 3, [2.5] * 3]


def test_features_of_another_shape_or_a_torn_note_are_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDICTOR_CACHE", str(tmp_path))
    own = cache()
    own.take(np.arange(5))
    np.save(own.folder / "features.npy", np.zeros((5, 2), np.float16))
    assert cache().take(np.array([3])).tolist() == [[3.5] * 3]
    whole = (own.folder / "done.npy").read_bytes()
    for torn in (b"", whole[:20], b"\x93NUMPY\x01\x00\xff\xff", whole + b"x" * 10_000):
        (own.folder / "done.npy").write_bytes(torn)
        assert cache().take(np.array([2])).tolist() == [[2.5] * 3]


def test_a_lock_of_logs_that_is_a_device_is_not_opened(tmp_path: Path) -> None:
    left = tmp_path / f"{logs.PREFIX}x"
    left.mkdir()
    (left / logs.LOCK).symlink_to("/dev/null")
    logs.clear(tmp_path)
    assert left.is_dir()


def test_a_library_that_writes_by_itself_replaces_no_link(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    path.symlink_to(tmp_path / "outside")
    with pytest.raises(OSError, match="is a link, to"), replacing(path) as temporary:
        temporary.write_bytes(b"x")
    assert path.is_symlink()
