"""A stated sample of a large registry: whole configurations, of every study and target set, always the same ones."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from records_made import made_record, made_spec

from predictor.cli.fit_command import command
from predictor.models.fit import load_fit
from predictor.records import pack, read_registry, write_record
from predictor.records.sampling import sampled


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("registry")
    for study, sizes in (("large", range(5, 17)), ("small", range(20, 22))):
        for size in sizes:
            for seed in range(2):
                write_record(folder, made_record(study=study, spec=made_spec(seed, size), right=size % 20))
    pack(folder, "large")
    return folder


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def test_whole_configurations_of_every_study(runs: Path) -> None:
    assert sampled(runs, None, 28) is None, "28 runs are all of them"
    chosen = sampled(runs, None, 12)
    assert chosen is not None and chosen == sampled(runs, None, 12)
    found = read_registry(runs, None, chosen.configurations)
    assert len(found) == 12 and set(Counter(r.configuration_id for r in found).values()) == {2}
    assert Counter(r.study for r in found) == {"large": 8, "small": 4}
    assert chosen.note.startswith("a sample is fitted, 12 of 28 runs, 6 of 14 configurations")
    every = {r.run_id: r for r in read_registry(runs)}
    assert all(every[r.run_id] == r for r in found)
    by_digest = sorted({r.configuration_id for r in every.values() if r.study == "large"}, key=digest)
    assert chosen.configurations >= set(by_digest[:4]), "by digest, which no name or size decides"
    only = sampled(runs, ["large"], 5)
    assert only is not None and len(read_registry(runs, ["large"], only.configurations)) == 4


def test_fit_says_that_it_is_a_sample(runs: Path, tmp_path: Path) -> None:
    words = [str(runs), "--sample", "22", "--outcome", "accuracy", "--family", "linear", "--output"]
    told = CliRunner().invoke(command, [*words, str(tmp_path / "fit.json")], catch_exceptions=False)
    assert told.exit_code == 0
    assert any(
        f"{runs}: a sample is fitted, 22 of 28 runs" in note for note in load_fit(tmp_path / "fit.json").left_out
    )
