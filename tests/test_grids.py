"""Grids: YAML to runs, random designs, and every fault of a file in one error with its line."""

from __future__ import annotations

import pytest
from grids_written import BLOCK, DIGEST, GRID, PLANS, RANDOM, load

from predictor.spec import planned_counts, ranked_classes


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
    before = load(tmp_path, GRID + BLOCK).runs
    text = GRID + BLOCK
    for old, new in [
        ("1e-1", "0.10"),
        ("3000", "3e3"),
        ("head: 64", "head: 64.0, image_size: 32"),  # a default, stated
        ("{name: predictor_small,", "{"),
        ("image_size: 32}", "image_size: 32, name: predictor_small}"),  # another order of keys
        ("{learning_rate", "{momentum: 0.9, warmup: 0.1, batch_size: 128, learning_rate"),
        ("{shape: step, ratio: 10, share: 0.5}", "{share: 5e-1, ratio: 10.0, shape: step}"),
        ("[10, 20]", "\n      - 10\n      - 2e1"),
        ("shifts: {far: o}", "shifts: {far: {split: test, source: o}}"),
    ]:
        assert old in text
        text = text.replace(old, new)
    again = load(tmp_path, text).runs
    assert [run.spec.run_id for run in again] == [run.spec.run_id for run in before]
    assert [run.axes for run in again] == [run.axes for run in before]


def test_golden_id(tmp_path) -> None:
    """An id that was given once must never change: registries are full of them."""
    assert load(tmp_path, GRID + BLOCK).runs[0].spec.run_id == GOLDEN


GOLDEN = "20e5705312e1d257"


def test_a_spec_holds_only_the_sources_that_its_run_uses(tmp_path) -> None:
    extra = GRID.replace("target_sets:", f'  p: {{file: p.parquet, digest: "{DIGEST}"}}\ntarget_sets:')
    with_others = BLOCK.replace("source: s, n_classes", "source: p, n_classes")
    runs = load(tmp_path, extra + with_others).runs
    assert {(run.axes["others"], tuple(run.spec.sources)) for run in runs} == {
        ("none", ("o", "s")),
        ("p:3x5", ("o", "p", "s")),
    }
    assert runs[0].spec.run_id == GOLDEN  # a source that the run does not use changes no id


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


def test_every_configuration_can_draw_seeds_of_its_own(tmp_path) -> None:
    text = GRID.replace("[0, 1, 2]", "{n: 3, drawn: each}") + BLOCK
    runs = load(tmp_path, text).runs
    by_configuration: dict[str, list[int]] = {}
    for run in runs:
        assert run.spec.seeds.data == run.spec.seeds.training
        by_configuration.setdefault(run.spec.configuration_id, []).append(run.spec.seeds.data)
    assert {len(seeds) for seeds in by_configuration.values()} == {3}
    every = [seed for seeds in by_configuration.values() for seed in seeds]
    assert len(set(every)) == len(every) == len(runs) > 3
    more = load(tmp_path, text.replace("n: 3", "n: 4")).runs  # a replicate more keeps the others
    assert {run.spec.run_id for run in runs} < {run.spec.run_id for run in more}
    alone = load(tmp_path, text.replace("grid:", "grid:\n  - {target_set: t/a, samples_per_class: 7}")).runs
    assert {run.spec.run_id for run in runs} < {run.spec.run_id for run in alone}  # whatever stands beside it
    assert [run.spec.configuration_id for run in runs] == [
        r.spec.configuration_id for r in load(tmp_path, GRID + BLOCK).runs
    ]


def test_a_study_says_whether_it_is_representative(tmp_path) -> None:
    assert not load(tmp_path, GRID + BLOCK).representative
    assert load(tmp_path, "representative: true\n" + GRID + BLOCK).representative


def test_blended_sources_are_no_test_sets(tmp_path) -> None:
    text = GRID + "grid:\n  - {target_set: t/a, samples_per_class: 10, blend: {source: o, share: 0.3}}\n"
    spec = load(tmp_path, text).runs[0].spec
    assert spec.target.shifts == {}
    assert planned_counts(spec).counts_by_source() == {"o": 12, "s": 28}


def test_random_designs_are_prefixes_of_longer_ones(tmp_path) -> None:
    short, long = (load(tmp_path, GRID + RANDOM.format(n=n)).runs for n in (50, 100))
    assert len(short) == 50 * 3 and len(long) == 100 * 3
    assert [run.spec.run_id for run in short] == [run.spec.run_id for run in long[: 50 * 3]]
    assert len({run.spec.configuration_id for run in long}) == 100


def test_random_designs_are_drawn_inside_their_ranges(tmp_path) -> None:
    runs = load(tmp_path, GRID + RANDOM.format(n=100)).runs
    sizes = [run.axes["samples_per_class"] for run in runs]
    assert all(type(size) is int and 5 <= size <= 200 for size in sizes) and min(sizes) < 20 and max(sizes) > 100
    assert sum(size < 32 for size in sizes) / len(sizes) == pytest.approx(0.5, abs=0.15)  # 32 is half way in logs
    data = [run.spec.stages[0].data for run in runs]
    assert {d.profile.shape for d in data} == {"balanced", "exponential", "step"}
    assert {d.profile.ratio for d in data if d.profile.shape == "step"} == {5, 20}
    assert all(60 <= d.profile.edits[0].truncate_head <= 90 for d in data if d.profile.edits)
    assert {o.n_classes for d in data for o in d.others} == set(range(1, 10))
    assert all(0.01 <= run.spec.recipe.learning_rate <= 0.1 for run in runs)


def test_random_designs_do_not_depend_on_the_order_of_keys(tmp_path) -> None:
    head, axes = RANDOM.format(n=5).split("    samples_per_class:", 1)
    first, rest = axes.split("\n", 1)
    moved = f"{head}{rest.rstrip()}\n    samples_per_class:{first}\n"
    a, b = (load(tmp_path, GRID + text).runs for text in (RANDOM.format(n=5), moved))
    assert [run.spec.run_id for run in a] == [run.spec.run_id for run in b]


def test_another_seed_draws_another_design(tmp_path) -> None:
    a, b = (load(tmp_path, GRID + RANDOM.format(n=5).replace("seed: 7", f"seed: {s}")).runs for s in (7, 8))
    assert not {run.spec.run_id for run in a} & {run.spec.run_id for run in b}


def test_held_out_and_domains_are_kept(tmp_path) -> None:
    grid = load(tmp_path, GRID + "held_out: true" + BLOCK)
    assert grid.held_out and grid.domains == {"t/a": "d"} and grid.protocol == 1 and grid.study == "demo"
    assert not load(tmp_path, GRID + BLOCK).held_out
    assert "held_out" not in grid.runs[0].spec.content()


def test_flip_of_a_target_set_overrides_the_recipe(tmp_path) -> None:
    text = (GRID + BLOCK).replace("domain: d,", "domain: d, flip: false,")
    assert {run.spec.recipe.flip for run in load(tmp_path, text).runs} == {False}


def test_bounds_change_no_id(tmp_path) -> None:
    at_the_bound = GRID.replace("head: 64}", "head: 64, image_size: 4096}").replace("1e-1,", "1e-1, batch_size: 1e6,")
    spec = load(tmp_path, at_the_bound + BLOCK).runs[0].spec
    assert (spec.model.image_size, spec.recipe.batch_size) == (4096, 10**6)


def test_stage_plans_say_what_differs_from_the_block(tmp_path) -> None:
    block = """
grid:
  - target_set: t/a
    stages: [one, many-then-few, others-then-few]
    samples_per_class: 20
    others: {source: s, n_classes: 3, samples_per_class: 5}
"""
    one, many, pretrained = load(tmp_path, GRID + block + PLANS).runs[::3]
    assert [len(run.spec.stages) for run in (one, many, pretrained)] == [1, 2, 2]
    assert one.axes["stages"] == "one" and sum(s.image_steps for s in one.spec.stages) == 3000
    first, second = many.spec.stages
    assert (first.image_steps, second.image_steps) == (1500, 1500)
    assert first.data.others and not second.data.others and first.recipe is None
    first, second = pretrained.spec.stages
    assert (first.image_steps, second.image_steps) == (750, 2250)
    assert first.data.samples_per_class == 0 and second.data.samples_per_class == 20
    assert second.recipe.learning_rate == 0.01 and pretrained.spec.recipe.learning_rate == 0.1
    assert planned_counts(pretrained.spec, 0).target_counts.sum() == 0
    assert planned_counts(pretrained.spec, 0).n_samples == 15
