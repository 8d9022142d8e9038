"""`predictor digest`: the command prints what the trainer computes and checks, for every kind of source."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from images import pattern, write_source

from predictor.cli.digest_command import command
from predictor.errors import DataError
from predictor.images.listing import digest_of
from trainer.data.opening import open_source, read_source


def write_folder(path: Path, classes: list[str], n: int, *, seed: int = 0) -> Path:
    generator = np.random.default_rng(seed)
    for kind, name in enumerate(classes):
        (path / name).mkdir(parents=True)
        for i in range(n):
            (path / name / f"{i:03d}.png").write_bytes(pattern(kind, generator))
    return path


def write_list(path: Path, folder: Path, **columns: str) -> Path:
    files = sorted(folder.rglob("*.png"))
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "label", *columns])
        writer.writerows([[file.relative_to(path.parent), file.parent.name, *columns.values()] for file in files])
    return path


@pytest.fixture
def sources(tmp_path: Path) -> list[Path]:
    folder = write_folder(tmp_path / "pets", ["cat", "dog"], 3)
    write_source(tmp_path / "pets.parquet", ["cat", "dog"], train=3, test=1, seed=0)
    return [folder, tmp_path / "pets.parquet", write_list(tmp_path / "pets.csv", folder)]


def printed(*arguments: object) -> str:
    result = CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout.strip()


def test_a_source_named_from_where_one_stands_is_the_same(sources: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """`photos/` as well as `/data/photos/`: its images are found, and their bytes are the same."""
    whole = [digest_of(source) for source in sources]
    monkeypatch.chdir(sources[0].parent)
    assert [digest_of(Path(source.name)) for source in sources] == whole
    assert printed(sources[0].name) == whole[0]


def test_the_trainer_takes_what_the_command_prints(sources: list[Path]) -> None:
    for source in sources:
        digest = printed(source)
        assert read_source("pets", source).digest == digest == digest_of(source)
        assert len(open_source("pets", source, digest).labels) == (8 if source.suffix == ".parquet" else 6)
        with pytest.raises(DataError, match="has other content than the grid says"):
            open_source("pets", source, digest[:-1] + ("0" if digest[-1] != "0" else "1"))


def test_a_parquet_source_is_its_bytes_and_a_folder_its_files_and_names(sources: list[Path]) -> None:
    folder, parquet, _ = sources
    assert printed(parquet) == "sha256:" + hashlib.sha256(parquet.read_bytes()).hexdigest()
    state = hashlib.sha256()
    for file in sorted(folder.rglob("*.png")):
        state.update(hashlib.sha256(file.read_bytes()).digest() + f"{file.parent.name}\0train".encode())
    assert printed(folder) == "sha256:" + state.hexdigest()


def test_content_decides_and_the_place_does_not(sources: list[Path], tmp_path: Path) -> None:
    folder = sources[0]
    before = printed(folder)
    moved = shutil.copytree(folder, tmp_path / "elsewhere" / "pets")
    assert printed(moved) == before
    first = next(moved.rglob("*.png"))
    first.write_bytes(first.read_bytes() + b"x")
    assert printed(moved) != before
    shutil.copytree(folder, tmp_path / "renamed")
    (tmp_path / "renamed" / "cat").rename(tmp_path / "renamed" / "lion")
    assert printed(tmp_path / "renamed") != before


def test_splits_and_groups_of_a_list_are_content(sources: list[Path], tmp_path: Path) -> None:
    folder = sources[0]
    plain = printed(sources[2])
    assert printed(write_list(tmp_path / "a.csv", folder, split="test")) != plain
    assert printed(write_list(tmp_path / "b.csv", folder, group="7")) != plain
    assert printed(write_list(tmp_path / "c.csv", folder, note="7")) == plain


def test_several_sources_and_json(sources: list[Path]) -> None:
    content = json.loads(printed(*sources, "--format", "json"))
    assert content["schema_version"] == 1
    assert [row["digest"] for row in content["sources"]] == [printed(source) for source in sources]
    assert all(row["digest"] in printed(*sources) for row in content["sources"])


def test_what_is_no_source_is_said(tmp_path: Path) -> None:
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / "1.png").write_bytes(b"")
    (tmp_path / "counts.csv").write_text("label,count\ncat,3\n")
    for path, said in [
        (tmp_path / "nothing", "no such file or folder"),
        (tmp_path / "flat", "found no folder of a class, 1 images that lie in no class folder"),
        (tmp_path / "counts.csv", "lists classes and their counts, no images"),
    ]:
        with pytest.raises(DataError, match=said):
            digest_of(path)
