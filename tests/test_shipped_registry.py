"""The registry that ships: real, complete, consistent, and the source of the fit inside the package."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from fits_compared import assert_same_fit, of_outcome

import predictor
from predictor.fitting import fit_registry, select
from predictor.grids import Grid, load_grid
from predictor.grids.probes import spec_key, target_sets
from predictor.images.methods import method_of
from predictor.images.results import METHOD
from predictor.models.fit import load_fit, shipped_fit
from predictor.records import check, finished_ids, read_registry
from predictor.records.indicator_inputs import probes_of
from predictor.records.schema import RunRecord
from predictor.render.page import page_text
from predictor.render.validation_screen import SCORES, FitTold, page

RUNS = Path(__file__).parents[1] / "runs"
IMAGES = Path(__file__).parents[2] / "shared" / "data" / "images"
STUDIES = sorted(part.parent.name for part in RUNS.glob("*/runs-001.parquet") if (part.parent / "grid.yaml").exists())
TABLES = sorted(part.parent.name for part in RUNS.glob("*/runs-001.parquet") if part.parent.name not in STUDIES)


@pytest.fixture(scope="module")
def trained() -> dict[str, list[RunRecord]]:
    return {study: read_registry(RUNS, [study]) for study in STUDIES}


@pytest.fixture(scope="module")
def everything(trained) -> list[RunRecord]:
    """All runs and tables, read once."""
    return [record for own in trained.values() for record in own] + read_registry(RUNS, TABLES)


@pytest.fixture(scope="module")
def grids() -> dict[str, Grid]:
    return {study: load_grid(RUNS / study / "grid.yaml") for study in STUDIES}


@pytest.mark.slow  # .ci/lowest asks the command as well
def test_registry_is_clean() -> None:
    assert check(RUNS) == []


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_holds_what_its_grid_plans(study, trained, grids) -> None:
    grid = grids[study]
    planned = {run.spec.run_id: run for run in grid.runs}
    assert set(planned) >= finished_ids(RUNS / study), "a record that the grid does not plan"
    for record in trained[study]:
        run = planned[record.run_id]
        assert (record.study, record.held_out) == (study, grid.held_out)
        assert (record.target_set, record.domain, record.axes) == (run.target_set, run.domain, run.axes)
        assert record.provenance == "trained" and record.environment.device_name
        assert "+changed" not in record.environment.commit
        assert record.seconds.train > (0 if run.spec.model.frozen else 1)
    seeds = Counter(record.configuration_id for record in trained[study])
    wanted = Counter(run.spec.configuration_id for run in grid.runs)
    assert all(n <= wanted[name] for name, n in seeds.items())


def test_first_look_is_whole_and_spread_out(trained) -> None:
    records = trained["first-look"]
    assert len({r.configuration_id for r in records}) == 68 and len(records) == 204
    assert len({r.target_set for r in records}) == 4 and len({r.domain for r in records}) == 2
    assert all(any(name.startswith("shift:") for name in r.outcomes) for r in records)
    values = [record.outcomes["accuracy"].value for record in records]
    assert min(values) < 0.35 and max(values) > 0.9
    assert len({tuple(r.outcomes["accuracy"].correct) for r in records}) > 0.95 * len(records)


def test_no_run_stands_in_two_studies(trained) -> None:
    times = Counter(record.run_id for records in trained.values() for record in records)
    assert [run_id for run_id, n in times.items() if n > 1] == []


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES)
def test_a_random_record_again_gives_the_same_outcome(study, trained, record_property) -> None:
    if not IMAGES.is_dir():
        pytest.skip("the images are not on this machine")
    from trainer.run import run_spec

    grid = load_grid(RUNS / study / "grid.yaml")
    there = sorted((r for r in trained[study] if r.environment.device == "cpu"), key=lambda r: r.seconds.train)
    before = random.choice(there[: max(1, len(there) // 5)])  # of the fifth that takes least
    planned = next(run for run in grid.runs if run.spec.run_id == before.run_id)
    record_property("run", before.run_id)
    again = run_spec(
        planned.spec, study="again", axes={}, domain=planned.domain, held_out=False, data_dir=IMAGES,
        files={name: source.file for name, source in grid.sources.items()}, threads=before.environment.threads,
    )  # fmt: skip
    same = ("device_name", "threads", "precision")
    alike = all(getattr(again.environment, name) == getattr(before.environment, name) for name in same)
    built = ("torch", "vectors")
    if alike and all(again.environment.versions[k] == before.environment.versions.get(k) for k in built):
        assert again.outcomes == before.outcomes, before.run_id  # every count of every class on every test set
    else:  # rounding differs, and SGD carries it on: no further apart than seeds of one configuration are in this study
        for name, outcome in before.outcomes.items():
            assert again.outcomes[name].tested == outcome.tested, before.run_id  # the same test images
        apart = abs(again.outcomes["accuracy"].value - before.outcomes["accuracy"].value)
        assert apart < 1.5 * widest_between_seeds(trained[study]), before.run_id


def widest_between_seeds(records: list[RunRecord]) -> float:
    """Largest difference in accuracy between two runs of one configuration.

    Seeds have heavy tails: no multiple of the scatter of a few of them is a bound."""
    values: dict[str, list[float]] = {}
    for record in records:
        values.setdefault(record.configuration_id, []).append(record.outcomes["accuracy"].value)
    return max(max(found) - min(found) for found in values.values())


def test_shipped_fit_is_a_fit_of_the_shipped_registry(everything, grids) -> None:
    """Of the outcome with the fewest runs; of all outcomes, on every kind of processor, behind slow."""
    shipped, outcome = shipped_fit().content, "shift:mnist"
    again = fit_registry(everything, [outcome], probes=probes_of(RUNS)).content
    assert_same_fit(of_outcome(shipped, outcome), of_outcome(again, outcome))
    apart = {study for study, grid in grids.items() if grid.held_out}
    models = {study: grid.runs[0].spec.model for study, grid in grids.items() if study in STUDIES}
    studies = {name: set(own["training"]["studies"]) for name, own in shipped["recipe_families"].items()}
    studies["scratch"] = set(shipped["training"]["studies"])  # nor do reported tables enter it
    assert studies == {
        "scratch": {study for study, model in models.items() if not model.weights} - apart,
        "frozen": {study for study, model in models.items() if model.frozen} - apart,
        "fine-tuned": {study for study, model in models.items() if model.weights and not model.frozen} - apart,
    }


def test_what_fit_prints_of_it_is_one_screen(everything, monkeypatch) -> None:
    """40 lines of 120 columns, 50 of 80: with the scores of held-out studies."""
    told = FitTold(fit=shipped_fit(), dropped=select(everything).dropped, written="runs/fit.json")
    scores = 2 + SCORES  # an empty line, a head, lines of held-out studies
    for columns, most in ((120, 40), (80, 50)):
        monkeypatch.setenv("COLUMNS", str(columns))
        lines = page_text(page(told), "table").splitlines()
        assert len(lines) + scores <= most and any("runs, held out for scoring" in line for line in lines)


def test_the_fit_that_ships_is_small_and_unharmed() -> None:
    """Commands take it as it is, which is faster; here its digest and its shape are looked at."""
    file = Path(predictor.__file__).parent / "data" / "fit.json"
    assert file.stat().st_size < 3e6
    assert load_fit(file).content == shipped_fit().content


def test_skill_over_the_baselines() -> None:
    rows = [r for r in shipped_fit().validation if r["split"] == "configuration" and r["chosen"]]
    accuracy = next(r for r in rows if r["outcome"] == "accuracy")
    for baseline in ("mean", "log_n", "log_n_log_h"):
        assert accuracy["skill"][baseline] > 0


def test_the_probes_that_ship_are_of_target_sets_that_were_trained(trained) -> None:
    """Each probe that is there belongs to the training images of some run; none is damaged."""
    probes = probes_of(RUNS)
    assert probes and all(key == probe.key and probe.sizes for key, probe in probes.items())
    specs = [record.spec for records in trained.values() for record in records if record.spec]
    left = set(probes) - {spec_key(spec, method) for spec in specs for method in {METHOD, method_of(spec["model"])}}
    for grid in sorted(RUNS.glob("*/grid.yaml"), key=lambda grid: grid.parent.name in STUDIES):  # untrained ones first
        left -= {one.key() for one in target_sets(grid)} if left else set()
    assert not left
