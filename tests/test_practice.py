"""Claims that people repeat: planted laws give verdicts for each recipe family, and what is missing is planned."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from claims_made import start, trained
from click.testing import CliRunner

from predictor.claims import claims
from predictor.claims.practice import pairs
from predictor.cli.claims_command import command
from predictor.grids import load_grid
from predictor.recipes import Action, family_of
from predictor.records import read_registry, write_record
from predictor.spec import RunSpec, target_counts

PRACTICE = [f"P{n}" for n in range(1, 9)]
LITE0 = {"name": "tf_efficientnet_lite0", "head": 512, "image_size": 96, "weights": "lite0", "train": "head"}
SHIPPED = Path(__file__).parents[1] / "runs"


def law(spec: RunSpec) -> float:
    """Class weights bring 5 points where classes are uneven, sampling nothing, 100:1 costs 6, a background class 4.

    Small classes of the same source cost 3, twice the images bring 4, weights that are pretrained 10.
    """
    counts = sorted(target_counts(spec).values())
    action = Action.of(spec.recipe.model_dump())
    data = spec.stages[-1].data
    value = 0.4 + 0.04 * np.log2(np.mean(counts) / 10)
    value += 0.05 * (action.class_weights != "none" and counts[0] < counts[-1])
    value -= 0.06 * (counts[-1] / counts[0] > 40)
    value += 0.04 * sum(other.n_classes == 1 for other in data.others)
    value -= 0.03 * sum(other.samples_per_class < 10 for other in data.others)
    value += 0.1 * (family_of(spec.model.model_dump()) != "scratch")
    return float(value)


SETS = [f"set-{number}" for number in range(6)]
OTHERS = [{"source": name, "n_classes": 10, "samples_per_class": 20} for name in ("photos", "paintings")]
BEGUN = [  # large enough that a class of 81 images can be planned
    {"target_set": SETS, "samples_per_class": [20, 100]},
    {"target_set": SETS, "samples_per_class": 20, "others": OTHERS},
]


@pytest.fixture(scope="module")
def scratch():
    """A start, and the runs that the claims say are missing, trained."""
    records = trained(start(grid=BEGUN), law)
    report = claims(records, names=PRACTICE)
    return records, report


def grid_of(report, folder: Path, recipe: str | None = None):
    path = folder / "missing.yaml"
    path.write_text(report.missing_grid(recipe) or "")
    return load_grid(path).runs


def by_name(report):
    return {(result.claim, result.recipe): result for result in report.results if result.domain is None}


def test_nothing_is_decided_without_a_contrast(scratch) -> None:
    _, report = scratch
    found = by_name(report)
    assert {name for name, _ in found} == set(PRACTICE) - {"P7"}  # from scratch there is nothing pretrained
    assert all(own.verdict == "undecided" and own.reason and own.missing for own in found.values())
    assert "500 images of one class; the largest that a run has had is 100" in str(found["P5", "scratch"].missing)


def test_the_missing_runs_decide_as_planted(scratch, tmp_path) -> None:
    records, before = scratch
    found = by_name(claims([*records, *trained(grid_of(before, tmp_path), law)], names=PRACTICE))
    wanted = {"P1": "supported", "P2": "supported", "P3": "supported", "P4": "supported", "P5": "undecided",
              "P6": "supported", "P8": "supported"}  # fmt: skip
    assert {name: found[name, "scratch"].verdict for name in wanted} == wanted
    assert found["P1", "scratch"].effect == pytest.approx(0.05, abs=0.01)
    assert found["P3", "scratch"].effect == pytest.approx(-0.06, abs=0.015)


def test_what_is_not_so_is_contradicted(scratch, tmp_path) -> None:
    _, before = scratch
    flat = trained(grid_of(before, tmp_path), lambda spec: 0.4)
    found = by_name(claims([*trained(start(grid=BEGUN), lambda spec: 0.4), *flat], names=PRACTICE))
    assert {found[name, "scratch"].verdict for name in ("P1", "P3", "P4", "P6", "P8")} == {"contradicted"}
    harmful = trained(grid_of(before, tmp_path), lambda s: 0.4 - 0.05 * (s.recipe.sampling == "balanced"))
    found = by_name(claims([*trained(start(grid=BEGUN), lambda spec: 0.4), *harmful], names=PRACTICE))
    assert found["P2", "scratch"].verdict == "contradicted"


def test_pretrained_runs_are_judged_apart_and_against_scratch(scratch, tmp_path) -> None:
    records, _ = scratch
    frozen = trained(start(model=LITE0, protocol=3, recipe={"epochs": 1, "augmentation": "none"},
                           seeds={"n": 3, "drawn": "each"}), law)  # fmt: skip
    small = trained(start(grid=[{"target_set": SETS, "samples_per_class": 40}]), law)
    report = claims([*records, *frozen, *small], names=PRACTICE)
    found = by_name(report)
    seven = found["P7", "frozen"]  # no draw of the images is shared: means over seeds
    assert seven.verdict == "supported" and seven.effect == pytest.approx(0.1 - 0.04, abs=0.02)
    assert found["P8", "frozen"].parts[0].n_target_sets == 6
    assert report.missing_recipes == ["frozen"]
    planned = grid_of(report, tmp_path, "frozen")
    assert {run.spec.model.train for run in planned} == {"head"}
    assert {run.spec.seeds.data for run in planned} == {0, 1, 2}
    after = by_name(claims([*records, *frozen, *small, *trained(planned, law)], names=PRACTICE))
    assert after["P1", "frozen"].verdict == "supported" and after["P1", "scratch"].verdict == "undecided"


def test_holm_of_the_papers_claims_does_not_see_the_others(scratch) -> None:
    records, _ = scratch
    paper = claims(records, names=["C1"]).results[0]
    assert paper.recipe is None and by_name(claims(records))["P1", "scratch"].recipe == "scratch"


def test_the_papers_claims_are_about_networks_from_scratch() -> None:
    """Also where a frozen network was trained on stated seeds, so that its configurations could be compared."""
    sizes = [{"target_set": SETS, "samples_per_class": [20, 100]}]
    own = trained(start(grid=sizes), law)
    shrinks = trained(start(model=LITE0, protocol=3, recipe={"epochs": 1, "augmentation": "none"}, grid=sizes),
                      lambda spec: 0.9 - law(spec))  # fmt: skip
    assert claims([*own, *shrinks], names=["C1"]).results == claims(own, names=["C1"]).results
    alone = claims(shrinks, names=["C1"]).results[0]
    assert alone.n_runs == len(shrinks), "where there are none they are about all runs"


def test_only_what_is_uneven_is_compared() -> None:
    runs = start(grid=[{"target_set": "set-0", "samples_per_class": 20, "class_weights": ["none", "inverse"]}])
    from predictor.claims.configurations import groups, regrouped

    (group,) = regrouped(groups(trained(runs, law))[0], "actions")
    assert len(group) == 2 and list(pairs.acting(group, class_weights="inverse")) == []


def test_the_command_writes_a_grid_for_each_recipe(scratch, tmp_path) -> None:
    records, _ = scratch
    frozen = trained(start(model=LITE0, protocol=3, recipe={"epochs": 1, "augmentation": "none"}), law, study="frozen")
    for record in [*records, *frozen]:
        write_record(tmp_path / "runs", record)
    words = [str(tmp_path / "runs"), "--claim", "P1", "--missing", str(tmp_path / "missing.yaml")]
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 0, done.output
    assert "P1 scratch" in done.stdout and "P1 frozen" in done.stdout
    scratch_grid, frozen_grid = (load_grid(tmp_path / name) for name in ("missing.yaml", "missing-frozen.yaml"))
    assert scratch_grid.runs[0].spec.model.weights is None and frozen_grid.runs[0].spec.model.weights.name == "lite0"
    told = json.loads(CliRunner().invoke(command, [*words[:3], "--format", "json"]).stdout)["claims"]
    assert [row["recipe"] for row in told] == ["scratch", "frozen"]


def test_the_recorded_study_says_that_class_weights_help_a_frozen_network() -> None:
    records = [r for r in read_registry(SHIPPED, ["pretrained-frozen"]) if r.outcomes["accuracy"]]
    (weights,) = [own for own in claims(records, names=["P1"]).results if own.domain is None]
    assert weights.verdict == "supported" and weights.n_target_sets >= 30 and 0.05 < weights.effect < 0.1
