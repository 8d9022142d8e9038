"""Grids: YAML to runs, random designs, and every fault of a file in one error with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from predictor.errors import SpecError
from predictor.grids import Grid, load_grid, near
from predictor.spec import planned_counts, ranked_classes

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


def load(tmp_path: Path, text: str) -> Grid:
    path = tmp_path / "g.yaml"
    path.write_text(text)
    return load_grid(path)


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


RANDOM = """
random:
  - sample: {n}
    seed: 7
    target_set: [t/a]
    samples_per_class: {{log_uniform: [5, 200]}}
    profile:
      - balanced
      - {{shape: exponential, ratio: {{log_uniform: [2, 50]}}, edits: [{{truncate_head: {{integer: [60, 90]}}}}]}}
      - {{shape: step, ratio: [5, 20], share: {{uniform: [0.2, 0.8]}}}}
    others: [none, [{{source: s, n_classes: {{integer: [1, 9]}}, samples_per_class: 5}}]]
    learning_rate: {{log_uniform: [0.01, 0.1]}}
"""


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("study: demo", "study: ../up"),
            "line 2: study: is no study name; use a-z, 0-9, '.', '_' and '-', a letter or digit first (found '../up')",
        ),
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
            "line 15: grid.0.samples_per_class.0: needs 1 or more; 0 belongs to a stage of a plan (found 0)",
        ),
        (("target_set: t/a", "target_set: t/b"), "unknown target set 't/b'; did you mean 't/a'?"),
        (("ratio: 10, share", "ratio: ten, share"), "line 16: grid.0.profile.1.ratio: needs a number (found 'ten')"),
        (("ratio: 10, share", "raito: 10, share"), "grid.0.profile.1.raito: unknown key; did you mean 'ratio'?"),
        (
            ("ratio: 10, share", "ratio: .inf, share"),
            "grid.0.profile.1.ratio: Input should be a finite number (found inf)",
        ),
        (("0.5}", "0.5, edits: [{truncate_haed: 5}]}"), "truncate_haed: unknown key; did you mean 'truncate_head'?"),
        (("n_classes: 3", "n_clases: 3"), "line 17: grid.0.others.1.n_clases: unknown key; did you mean 'n_classes'?"),
        (
            ("{source: s, n_c", "{source: ss, n_c"),
            "line 17: grid.0.others.1.source: unknown source 'ss'; did you mean 's'?",
        ),
        (
            ("shape: step, ratio: 10, share: 0.5", "shape: explicit, counts: [1, 2]"),
            "line 16: grid.0.profile.1: profile explicit names 2 counts for 4 classes",
        ),
        (("[10, 20]", f"[{10**30}]"), "grid.0.samples_per_class.0: Input should be less than or equal to 1000000000"),
        (("[10, 20]", "[]"), "line 15: grid.0.samples_per_class: names no level"),
        (("[10, 20]", "[10, '20']"), "line 15: grid.0.samples_per_class.1: needs a number (found '20')"),
        (("[10, 20]", "[10, true]"), "line 15: grid.0.samples_per_class.1: needs a number (found True)"),
        (
            ("[10, 20]", "10\n    blend: [none, [{source: o, share: 0.1}, {source: s, share: 0.1}]]"),
            "line 16: grid.0.blend.1: a data set has one blend at a time",
        ),
        (
            ("[10, 20]", "10\n    image_steps: 5\n    epochs: 5"),
            "line 17: grid.0.epochs: names both image_steps and epochs",
        ),
        (("target_set: t/a", "target_set: {a: b}"), "line 14: grid.0.target_set: unknown target set"),
        (("target_set: t/a\n    samples", "samples"), "line 14: grid.0: axis 'target_set' is missing"),
        ((", image_steps: 3000", ""), "line 14: grid.0: neither the block nor the recipe says image_steps or epochs"),
        (("learning_rate: 1e-1, ", ""), "line 14: grid.0: neither the block nor the recipe says learning_rate"),
        (
            ("image_steps: 3000", "epochs: .inf"),
            "line 10: recipe.epochs: needs a number above 0 and up to 100,000 (found inf)",
        ),
        (("image_steps: 3000", "epochs: 100001"), "line 10: recipe.epochs: needs a number above 0 and up to 100,000"),
        (("head: 64}", "head: 64, image_size: 4097}"), "line 9: model.image_size: Input should be less than or equal"),
        (("learning_rate: 1e-1", "learning_rate: 1, batch_size: 1e11"), "line 10: recipe.batch_size: Input should be"),
        (
            (f'{{file: s.parquet, digest: "{DIGEST}"}}', '{file: ../../../etc/passwd, digest: "builtin:digits"}'),
            "line 5: sources.s.file: names a file beside 'builtin:digits', images that need none (found "
            "'../../../etc/passwd'); leave out the file, or state the file's own digest, sha256:...",
        ),
        (
            ("balanced, {", "natural, {"),
            "line 16: grid.0.profile.0: shape natural takes counts; found none; write {shape: ..., "
            "counts: [320, 75, 8]}: the class counts of a real list, one for each target class, as in the column count",
        ),
        (
            ("[balanced, {shape: step, ratio: 10, share: 0.5}]", "\n      {shape: natural, counts: [1, 2]}"),
            "line 16: grid.0.profile: profile natural names 2 counts for 4 classes",
        ),
        (
            ("image_steps: 3000", "image_steps: 3000, epochs: 2"),
            "line 10: recipe.epochs: names both image_steps and epochs",
        ),
        (("1e-1", "fast"), "line 10: recipe.learning_rate: needs a number (found 'fast')"),
        (
            ("shifts: {far: o}", "shifts: {far: {split: test}}"),
            "line 8: target_sets.t/a.shifts.far.source: Field required",
        ),
        (("b, c, d", "b, b, d"), "line 8: target_sets.t/a.classes: class 'b' stands twice"),
        (
            ("b, c, d", "1, c, d"),
            "target_sets.t/a.classes.1: Input should be a valid string; write it in quotes (found 1)",
        ),
        (("file: s.parquet", "fil: s.parquet"), "line 5: sources.s.fil: unknown key; did you mean 'file'?"),
        (
            ("[0, 1, 2]", "[0, -1]"),
            "line 11: seeds.1: a seed is a whole number >= 0, or {data: NUMBER, training: NUMBER} (found -1)",
        ),
        (("[0, 1, 2]", "[{data: 0, trainin: 1}]"), "line 11: seeds.0.trainin: unknown key; did you mean 'training'?"),
        (("grid:", "gird:"), "line 13: gird: unknown key; did you mean 'grid'?"),
        (("protocol: 1", "protocol: 1\nprotocol: 2"), 'line 4: is not YAML: found duplicate key "protocol"'),
        (("n_classes: 3", "n_classes: 300"), "304 classes do not fit a head of width 64"),
        (("protocol: 1", "protocol: one"), "line 3: protocol"),
        (("seeds: [0, 1, 2]", "seeds: [0, 0]"), "line 11: seeds: a seed stands twice"),
        (("[0, 1, 2]", "{n: 0, drawn: each}"), "line 11: seeds: needs a list of seeds, or {n: NUMBER, drawn: each}"),
        (("[0, 1, 2]", "{n: 3, drawn: once}"), "replicates (found {n: 3, drawn: once})"),
        (("[0, 1, 2]", "{n: 3}"), "line 11: seeds: needs a list of seeds, or {n: NUMBER, drawn: each}"),
        (("[0, 1, 2]", "[]"), "line 11: seeds: "),
        (("study: demo", "study: [demo"), "is not YAML"),
    ],
)
def test_bad_grids_are_named_with_their_line(tmp_path, change, message) -> None:
    with pytest.raises(SpecError) as error:
        load(tmp_path, (GRID + BLOCK).replace(*change))
    assert message in str(error.value) and "g.yaml: " in str(error.value)


@pytest.mark.parametrize("study", ["..", ".", ".hidden", "a/b", "a\\b", "A", "", "-x", "a b", "a\n", "ä"])
def test_study_names_cannot_leave_the_registry(tmp_path, study) -> None:
    with pytest.raises(SpecError, match="line 2: study: is no study name"):
        load(tmp_path, (GRID + BLOCK).replace("study: demo", f"study: {json.dumps(study)}"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("sample: 4", "sample: 0"),
            "line 14: random.0.sample: a random design needs a whole number 'sample' from 1 to 100000 (found 0)",
        ),
        (
            ("sample: 4", "sample: true"),
            "random.0.sample: a random design needs a whole number 'sample' from 1 to 100000 (found True)",
        ),
        (
            ("sample: 4", f"sample: {10**30}"),
            "line 14: random.0.sample: a random design needs a whole number 'sample'",
        ),
        (
            ("seed: 7", "seed: -7"),
            "line 15: random.0.seed: a random design needs a whole number 'seed' from 0 to 4294967295 (found -7)",
        ),
        (
            ("    seed: 7\n", ""),
            "a random design needs a whole number 'seed' from 0 to 4294967295 (found None)",
        ),
        (
            ("[5, 200]", "[200, 5]"),
            "line 17: random.0.samples_per_class: log_uniform needs [low, high], two numbers in this order; found [200",
        ),
        (("[5, 200]", "[a, b]"), "log_uniform needs [low, high], two numbers in this order; found ['a', 'b']"),
        (("[5, 200]", "[5, .inf]"), "log_uniform needs [low, high], two numbers in this order; found [5, inf]"),
        (("[5, 200]", "[0, 200]"), "random.0.samples_per_class: log_uniform needs a low bound above 0, found 0"),
        (
            ("[5, 200]", "[5.5, 200]"),
            "random.0.samples_per_class: log_uniform needs whole bounds here, found [5.5, 200]",
        ),
        (
            ("{log_uniform: [5", "{log_unifrm: [5"),
            "random.0.samples_per_class: 'log_unifrm' is no range; did you mean 'log_uniform'?",
        ),
        (("[2, 50]", "[0.5, 0.6]"), "random.0.profile.ratio: Input should be greater than or equal to 1"),
        (("[t/a]", "[t/a, t/b]"), "line 16: random.0.target_set.1: unknown target set 't/b'; did you mean 't/a'?"),
        (("[t/a]", "[]"), "line 16: random.0.target_set: names no level"),
        (("[1, 9]", "[100, 109]"), "classes do not fit a head of width 64"),
        (("seed: 7", "sed: 7"), "line 15: random.0.sed: unknown axis; did you mean 'seed'?"),
    ],
)
def test_bad_designs_are_named_with_their_line(tmp_path, change, message) -> None:
    text = GRID + RANDOM.format(n=4)
    assert change[0] in text
    with pytest.raises(SpecError) as error:
        load(tmp_path, text.replace(*change))
    assert message in str(error.value)


def test_a_space_too_small_for_its_sample_says_so(tmp_path) -> None:
    block = "random:\n  - {sample: 5, seed: 1, target_set: t/a, samples_per_class: {integer: [10, 13]}}\n"
    with pytest.raises(SpecError) as error:
        load(tmp_path, GRID + block)
    assert "line 13: random.0.sample: only 4 different configurations in 250 draws, 5 are asked for" in str(error.value)


def test_all_faults_of_a_file_come_in_one_error_in_the_order_of_lines(tmp_path) -> None:
    text = GRID + BLOCK
    for old, new in [
        ("study: demo", "study: A B"),
        ("{far: o}", "{far: oo}"),
        ("learning_rate:", "rate:"),
        ("head:", "haed:"),
        ("[0, 1, 2]", "[1, 1]"),
        ("target_set:", "target_st:"),
        ("ratio: 10", "ratio: ten"),
        ("n_classes: 3", "n_classes: 0"),
    ]:
        text = text.replace(old, new)
    with pytest.raises(SpecError) as error:
        load(tmp_path, text)
    heading, *lines = str(error.value).split("g.yaml: ")[1].split("\n  ")
    assert heading == "8 faults:"
    places = [text.split(": ")[:2] for text in lines]
    assert places == [
        ["line 2", "study"],
        ["line 8", "target_sets.t/a.shifts.far"],
        ["line 9", "model.haed"],
        ["line 10", "recipe.rate"],
        ["line 11", "seeds"],
        ["line 14", "grid.0.target_st"],
        ["line 16", "grid.0.profile.1.ratio"],
        ["line 17", "grid.0.others.1.n_classes"],
    ]


def test_however_many_faults_a_file_has_all_are_shown(tmp_path) -> None:
    """A handful in one line, more on a line each."""
    for n in (1, 5, 6, 40):
        levels = ", ".join(f"{{shape: step, ratio: {i}, shaer: 1}}" for i in range(2, n + 2))
        block = f"grid:\n  - target_set: t/a\n    samples_per_class: 10\n    profile: [{levels}]\n"
        with pytest.raises(SpecError) as error:
            load(tmp_path, GRID + block)
        text = str(error.value)
        assert all(f"line 15: grid.0.profile.{i}.shaer: unknown key; did you mean 'share'?" in text for i in range(n))
        assert "more" not in text and "\n" not in text if n <= 5 else len(text.splitlines()) == n + 1
        assert ("g.yaml: 40 faults:\n  line 15: grid.0.profile.0" in text) == (n == 40)


def test_a_profile_of_a_stage_plan_is_not_blamed_on_the_block(tmp_path) -> None:
    plans = "stage_plans:\n  p: [{share: 0.5, profile: {shape: explicit, counts: [1, 2]}}, {share: 0.5}]\n"
    block = "grid:\n  - {target_set: t/a, samples_per_class: 10, stages: p, profile: balanced}\n"
    with pytest.raises(SpecError, match=r"line 15: grid.0: profile explicit names 2 counts for 4 classes"):
        load(tmp_path, GRID + plans + block)


def test_bounds_change_no_id(tmp_path) -> None:
    at_the_bound = GRID.replace("head: 64}", "head: 64, image_size: 4096}").replace("1e-1,", "1e-1, batch_size: 1e6,")
    spec = load(tmp_path, at_the_bound + BLOCK).runs[0].spec
    assert (spec.model.image_size, spec.recipe.batch_size) == (4096, 10**6)


def test_keys_that_are_one_as_text_are_named_with_both_lines(tmp_path) -> None:
    """The first of two target sets was dropped without a word."""
    text = (GRID + BLOCK).replace("  t/a: {", '  1: {domain: d, source: s, classes: ["NO", b]}\n  "1": {')
    text = text.replace("target_set: t/a", 'target_set: "1"')
    where = text.splitlines().index('  1: {domain: d, source: s, classes: ["NO", b]}') + 1
    with pytest.raises(SpecError) as caught:
        load(tmp_path, text)
    assert str(caught.value) == (
        f"{tmp_path}/g.yaml: line {where + 1}: target_sets.1: '1' names what 1 names in line {where}. "
        'give each a name of its own: as text 1 is "1"'
    )
    deep = text.replace('"1": {', "b: {").replace('target_set: "1"', "target_set: b")
    assert len(load(tmp_path, deep.replace("target_set: b", 'target_set: "1"')).runs) == 24
    for two in ("true: {}, 'True': {}", "1.5: {}, '1.5': {}", "~: {}, None: {}"):
        with pytest.raises(SpecError, match=r"sources\..* names what .* names in line"):
            load(
                tmp_path,
                deep.replace("sources:\n", "sources:\n  {" + two + "}\n", 1)
                .replace("  s: {", "#", 1)
                .replace("  o: {", "#", 1),
            )


def test_missing_and_empty_files(tmp_path) -> None:
    with pytest.raises(SpecError, match="no such grid file"):
        load_grid(tmp_path / "none.yaml")
    with pytest.raises(SpecError, match="holds no grid"):
        load(tmp_path, "")
    with pytest.raises(SpecError, match="neither 'grid' nor 'random'"):
        load(tmp_path, GRID)
    with pytest.raises(SpecError, match=r"is a folder\. name a grid file, such as GRID\.yaml"):
        load_grid(tmp_path)


def test_near_names_the_nearest_or_all() -> None:
    assert near("profle", ["profile", "others"]) == "; did you mean 'profile'?"
    assert near("xyz", ["profile", "others"]) == "; known: others, profile"


PLANS = """
stage_plans:
  one: [{}]
  many-then-few: [{share: 0.5}, {share: 0.5, others: none}]
  others-then-few: [{share: 0.25, samples_per_class: 0}, {share: 0.75, others: none, learning_rate: 0.01}]
"""


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("{share: 0.25,", "{share: 1.25,"), "stage_plans.others-then-few.0.share: needs a number above 0 and up to 1"),
        (("{share: 0.25,", "{shar: 0.25,"), "stage_plans.others-then-few.0.shar: unknown key; did you mean 'share'?"),
        (("{share: 0.75,", "{share: 0.75, head: new,"), "stage_plans.others-then-few.1.head: needs kept or fresh"),
        (("{share: 0.25,", "{share: 0.25, head: fresh,"), "stage_plans.others-then-few.0.head: the first stage has a"),
        (("[one,", "[on,"), "grid.0.stages.0: unknown stage plan 'on'; did you mean 'one'?"),
        (("samples_per_class: 0}", "samples_per_class: 0, others: none}"), "needs other classes"),
    ],
)
def test_faults_of_stage_plans_are_named(tmp_path, change, message) -> None:
    block = """
grid:
  - target_set: t/a
    stages: [one, others-then-few]
    samples_per_class: 20
    others: {source: s, n_classes: 3, samples_per_class: 5}
"""
    with pytest.raises(SpecError) as error:
        load(tmp_path, (GRID + block + PLANS).replace(*change))
    assert message in str(error.value)
