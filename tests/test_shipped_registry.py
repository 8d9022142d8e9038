"""The registry that ships: real, complete, consistent, and the source of the fit inside the package."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from predictor.fitting import fit_registry
from predictor.grids import load_grid
from predictor.inference import shipped_fit
from predictor.records import check, finished_ids, read_registry

RUNS = Path(__file__).parents[1] / "runs"
IMAGES = Path(__file__).parents[2] / "shared" / "data" / "images"


@pytest.fixture(scope="module")
def first_look():
    return read_registry(RUNS, ["first-look"])


def test_registry_is_clean() -> None:
    assert check(RUNS) == []


def test_first_look_holds_what_its_grid_plans(first_look) -> None:
    grid = load_grid(RUNS / "first-look" / "grid.yaml")
    assert {run.spec.run_id for run in grid.runs} == finished_ids(RUNS / "first-look")
    seeds = Counter(record.configuration_id for record in first_look)
    assert len(seeds) >= 60 and set(seeds.values()) == {3}
    assert len({r.target_set for r in first_look}) >= 3 and len({r.domain for r in first_look}) == 2
    assert all(any(name.startswith("shift:") for name in r.outcomes) for r in first_look)


def test_first_look_is_of_real_runs(first_look) -> None:
    for record in first_look:
        assert record.provenance == "trained" and record.environment.device_name
        assert record.seconds.train > 1 and "+changed" not in record.environment.commit
    values = [record.outcomes["accuracy"].value for record in first_look]
    assert min(values) < 0.35 and max(values) > 0.9
    assert len({tuple(r.outcomes["accuracy"].correct) for r in first_look}) > 0.95 * len(first_look)


def test_one_record_again_gives_the_same_outcome(first_look) -> None:
    if not IMAGES.is_dir():
        pytest.skip("the images are not on this machine")
    from trainer.device import device_name
    from trainer.run import PROTOCOL, run_spec

    grid = load_grid(RUNS / "first-look" / "grid.yaml")
    if grid.protocol != PROTOCOL:
        pytest.skip(f"its records are of protocol {grid.protocol}, the trainer's is {PROTOCOL}")
    planned = min((r for r in grid.runs if r.target_set == "cifar10/a"), key=lambda r: r.spec.run_id)
    before = next(r for r in first_look if r.run_id == planned.spec.run_id)
    again = run_spec(
        planned.spec, study="again", axes={}, domain=planned.domain, held_out=False, data_dir=IMAGES,
        files={name: source.file for name, source in grid.sources.items()}, threads=before.environment.threads,
    )  # fmt: skip
    if device_name("cpu") == before.environment.device_name:
        assert again.outcomes == before.outcomes  # every count of every class on every test set
    else:
        assert again.outcomes["accuracy"].value == pytest.approx(before.outcomes["accuracy"].value, abs=0.05)


def test_shipped_fit_is_a_fit_of_the_shipped_registry() -> None:
    shipped, again = shipped_fit().content, fit_registry(read_registry(RUNS)).content

    def close(a, b, where: str) -> None:
        if isinstance(a, dict):
            assert a.keys() == b.keys(), where
            for key in a:
                if key not in ("versions", "digest"):
                    close(a[key], b[key], f"{where}.{key}")
        elif isinstance(a, list):
            assert len(a) == len(b), where
            for i, (x, y) in enumerate(zip(a, b, strict=True)):
                close(x, y, f"{where}[{i}]")
        elif isinstance(a, float) and isinstance(b, int | float):
            assert a == pytest.approx(b, rel=1e-4, abs=1e-6), where
        else:
            assert a == b, where

    close(json.loads(json.dumps(shipped)), json.loads(json.dumps(again)), "fit")
    assert shipped["training"]["digest"] == again["training"]["digest"]
    assert set(shipped["training"]["studies"]) == {"first-look"}  # reported tables enter no shipped fit


def test_skill_over_the_baselines(first_look) -> None:
    rows = [r for r in shipped_fit().validation if r["split"] == "configuration" and r["chosen"]]
    accuracy = next(r for r in rows if r["outcome"] == "accuracy")
    for baseline in ("mean", "log_n", "log_n_log_h"):
        assert accuracy["skill"][baseline] > 0
