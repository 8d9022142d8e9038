"""A registry elsewhere is fetched, and is then a registry like any."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from records_made import made_record

from predictor.cli.fit_command import command as fit_command
from predictor.cli.import_command import command as import_command
from predictor.cli.runs_command import command
from predictor.errors import RegistryError
from predictor.records import pack, read_registry, write_record
from predictor.records.elsewhere import fetched, is_elsewhere
from trainer.cli import trainer


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    place = tmp_path / "other machine" / "runs"
    for seed in range(3):
        write_record(place, made_record(seed))
    pack(place, "demo")
    for seed in range(3, 5):
        write_record(place, made_record(seed))
    write_record(place, made_record(9, study="second"))
    (place / "demo" / "grid.yaml").write_text("representative: true\n")
    return place


@pytest.mark.parametrize("study", ["", "/demo"])
def test_a_url_of_files(study: str, runs: Path, tmp_path: Path) -> None:
    url = runs.as_uri() + study
    found = read_registry(fetched(url, tmp_path / "here"))
    assert found == read_registry(f"{runs}{study}")
    assert all(record.representative == (record.study == "demo") for record in found), "grids come along"


def test_commands_take_urls_and_patterns(runs: Path, tmp_path: Path) -> None:
    other = tmp_path / "third" / "runs"
    for seed in (4, 11):
        write_record(other, made_record(seed))
    for place in (runs.as_uri(), str(tmp_path / "*" / "runs")):
        told = CliRunner().invoke(command, ["list", place, "--format", "json"], catch_exceptions=False)
        n = 6 if place == str(tmp_path / "*" / "runs") else 5
        assert [(row["study"], row["n_runs"]) for row in json.loads(told.stdout)["studies"]] == [
            ("demo", n), ("second", 1)]  # fmt: skip
    words = ["merge", runs.as_uri(), str(other), "--output", str(tmp_path / "all")]
    assert CliRunner().invoke(command, words, catch_exceptions=False).exit_code == 0
    assert len(read_registry(tmp_path / "all")) == 7
    told = CliRunner().invoke(fit_command, [runs.as_uri()])
    assert "is not on this machine" in str(told.exception) and "--output fit.json" in str(told.exception)


@pytest.mark.parametrize("place", ["file://{}/new", "{}/r*", "s3://bucket/runs"])
def test_nothing_is_written_elsewhere(place: str, runs: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("n_samples,accuracy\n100,0.5\n")
    place = place.format(tmp_path)
    said = ("--study", "s", "--citation", "c", "--target-set", "t", "--domain", "d")
    before = sorted(tmp_path.rglob("*"))
    for of, words in (
        (import_command, ["table", tmp_path / "t.csv", place, *said]),
        (import_command, ["table", tmp_path / "t.csv", place, *said, "--dry-run"]),
        (command, ["pack", place]),
        (command, ["unpack", place]),
        (command, ["merge", runs, runs, "--output", place]),
        (trainer, ["run", "grid.yaml", "--runs", place]),
        (trainer, ["export", "tensorboard", runs, place]),
        (trainer, ["export", "wandb", runs, place]),
    ):
        told = CliRunner().invoke(of, [str(word) for word in words])
        assert isinstance(told.exception, RegistryError), (words, told.output)
        assert str(told.exception).startswith(f"{place}: is a ") and str(told.exception).endswith(". name one")
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_said_of_a_fetched_registry_names_the_place_that_was_given(runs: Path, tmp_path: Path) -> None:
    write_record(tmp_path / "third" / "runs", made_record(11))
    (runs / "demo" / "grid.yaml").unlink()
    for place in (runs.as_uri(), str(tmp_path / "*" / "runs")):
        told = CliRunner().invoke(command, ["check", place])
        assert told.output == f"{place}: clean\n"
    record = next((runs / "demo").glob("*.json"))
    record.write_text("{")
    told = CliRunner().invoke(command, ["check", runs.as_uri()])
    assert told.exit_code == 2 and f"{runs.as_uri()}/demo/{record.name}" in told.output
    assert f"{runs.as_uri()}: 1 fault\n" in told.output and "predictor-" not in told.output, told.output
    done = subprocess.run([sys.executable, "-m", "predictor", "runs", "list", runs.as_uri()], capture_output=True,
                          text=True)  # fmt: skip
    assert done.returncode == 2 and f"{runs.as_uri()}/demo/{record.name}" in done.stderr, done.stderr


def test_what_cannot_be_fetched(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"unknown kind of place 'ftp'\. choose of file://, s3://"):
        fetched("ftp://x/runs", tmp_path)
    with pytest.raises(RegistryError, match="no such folder"):
        fetched((tmp_path / "none").as_uri(), tmp_path)
    with pytest.raises(RegistryError, match="no run records there"):
        fetched(tmp_path.as_uri(), tmp_path / "x")
    with pytest.raises(RegistryError, match="no folder fits the pattern"):
        fetched(str(tmp_path / "x*" / "runs"), tmp_path)
    (tmp_path / "a[1]").mkdir()
    assert not is_elsewhere(str(tmp_path / "a[1]")), "a folder's own name is no pattern"


def test_a_bucket_needs_the_engines_extension(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match=r"extension httpfs is not installed|cannot be read: "):
        fetched("s3://no-such-bucket-of-anybody/runs", tmp_path)
