"""Design: it goes where a planted registry knows least, weighs hours, and writes a grid that can be trained."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

import predictor
from predictor.cli.design_command import command
from predictor.errors import FitError, PredictorError
from predictor.grids import load_grid, plan_grid
from predictor.grids.write import grid_text
from predictor.planning.design.choose import design_registry
from predictor.records import Counted, Environment, Outcome, RunRecord, Seconds, StageCounts, write_record
from predictor.spec import planned_counts

SIZES = [10, 20, 40, 80, 160, 320]
PROFILES = ["balanced", {"shape": "step", "ratio": 8, "share": 0.5}, {"shape": "exponential", "ratio": 4}]


def grid(sets=("a", "b", "c"), sizes=SIZES, profiles=PROFILES, steps=(20_000,), **changes):
    """A grid as plain data."""
    return {
        "study": "first",
        "protocol": 1,
        "sources": {"photos": {"file": "photos.parquet", "digest": "sha256:" + "0" * 64}},
        "target_sets": {
            name: {"domain": "photos", "source": "photos", "classes": [f"{name}{i}" for i in range(6)]} for name in sets
        },
        "model": {"name": "small-net", "image_size": 32, "head": 64},
        "recipe": {"learning_rate": 0.1},
        "seeds": [0, 1],
        "grid": [
            {
                "target_set": list(sets),
                "samples_per_class": list(sizes),
                "profile": profiles,
                "image_steps": list(steps),
            }
        ],
    } | changes


def write(folder, content, keep=lambda run: True, speed=1000.0, study="first", held_out=False):
    """The grid, and records of the runs to keep, of a power law with a little noise."""
    (folder / study).mkdir(parents=True, exist_ok=True)
    (folder / study / "grid.yaml").write_text(json.dumps({**content, "study": study, "held_out": held_out}))
    rng = np.random.default_rng(0)
    for run in plan_grid(content).runs:
        if not keep(run):
            continue
        distribution = planned_counts(run.spec)
        eta = -3 + 0.7 * np.log(distribution.target_counts).mean() + rng.normal(0, 0.1)
        value = float(1 / (1 + np.exp(-eta)))
        steps = run.spec.stages[0].image_steps
        record = RunRecord(
            run_id=run.spec.run_id,
            configuration_id=run.spec.configuration_id,
            study=study,
            provenance="trained",
            held_out=held_out,
            target_set=run.target_set,
            domain=run.domain,
            axes=run.axes,
            spec=json.loads(run.spec.canonical()),
            data=Counted(stages=(StageCounts.from_distribution(distribution, steps),)),
            outcomes={"accuracy": Outcome(value=value, chance=1 / 6)},
            seconds=Seconds(train=steps / speed),
            images_per_second=speed,
            environment=Environment(device="cuda", device_name="a card"),
        )
        write_record(folder, record)
    return folder


def size(run):
    return run.spec.stages[0].data.samples_per_class


def test_it_goes_to_the_target_set_that_is_known_least(tmp_path):
    write(tmp_path, grid(), keep=lambda run: run.target_set != "b" and size(run) != 40)
    found = design_registry(tmp_path, 4)
    owners = [item.target_set for item in found.choices]
    assert owners[:2] == ["b", "b"], "b was never trained: neither its level nor its slopes are known"
    gains = [item.width_before - item.width_after for item in found.choices]
    assert min(gains[:2]) > 3 * gains[3] > 0, "after a few runs b is as well known as the others"


@pytest.mark.parametrize("known", [(10, 20, 40), (80, 160, 320)])
def test_it_goes_to_the_sizes_that_were_never_trained(tmp_path, known):
    write(tmp_path, grid(sets=("a",)), keep=lambda run: size(run) in known)
    found = design_registry(tmp_path, 3)
    picked = [item.block["samples_per_class"] for item in found.choices]
    unknown = set(SIZES) - set(known)
    assert set(picked) <= unknown
    assert picked[0] in (min(SIZES), max(SIZES)), "farthest from what is known"


def test_hours_count(tmp_path):
    """Two schedules say nearly the same; the one of a hundredth of the price is chosen."""
    content = grid(sets=("a", "b"), steps=(1_000, 100_000))
    write(tmp_path, content, keep=lambda run: size(run) < 80)
    found = design_registry(tmp_path, 5)
    assert {item.image_steps for item in found.choices} == {1_000}
    assert found.choices[0].hours == pytest.approx(2 * 1_000 / 1000.0 / 3600) and found.device == "a card"


def test_choices_come_one_after_the_other_and_each_narrows(tmp_path):
    write(tmp_path, grid(), keep=lambda run: size(run) in (20, 80))
    found = design_registry(tmp_path, 5)
    assert design_registry(tmp_path, 2).choices == found.choices[:2]
    assert all(item.width_after < item.width_before for item in found.choices)
    assert [item.width_after for item in found.choices[:-1]] == [item.width_before for item in found.choices[1:]]


def test_a_run_that_is_chosen_and_trained_is_not_chosen_again(tmp_path):
    write(tmp_path, grid(), keep=lambda run: size(run) in (20, 80))
    first = design_registry(tmp_path, 1).choices[0]
    done = {run.spec.configuration_id for run in plan_grid(dict(design_registry(tmp_path, 1).content)).runs}
    write(tmp_path, grid(), keep=lambda run: run.spec.configuration_id in done)
    later = design_registry(tmp_path, 5)
    assert first.block not in [item.block for item in later.choices]
    assert later.n_configurations == 2 * 3 * 3 + 1


def test_runs_of_two_protocols_with_the_same_numbers_are_one_space(tmp_path):
    """What one of them has trained the other one does not train again; label smoothing keeps them apart."""
    write(tmp_path / "same", grid(protocol=2), keep=lambda run: size(run) in (20, 80))
    write(tmp_path / "same", grid(protocol=3), keep=lambda run: size(run) in (10, 40), study="second")
    found = design_registry(tmp_path / "same", 2)
    assert found.n_configurations == 4 * 3 * 3 and found.content["protocol"] == 3
    assert not {item.block["samples_per_class"] for item in found.choices} & {10, 20, 40, 80}
    smooth = {"learning_rate": 0.1, "label_smoothing": 0.1}
    write(tmp_path / "apart", grid(protocol=2, recipe=smooth), keep=lambda run: size(run) != 40)
    write(tmp_path / "apart", grid(protocol=3, recipe=smooth), keep=lambda run: size(run) == 10, study="second")
    assert design_registry(tmp_path / "apart", 1).content["protocol"] in (2, 3)
    assert any("networks, recipes or protocols" in note for note in design_registry(tmp_path / "apart", 1).notes)


def test_a_design_shows_itself(tmp_path):
    write(tmp_path, grid(), keep=lambda run: size(run) in (10, 80))
    found = predictor.design(tmp_path, 2)
    assert found.to_frame()["width_after"].tolist() == [item.width_after for item in found.choices]
    assert "trainer run design.yaml" in found.summary() and repr(found).startswith("<Design of 2 configurations out of")
    assert len(found.plot().axes[0].lines[0].get_xdata()) == 3 and found._repr_html_().startswith("<pre>accuracy")


def test_the_grid_can_be_planned_and_repeats_nothing(tmp_path):
    write(tmp_path / "runs", grid(), keep=lambda run: size(run) in (10, 80))
    found = design_registry(tmp_path / "runs", 6, study="next")
    path = tmp_path / "next.yaml"
    path.write_text(grid_text(found.content, ["next"]))
    planned = load_grid(path)
    assert planned.study == "next" and len(planned.runs) == 12
    done = {run.spec.configuration_id for run in plan_grid(grid()).runs if size(run) in (10, 80)}
    whole = {run.spec.run_id for run in plan_grid(grid()).runs}
    assert not done & {run.spec.configuration_id for run in planned.runs}
    assert {run.spec.run_id for run in planned.runs} <= whole, "they are the runs that the first grid plans"
    assert [item.n_samples for item in found.choices] == [
        planned_counts(run.spec).n_samples for run in planned.runs if run.spec.seeds.data == 0
    ]


def test_levels_are_crossed_where_the_grids_are_all_trained(tmp_path):
    content = grid(sets=("a", "b"), profiles=["balanced"])
    content["grid"].append({"target_set": "a", "samples_per_class": 40, "profile": PROFILES[1], "image_steps": 20_000})
    write(tmp_path, content)
    found = design_registry(tmp_path, 3)
    assert {item.block["profile"]["shape"] for item in found.choices} == {"step"}
    assert max(max(planned_counts(run.spec).target_counts) for run in plan_grid(dict(found.content)).runs) <= 320


def test_held_out_studies_are_not_designed_for(tmp_path):
    write(tmp_path, grid(sets=("a",)), keep=lambda run: size(run) < 80)
    write(tmp_path, grid(sets=("z",)), study="scoring", held_out=True, keep=lambda run: size(run) < 80)
    found = design_registry(tmp_path, 4)
    assert {item.target_set for item in found.choices} == {"a"}
    assert any("held out for scoring" in note for note in found.notes)


def test_wrong_input_says_what_is_needed(tmp_path):
    with pytest.raises(PredictorError, match="no such folder"):
        design_registry(tmp_path / "gone", 3)
    write(tmp_path / "done", grid(sets=("a",), sizes=[10, 20]))
    with pytest.raises(FitError, match="every configuration of its grids is trained"):
        design_registry(tmp_path / "done", 3)
    with pytest.raises(FitError, match="0 configurations; needed: 1 or more"):
        design_registry(tmp_path / "done", 0)
    with pytest.raises(FitError, match="0 runs measured shift:fog as an accuracy"):
        design_registry(tmp_path / "done", 3, outcome="shift:fog")


def test_the_command_writes_the_grid_and_prints_hours(tmp_path):
    write(tmp_path / "runs", grid(), keep=lambda run: size(run) in (10, 80))
    output = tmp_path / "next.yaml"
    words = [str(tmp_path / "runs"), "--next", "3", "--output", str(output)]
    result = CliRunner().invoke(command, words)
    assert result.exit_code == 0, result.output
    for word in ("36 candidates", "hours in all, 2 seeds each", "1,000 images/s on a card", "width "):
        assert word in result.stdout, result.stdout
    assert len(load_grid(output).runs) == 6
    again = CliRunner().invoke(command, [*words, "--format", "json"])
    assert len(json.loads(again.stdout)["choices"]) == 3, "the same question writes the same file"
    other = CliRunner().invoke(command, [*words, "--name", "other"])
    assert isinstance(other.exception, PredictorError) and "exists and says something else" in str(other.exception)
