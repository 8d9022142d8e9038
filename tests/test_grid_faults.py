"""A wrong grid is refused whole: every fault with its line, in words that say what is needed."""

from __future__ import annotations

import json

import pytest
from grids_written import BLOCK, DIGEST, GRID, PLANS, RANDOM, load

from predictor.errors import SpecError
from predictor.grids import load_grid, near


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
