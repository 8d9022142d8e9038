"""Profiles, specs and grids: pure functions from YAML to counts and ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from predictor.errors import SpecError
from predictor.grids import load_grid
from predictor.profiles import Edit, Profile, apportion, profile_counts
from predictor.spec import RunSpec, canonical_json, planned_counts, ranked_classes, spec_id

DIGEST = "sha256:" + "0" * 64
GRID = f"""
study: demo
protocol: 1
sources:
  s: {{file: s.parquet, digest: "{DIGEST}"}}
  o: {{file: o.parquet, digest: "{DIGEST}"}}
target_sets:
  t/a: {{domain: d, source: s, classes: ["NO", b, c, d], shifts: {{far: o}}}}
model: {{name: predictor_small, head: 64}}
recipe: {{learning_rate: 1e-1, image_steps: 3000}}
seeds: [0, 1, 2]
"""
BLOCK = """
grid:
  - target_set: t/a
    samples_per_class: [10, 20]
    profile: [balanced, {shape: step, ratio: 10, share: 0.5}]
    others: [none, {source: s, n_classes: 3, samples_per_class: 5}]
"""


def load(tmp_path: Path, text: str):
    path = tmp_path / "g.yaml"
    path.write_text(text)
    return load_grid(path)


@given(
    st.sampled_from(
        [
            Profile(),
            Profile(shape="exponential", ratio=50),
            Profile(shape="step", ratio=20, share=0.3),
            Profile(shape="zipf", exponent=1.5),
        ]
    ),
    st.integers(1, 50),
    st.integers(1, 300),
)
def test_shapes_keep_the_total_and_leave_no_class_empty(profile, n_classes, size) -> None:
    counts = profile_counts(profile, n_classes, size)
    assert counts.sum() == n_classes * size and counts.min() >= 1
    assert (np.diff(counts) <= 0).all()


@given(st.lists(st.floats(0.001, 100), min_size=1, max_size=30), st.integers(0, 1000))
def test_apportion_is_exact_and_close(weights, extra) -> None:
    weights = np.array(weights)
    counts = apportion(weights, len(weights) + extra)
    assert counts.sum() == len(weights) + extra and counts.min() >= 1


def test_profiles_by_hand() -> None:
    step = Profile(shape="step", ratio=9, share=0.5)
    assert profile_counts(step, 4, 50).tolist() == [90, 90, 10, 10]
    zipf = Profile(shape="zipf", exponent=1)
    assert profile_counts(zipf, 3, 110).tolist() == [180, 90, 60]
    natural = Profile(shape="natural", counts=(1, 8, 3))
    assert profile_counts(natural, 3, 40).tolist() == [80, 30, 10]
    explicit = Profile(shape="explicit", counts=(3, 7))
    assert profile_counts(explicit, 2, 999).tolist() == [7, 3]


def test_edits_by_hand() -> None:
    def edited(*edits, **how) -> list[int]:
        return profile_counts(Profile(shape="step", ratio=9, share=0.5, edits=edits, **how), 4, 50).tolist()

    assert edited(Edit(truncate_head=40)) == [40, 40, 10, 10]
    assert edited(Edit(rebalance_tail=30)) == [90, 90, 30, 30]
    assert edited(Edit(delete_proportionally=40)) == [45, 45, 5, 5]  # 100 left, as after truncation
    assert edited(Edit(truncate_head=40), keep_total=True) == [80, 80, 20, 20]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"shape": "step", "ratio": 10}, "shape step takes ratio, share; found ratio"),
        ({"shape": "balanced", "ratio": 2}, "shape balanced takes no parameter; found ratio"),
        ({"shape": "zipf", "exponent": 1, "edits": [{"truncate_head": 5, "rebalance_tail": 2}]}, "exactly one of"),
    ],
)
def test_impossible_profiles(bad, message) -> None:
    with pytest.raises(ValidationError, match=message):
        Profile.model_validate(bad)


def test_a_grid_is_crossed_fully_with_seeds_side_by_side(tmp_path) -> None:
    grid = load(tmp_path, GRID + BLOCK)
    assert len(grid.runs) == 2 * 2 * 2 * 3
    ids = [run.spec.configuration_id for run in grid.runs]
    assert all(len(set(ids[i : i + 3])) == 1 for i in range(0, 24, 3)) and len(set(ids)) == 8
    assert [run.spec.seeds.training for run in grid.runs[:3]] == [0, 1, 2]
    assert grid.runs[-1].axes == {
        "samples_per_class": 20, "profile": "step(ratio=10,share=0.5)", "others": "s:3x5",
    }  # fmt: skip
    assert grid.runs[0].spec.target.classes[0] == "NO"  # YAML 1.2: a label, not false
    assert grid.runs[0].spec.recipe.learning_rate == 0.1  # and 1e-1 a number
    twice = load(tmp_path, GRID + BLOCK + BLOCK.replace("grid:\n", ""))
    assert len(twice.runs) == 24


def test_ids_do_not_depend_on_how_the_yaml_is_written(tmp_path) -> None:
    a = load(tmp_path, GRID + BLOCK).runs
    other = GRID.replace("1e-1", "0.1").replace("3000", "3_000".replace("_", "")).replace("head: 64", "head: 64.0"[:8])
    reordered = other.replace("model: {name: predictor_small, head: 64}", "model: {head: 64, name: predictor_small}")
    stated = reordered.replace("learning_rate", "momentum: 0.9, warmup: 0.1, batch_size: 128, learning_rate")
    assert [r.spec.run_id for r in load(tmp_path, stated + BLOCK).runs] == [r.spec.run_id for r in a]


def test_golden_id(tmp_path) -> None:
    """An id that was given once must never change: registries are full of them."""
    spec = load(tmp_path, GRID + BLOCK).runs[0].spec
    assert spec.run_id == spec_id(canonical_json(spec.content())) == GOLDEN
    assert RunSpec.model_validate(spec.content()).run_id == spec.run_id


GOLDEN = "20e5705312e1d257"


def test_epochs_become_image_steps(tmp_path) -> None:
    text = GRID.replace(", image_steps: 3000", ", epochs: 10") + BLOCK
    assert {run.spec.stages[0].image_steps for run in load(tmp_path, text).runs} == {400, 550, 800, 950}


def test_ranks_follow_the_data_seed_alone(tmp_path) -> None:
    runs = load(tmp_path, GRID + BLOCK).runs
    orders = {run.spec.seeds.data: ranked_classes(run.spec.target, run.spec.seeds.data) for run in runs}
    assert len({tuple(order) for order in orders.values()}) > 1
    large = [run.spec for run in runs if "step" in run.axes["profile"] and run.axes["samples_per_class"] == 20]
    small = [run.spec for run in runs if "step" in run.axes["profile"] and run.axes["samples_per_class"] == 10]
    for a, b in zip(small, large, strict=True):  # nested: a class is never larger in the smaller data set
        assert all(planned_counts(a).target_counts <= planned_counts(b).target_counts)


def test_data_seed_and_training_seed_can_be_told_apart(tmp_path) -> None:
    text = GRID.replace("[0, 1, 2]", "[0, {data: 0, training: 5}]") + BLOCK
    seeds = {(run.spec.seeds.data, run.spec.seeds.training) for run in load(tmp_path, text).runs}
    assert seeds == {(0, 0), (0, 5)}


def test_blended_sources_are_no_test_sets(tmp_path) -> None:
    text = GRID + "grid:\n  - {target_set: t/a, samples_per_class: 10, blend: {source: o, share: 0.3}}\n"
    spec = load(tmp_path, text).runs[0].spec
    assert spec.target.shifts == {}
    assert planned_counts(spec).counts_by_source() == {"o": 12, "s": 28}


def test_random_designs_are_prefixes_of_longer_ones(tmp_path) -> None:
    block = """
random:
  - sample: {n}
    seed: 7
    target_set: [t/a]
    samples_per_class: {{log_integer: [5, 200]}}
    profile: [balanced, {{shape: exponential, ratio: {{log_uniform: [2, 50]}}}}]
"""
    short, long = (load(tmp_path, GRID + block.format(n=n)).runs for n in (10, 20))
    assert [r.spec.run_id for r in short] == [r.spec.run_id for r in long][: len(short)]
    sizes = [run.axes["samples_per_class"] for run in long]
    assert 5 <= min(sizes) < 20 < max(sizes) <= 200
    assert len({run.spec.configuration_id for run in long}) == 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("study: demo", "study: ../up"), "line 2: study: '../up' is no study name"),
        (("head: 64}", "haed: 64}"), "line 9: model.haed: unknown key; did you mean 'head'?"),
        (
            ("learning_rate:", "lerning_rate:"),
            "line 10: recipe.lerning_rate: unknown key; did you mean 'learning_rate'?",
        ),
        (("shifts: {far: o}", "shifts: {far: oo}"), "unknown source 'oo'; did you mean 'o'?"),
        (
            ("samples_per_class: [10, 20]", "sample_per_class: [10, 20]"),
            "unknown axis; did you mean 'samples_per_class'?",
        ),
        (
            ("samples_per_class: [10, 20]", "samples_per_class: [0, 20]"),
            "line 15: grid.0.samples_per_class: Input should be greater than or equal to 1 (found 0)",
        ),
        (("target_set: t/a", "target_set: t/b"), "unknown target set 't/b'; did you mean 't/a'?"),
        (("ratio: 10, share", "ratio: ten, share"), "ratio"),
        (("n_classes: 3", "n_classes: 300"), "304 classes do not fit a head of width 64"),
        (("protocol: 1", "protocol: one"), "line 3: protocol"),
        (("seeds: [0, 1, 2]", "seeds: [0, 0]"), "line 11: seeds: a seed stands twice"),
        (("study: demo", "study: [demo"), "is not YAML"),
    ],
)
def test_bad_grids_are_named_with_their_line(tmp_path, change, message) -> None:
    with pytest.raises(SpecError) as error:
        load(tmp_path, (GRID + BLOCK).replace(*change))
    assert message in str(error.value) and "g.yaml: " in str(error.value)


def test_all_faults_of_a_file_come_in_one_error(tmp_path) -> None:
    text = (
        (GRID + BLOCK)
        .replace("study: demo", "study: A B")
        .replace("learning_rate:", "rate:")
        .replace("[0, 1, 2]", "[1, 1]")
    )
    with pytest.raises(SpecError) as error:
        load(tmp_path, text)
    assert all(part in str(error.value) for part in ("line 2: study", "line 10: recipe.rate", "line 11: seeds"))


def test_missing_and_empty_files(tmp_path) -> None:
    with pytest.raises(SpecError, match="no such grid file"):
        load_grid(tmp_path / "none.yaml")
    with pytest.raises(SpecError, match="holds no grid"):
        load(tmp_path, "")
    with pytest.raises(SpecError, match="neither 'grid' nor 'random'"):
        load(tmp_path, GRID)
