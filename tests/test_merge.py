"""Several registries become one: every run once; what contradicts itself is named and nothing is written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from records_made import edited, made_record

from predictor.cli.runs_command import command
from predictor.errors import RegistryError
from predictor.images.results import Probe, probes_text
from predictor.records import check, pack, read_registry, write_record
from predictor.records.indicator_inputs import probes_of
from predictor.records.merge import merge
from predictor.records.schema import Outcome, Reported


def registry(folder: Path, *seeds: int, study: str = "demo") -> Path:
    for seed in seeds:
        write_record(folder, made_record(seed, study=study))
    return folder


def test_every_run_stands_once(tmp_path: Path) -> None:
    a, b = registry(tmp_path / "a", 0, 1, 2), registry(tmp_path / "b", 2, 3)
    registry(b, 7, study="other")
    pack(a, "demo")
    words = ["merge", str(a), str(b), "--output", str(tmp_path / "new" / "c"), "--format", "json"]
    told = CliRunner().invoke(command, words)
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["studies"] == [
        {"study": "demo", "n_runs": 4, "n_shared": 1}, {"study": "other", "n_runs": 1, "n_shared": 0}]  # fmt: skip
    merged = read_registry(tmp_path / "new" / "c")
    assert {r.run_id: r for r in merged} == {r.run_id: r for r in [*read_registry(a), *read_registry(b)]}
    assert check(tmp_path / "new" / "c") == []
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["c"], "nothing temporary is left"


def test_contradictions_are_named_and_nothing_is_written(tmp_path: Path) -> None:
    a, b = registry(tmp_path / "a", 0), registry(tmp_path / "b")
    other = made_record(0, right=3)
    write_record(b, other)
    with pytest.raises(RegistryError, match=rf"{other.run_id}\.json and .*{other.run_id}\.json"):
        merge([a, b], tmp_path / "c")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]
    (b / "demo" / f"{other.run_id}.json").unlink()
    for folder, text in ((a, "study: demo\n"), (b, "study: demo\nseeds: [1]\n")):
        (folder / "demo" / "grid.yaml").write_text(text)
    registry(b, 1)
    with pytest.raises(RegistryError, match=r"say different things of one study, demo: .*grid\.yaml"):
        merge([a, b], tmp_path / "c")
    (b / "demo" / "grid.yaml").write_text("study: demo\n")
    merge([a, b], tmp_path / "c")
    assert (tmp_path / "c" / "demo" / "grid.yaml").read_text() == "study: demo\n"


@pytest.mark.parametrize(
    "change",
    [
        {"status": "diverged", "outcomes": {}},
        {"outcomes": {**made_record(0).outcomes, "shift:more": Outcome(value=0.5)}},
        {"data": Reported(indicators={"n_samples": 9.0}, citation="another one")},
    ],
    ids=lambda change: ", ".join(change),
)
def test_one_run_with_two_results_is_a_contradiction(tmp_path: Path, change: dict[str, object]) -> None:
    a, b = registry(tmp_path / "a", 0), tmp_path / "b"
    other = made_record(0).model_copy(update=change)
    (b / "demo").mkdir(parents=True)
    (b / "demo" / f"{other.run_id}.json").write_text(other.to_json())
    with pytest.raises(RegistryError, match=r"say different things of one study, demo"):
        merge([a, b], tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_costs_may_differ(tmp_path: Path) -> None:
    a, b = registry(tmp_path / "a", 0), tmp_path / "b"
    write_record(b, edited(made_record(0), started_at="2026-01-02T00:00:00+00:00"))
    assert merge([a, b], tmp_path / "c")[0].n_shared == 1
    assert read_registry(tmp_path / "c") == read_registry(a), "the first registry's record stays"


def test_refusals(tmp_path: Path) -> None:
    a = registry(tmp_path / "a", 0)
    with pytest.raises(RegistryError, match="merging takes two or more"):
        merge([a], tmp_path / "c")
    with pytest.raises(RegistryError, match=r"is there already\. name a new folder: --output"):
        merge([a, a], a)
    assert merge([a, a], tmp_path / "same")[0].n_runs == 1


def test_probes_are_joined_and_a_contradiction_is_named(tmp_path: Path) -> None:
    one, two = (
        Probe(
            digest=f"sha256:{n}", split="train", image_size=32, n_images=4, n_draws=1, sizes=(), classes=(), left_out={}
        )
        for n in range(2)
    )
    a, b = registry(tmp_path / "a", 0), registry(tmp_path / "b", 1)
    (a / "probes.json").write_text(probes_text({one.key: one}))
    (b / "probes.json").write_text(probes_text({one.key: one, two.key: two}))
    merge([a, b], tmp_path / "c")
    assert probes_of(tmp_path / "c") == {one.key: one, two.key: two}
    (b / "probes.json").write_text(probes_text({one.key: replace(one, n_images=5)}))
    with pytest.raises(RegistryError, match=rf"probe {one.key} says something else than in another registry"):
        merge([a, b], tmp_path / "d")
    assert not (tmp_path / "d").exists()
