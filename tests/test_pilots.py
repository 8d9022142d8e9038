"""Pilots: the level and slope of a left-out target set, the subsamples to train, the commands."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from images import pattern
from synthetic import LAW, registry

from predictor.cli.pilots_command import command as pilots_command
from predictor.cli.predict_command import command as predict_command
from predictor.distribution import LabelDistribution
from predictor.errors import FitError, PredictorError
from predictor.fitting import fit_registry
from predictor.grids import load_grid
from predictor.models.fit import Fit
from predictor.models.links import expit, logit
from predictor.planning import advise
from predictor.planning.pilots.plan import grid_content, plan_pilots, ranked
from predictor.planning.pilots.predict import predict_with_pilots
from predictor.planning.pilots.read import read_pilots
from predictor.planning.pilots.recipe import trained_like
from predictor.prediction import predict
from predictor.records import write_record
from predictor.spec import planned_counts

SETS = tuple((f"cifar/{i}", ("cifar", 6, level)) for i, level in enumerate((-3.6, -3.1, -2.7, -2.2)))
MINE = "cifar/mine"
LEVEL = -0.9  # far from the others: without pilots it is missed
COUNTS = (240, 200, 120, 90, 60, 40)
NAMES = tuple(f"{MINE}/{c:02d}" for c in range(6))


def test_single_runs_are_noisier_than_the_means_that_they_are_seeds_of():
    """Pilots are calibrated as they are used: one run each, not the mean of three."""
    made = registry(n_configurations=24, n_seeds=3, target_sets=SETS, tested=20)
    stored = fit_registry(made, ["accuracy"], ["classwise"]).outcomes["accuracy"].target_set
    inside = [stored.groups == name for name in np.unique(stored.groups)]
    one, mean = (np.mean([np.var(values[own]) for own in inside]) for values in (stored.single, stored.residuals))
    binomial = 1 / (6 * 20 * 0.25 * 0.8)  # about, of one run in logits; the mean of three has a third of it
    assert one > mean + 0.2 * binomial and len(stored.single) == len(stored.residuals)
    few = fit_registry([r for r in made if r.spec["seeds"]["data"] == 0], ["accuracy"], ["classwise"])
    own = few.outcomes["accuracy"].target_set
    assert own.single == pytest.approx(own.residuals, abs=1e-5), "a configuration of one run is that run"


@pytest.fixture(scope="module")
def fit():
    return fit_registry(registry(n_configurations=24, n_seeds=1, target_sets=SETS), ["accuracy"], ["classwise"])


@pytest.fixture(scope="module")
def records():
    own = ((MINE, ("cifar", 6, LEVEL)),)
    return registry(n_configurations=3, n_seeds=2, target_sets=own, seed=5, study="pilots", image_steps=(30_000,))


@pytest.fixture
def manifest():
    return LabelDistribution.from_counts(dict(zip(NAMES, COUNTS, strict=True)))


def truth(counts=COUNTS):
    counts = np.array(counts, dtype=float)
    eta = LEVEL + LAW["log_count"] * np.log(counts) + LAW["log_mean_count"] * np.log(counts.mean())
    return float(np.mean(expit(eta)))


def test_pilots_find_the_level_of_a_target_set_that_the_fit_never_saw(fit, records, manifest):
    before = predict(fit, {"m": manifest}, domain="cifar", image_steps=30_000).predictions[0].outcome("accuracy")
    found = predict_with_pilots(fit, {"m": manifest}, records).predictions[0]
    after = found.outcome("accuracy")
    off = abs(logit(before.value) - logit(truth()))
    assert off > 0.8, "without pilots the level is missed, or this test shows nothing"
    assert abs(logit(after.value) - logit(truth())) < off / 2
    assert after.low <= truth() <= after.high
    assert after.high - after.low < (before.high - before.low) / 2
    assert (found.status, found.basis, found.target_set, found.domain) == ("pilot", "pilot", MINE, "cifar")
    assert found.pilots == {"n_configurations": 3, "n_runs": 6, "at_chance": 0}


def test_advice_with_pilots_is_at_the_level_that_they_show(fit, records, manifest):
    plain = advise(fit, manifest, 200, domain="cifar", image_steps=30_000)
    found = advise(fit, manifest, 200, pilots=records)
    assert (found.status, found.target_set) == ("pilot", MINE) and not any(
        "pilots measure it" in n for n in found.notes
    )
    assert any("pilots measure it" in note for note in plain.notes)
    after = predict_with_pilots(fit, {"m": manifest}, records).predictions[0].outcome("accuracy")
    assert found.plan("now").value == after.value and abs(found.plan("now").value - truth()) < 0.05
    for plan in found.plans:  # a gain is what the values say, and the true one lies inside
        assert plan.gain == pytest.approx(plan.value - after.value, abs=1e-9)
        gain = truth([change.total for change in plan.changes if change.role == "target"]) - truth()
        if plan.name in ("targets", "uniform", "smallest first"):
            assert plan.gain_low <= gain <= plan.gain_high and plan.gain == pytest.approx(gain, abs=0.02)
            assert abs(plan.value - truth() - gain) < 0.05 < abs(plain.plan(plan.name).value - truth() - gain)
    assert found.plan("targets").changes == plain.plan("targets").changes, (
        "the best allocation is the same at any level"
    )


def test_comparisons_after_pilots_are_those_of_the_values(fit, records, manifest):
    found = predict_with_pilots(fit, {"a": manifest, "b": manifest.scaled(0.3)}, records)
    values = {item.manifest: item.outcome("accuracy").value for item in found.predictions}
    (row,) = (item for item in found.comparisons if item.outcome == "accuracy")
    assert row.logit_difference == pytest.approx(float(logit(values[row.a]) - logit(values[row.b])))
    assert row.low < row.logit_difference < row.high and row.p_a_better > 0.5


def test_classes_after_pilots_are_at_their_level_and_learn_from_them(fit, records, manifest):
    found = predict_with_pilots(fit, {"m": manifest}, records[:6], all_classes=True).predictions[0]
    assert [item.outcome for item in found.classes] == [item.outcome for item in found.outcomes if item.value]
    for own in found.classes:
        values = [one.value for one in own.worst]
        assert len(values) == 6 and values == sorted(values)
        assert np.mean(values) == pytest.approx(found.outcome(own.outcome).value, abs=1e-6)
        assert all(one.low < one.value < one.high for one in own.worst) and "coverage not measured" in own.reason

    varied = Fit(copy.deepcopy(fit.content))  # of a fit whose classes differ, as planted ones do not
    varied.content["outcomes"]["accuracy"]["per_class"]["class_sd"] = 0.8

    def worst(pilots):
        return [
            one.name for one in predict_with_pilots(varied, {"m": manifest}, pilots).predictions[0].classes[0].worst
        ]

    hard = NAMES[0]  # the largest class: a curve alone puts it first
    assert hard not in worst(records[:6]) and worst([weaker(record, hard) for record in records[:6]])[0] == hard


def weaker(record, name):
    """The record with one class that was hardly ever right."""
    own = record.outcomes["accuracy"]
    correct = tuple(
        1 if key == name else k for key, k in zip(own.classes, own.correct, strict=True)
    )  # fmt: skip
    value = float(np.mean(np.array(correct) / np.array(own.tested)))
    changed = own.model_copy(update={"correct": correct, "value": value, "plain": value})
    return record.model_copy(update={"outcomes": {**record.outcomes, "accuracy": changed}})


def test_advice_on_what_no_pilot_measured_is_refused(fit, records, manifest):
    without = [replace_outcomes(record) for record in records]
    with pytest.raises(FitError, match="no completed run with class counts and an accuracy"):
        advise(fit, manifest, 200, pilots=without)
    with pytest.raises(FitError, match="are not those of the pilots"):
        advise(fit, LabelDistribution.from_counts({"a": 3, "b": 4}), 200, pilots=records)


def replace_outcomes(record):
    return record.model_copy(update={"outcomes": {}})


def test_one_pilot_is_shrunken_and_three_are_trusted_more(fit, records, manifest):
    ids = sorted({record.configuration_id for record in records})
    one = [record for record in records if record.configuration_id == ids[0]]
    widths = []
    for some in (one, records):
        own = predict_with_pilots(fit, {"m": manifest}, some).predictions[0].outcome("accuracy")
        widths.append(float(logit(own.high) - logit(own.low)))
    assert widths[1] < widths[0]


def test_seeds_of_one_configuration_are_one_pilot(fit, records):
    first = [record for record in records if record.configuration_id == records[0].configuration_id]
    assert len(first) == 2 and read_pilots(first).n_configurations == 1


def test_outside_stays_outside(fit, records, manifest):
    found = predict_with_pilots(fit, {"m": manifest.scaled(1000)}, records).predictions[0]
    own = found.outcome("accuracy")
    assert found.status == "outside" and own.covered is None and "uncalibrated" in own.reason


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: [], "pilots: no completed run with class counts and an accuracy"),
        (lambda r: [*r, *registry(n_configurations=1)], "runs of 2 target sets: cifar/mine; cifar100/a"),
        (lambda r: [x.model_copy(update={"status": "diverged"}) for x in r], "no completed run"),
    ],
)
def test_wrong_pilots_are_refused(fit, records, manifest, change, message):
    with pytest.raises(FitError, match=message):
        predict_with_pilots(fit, {"m": manifest}, change(records))


def test_wrong_questions_are_refused(fit, records, manifest):
    with pytest.raises(FitError, match="--model resnet50; the pilots were trained with small-net"):
        predict_with_pilots(fit, {"m": manifest}, records, model="resnet50")
    with pytest.raises(FitError, match="m: its target classes are not those of the pilots: it tests 'extra'"):
        predict_with_pilots(fit, {"m": manifest.with_targets([*NAMES, "extra"])}, records)
    fewer = LabelDistribution.from_counts(dict(zip(NAMES[:4], COUNTS, strict=False)))
    with pytest.raises(FitError, match=r"the pilots tested 'cifar/mine/04'; 'cifar/mine/05', which it does not"):
        predict_with_pilots(fit, {"m": fewer}, records)
    more = LabelDistribution.from_counts({**dict(zip(NAMES, COUNTS, strict=True)), "cat": 30})
    with pytest.raises(FitError, match=r"it tests 'cat', which no pilot tested. name the classes .* --targets FILE"):
        predict_with_pilots(fit, {"m": more}, records)
    with pytest.raises(FitError, match="'cat', which no pilot tested"):
        plan_pilots(fit, more, 2, pilots=records)
    with pytest.raises(FitError, match=r"no completed run of 'nope'.*found target sets cifar/mine"):
        predict_with_pilots(fit, {"m": manifest}, records, target_set="nope")


def test_planned_pilots_narrow_the_interval_and_are_true_subsamples(fit, manifest, tmp_path):
    plan = plan_pilots(fit, manifest, 3, domain="cifar", target_set="mine")
    widths = [plan.width_now, *(pilot.width_after for pilot in plan.pilots)]
    assert all(later < earlier for earlier, later in itertools.pairwise(widths))
    assert [pilot.width_before for pilot in plan.pilots] == widths[:-1]
    trained = trained_like(fit, plan.recipe["model"], plan.recipe["image_size"])
    content = grid_content(plan, trained, study="p", file="a.parquet", digest="sha256:" + "0" * 64)
    path = tmp_path / "grid.yaml"
    path.write_text(json.dumps(content))  # JSON is YAML
    grid = load_grid(path)
    assert len(grid.runs) == 3
    for run, pilot in zip(grid.runs, plan.pilots, strict=True):
        counts = dict(zip(*[(d := planned_counts(run.spec)).class_names, d.class_counts.tolist()], strict=True))
        assert sum(counts.values()) == pilot.n_samples and set(counts) == set(NAMES)
        assert all(1 <= counts[name] <= held for name, held in zip(NAMES, COUNTS, strict=True))
        order = [counts[name] for name in NAMES]
        assert order == sorted(order, reverse=True), "the largest class stays the largest"


def test_the_widths_that_are_promised_come_true(fit, records, manifest):
    """The width after pilots does not depend on what they measure: it is that of the prediction after them."""
    from predictor.planning.pilots.predict import recalibrate
    from predictor.prediction.request import resolve

    pilots = read_pilots(records)
    request = resolve(fit, "new", "cifar", pilots.model, pilots.image_size, 30_000)
    trained = recalibrate(fit, "accuracy", pilots, request)
    own = trained.predict(manifest, 0.9)
    assert trained.width_after(manifest, [], 0.9) == pytest.approx(own.high - own.low, abs=1e-12)


def test_a_class_order_undoes_the_shuffle_of_the_data_seed():
    names, counts = ("a", "b", "c", "d"), np.array([5, 9, 1, 7])
    order = ranked(names, counts, "mine")
    assert sorted(order) == list(names) and order != ranked(names, counts[::-1], "mine")


@pytest.fixture
def files(fit, records, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("label,count\n" + "".join(f"{n},{c}\n" for n, c in zip(NAMES, COUNTS, strict=True)))
    rows = [(name, split) for name, n in zip(NAMES, COUNTS, strict=True) for split in ["train"] * n + ["test"] * 9]
    labels, splits = zip(*rows, strict=True)
    pq.write_table(pa.table({"image": [b"x"] * len(rows), "label": labels, "split": splits}), tmp_path / "mine.parquet")
    for record in records:
        write_record(tmp_path / "pilots", record)
    return path, fit.save(tmp_path / "fit.json"), tmp_path


def invoke(command, *arguments):
    result = CliRunner().invoke(command, [str(item) for item in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_the_pilots_command_writes_a_grid_that_loads(files):
    path, fit_path, folder = files
    words = (path, "--next", 3, "--source", folder / "mine.parquet", "--fit", fit_path, "--seeds", 2)
    text = invoke(pilots_command, *words, "--output", folder / "p.yaml").stdout
    assert "TARGET SET mine" in text and "expected after 3" in text and "head cut" in text
    grid = load_grid(folder / "p.yaml")
    assert len(grid.runs) == 6 and grid.study == "p"  # its file is p.yaml
    seeds = {(run.spec.seeds.data, run.spec.seeds.training) for run in grid.runs}
    assert seeds == {(0, 0), (0, 1)}, "which class is large stays as it is in the manifest"
    assert grid.sources["mine"].digest == "sha256:" + hashlib.sha256((folder / "mine.parquet").read_bytes()).hexdigest()
    before = (folder / "p.yaml").read_text()
    with pytest.raises(PredictorError, match="exists and says something else"):
        invoke(pilots_command, *words, "--study", "other", "--output", folder / "p.yaml")
    assert (folder / "p.yaml").read_text() == before


def test_a_folder_of_images_is_its_own_source(files):
    from predictor.images.listing import digest_of

    _, fit_path, folder = files
    generator = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (folder / "pets" / name).mkdir(parents=True)
        for i in range(60):
            (folder / "pets" / name / f"{i}.png").write_bytes(pattern(len(name), generator))
    invoke(pilots_command, folder / "pets", "--next", 2, "--fit", fit_path, "--output", folder / "own.yaml")
    source = load_grid(folder / "own.yaml").sources["mine"]
    assert (source.file, source.digest) == ("pets", digest_of(folder / "pets"))


def test_the_pilots_command_says_what_is_missing(files):
    path, fit_path, folder = files
    with pytest.raises(PredictorError, match=r"say --source with their Parquet file, folder or CSV list"):
        invoke(pilots_command, path, "--next", 3, "--fit", fit_path)
    with pytest.raises(PredictorError, match=r"gone.parquet: no such file or folder"):
        invoke(pilots_command, path, "--next", 3, "--fit", fit_path, "--source", folder / "gone.parquet")
    with pytest.raises(PredictorError, match="digest"):
        invoke(pilots_command, path, "--next", 3, "--fit", fit_path, "--source", "a", "--digest", "sha256:zz",
               "--output", folder / "q.yaml")  # fmt: skip
    assert not (folder / "q.yaml").exists()


def test_predict_with_pilots_prints_what_it_rests_on(files):
    path, fit_path, folder = files
    words = (path, "--fit", fit_path, "--pilot", folder / "pilots")
    text = invoke(predict_command, *words).stdout
    assert f"TARGET SET {MINE}   DOMAIN cifar, 3 pilots" in text
    assert "next pilot none: a further one is expected to narrow the interval by less" in " ".join(text.split())
    content = json.loads(invoke(predict_command, *words, "--format", "json").stdout)
    assert content["predictions"][0]["status"] == "pilot"
    further = (*words, "--next", 1, "--source", folder / "mine.parquet", "--output", folder / "further.yaml")
    assert " ".join(invoke(pilots_command, *further).stdout.split()).count("--pilot ") == 1


def test_pilots_import_nothing_heavy(files):
    path, fit_path, folder = files
    words = ["predictor", "predict", str(path), "--fit", str(fit_path), "--pilot", str(folder / "pilots")]
    code = (
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('pandas', 'scipy', 'sklearn', 'torch'):\n"
        "            raise ImportError('blocked: ' + name)\n"
        "sys.meta_path.insert(0, Block())\n"
        f"sys.argv = {words!r}\n"
        "from predictor.cli import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_pilot_at_chance_never_pulls_the_prediction(fit, records, manifest):
    ids = sorted({record.configuration_id for record in records})
    silent = [at_chance(r) if r.configuration_id == ids[0] else r for r in records]
    found = predict_with_pilots(fit, {"m": manifest}, silent).predictions[0]
    without = predict_with_pilots(fit, {"m": manifest}, [r for r in records if r.configuration_id != ids[0]])
    assert found.outcomes == without.predictions[0].outcomes
    assert found.pilots == {"n_configurations": 2, "n_runs": 4, "at_chance": 1}
    (told,) = [line for line in found.warnings if "at chance" in line]
    assert ids[0] in told and "16.7 % by guessing" in told and "of 600 test images after 30,000 image-steps" in told

    nothing = predict_with_pilots(fit, {"m": manifest}, [at_chance(r) for r in records], domain="cifar")
    plain = predict(fit, {"m": manifest}, domain="cifar", model="small-net", image_size=32)
    assert nothing.predictions[0].outcomes == plain.predictions[0].outcomes and nothing.predictions[0].silent == 3
    assert any("no pilot tells anything" in line for line in nothing.predictions[0].warnings)
    with pytest.raises(FitError, match=r"at chance.*no pilot tells anything"):
        advise(fit, manifest, 200, pilots=[at_chance(r) for r in records])


def at_chance(record):
    own = record.outcomes["accuracy"]
    changed = own.model_copy(update={"correct": tuple(n // 6 for n in own.tested), "value": 0.16, "plain": 0.16})
    return record.model_copy(update={"outcomes": {**record.outcomes, "accuracy": changed}})


def test_the_question_keeps_its_image_steps(fit, records, manifest):
    found = predict_with_pilots(fit, {"m": manifest}, records, image_steps=60_000).predictions[0]
    assert found.recipe["image_steps"] == 60_000
    assert predict_with_pilots(fit, {"m": manifest}, records).predictions[0].recipe["image_steps"] == (
        fit.recipe.image_steps
    )


def test_further_pilots_are_others(fit, records, manifest):
    """None of those that were trained is planned again, also where it would be the best one."""
    before = plan_pilots(fit, manifest, 20, pilots=records)
    best = before.pilots[0]
    own = read_pilots(records)
    known = replace(own, trained=own.trained | {(tuple(sorted(best.counts)), best.image_steps)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("predictor.planning.pilots.plan.read_pilots", lambda *_: known)
        after = plan_pilots(fit, manifest, 20, pilots=records)
    assert len(after.pilots) == len(before.pilots) - 1 and best.counts not in {p.counts for p in after.pilots}
    assert after.target_set == MINE


@pytest.mark.parametrize(
    ("errors", "n_seeds", "silent"), [(2.5, 1, True), (3.5, 1, False), (2, 2, True), (2.5, 2, False)]
)
def test_a_pilot_within_three_standard_errors_of_chance_tells_nothing(
    errors: float, n_seeds: int, silent: bool
) -> None:
    """Ten classes of 100 test images: the error of a guess is sqrt(.1 * .9 / 1000), of a mean of two runs less."""
    made = registry(n_configurations=1, n_seeds=n_seeds)
    value = 0.1 + errors * np.sqrt(0.1 * 0.9 / 1000)
    accuracy = made[0].outcomes["accuracy"].model_copy(update={"value": float(value)})
    own = [record.model_copy(update={"outcomes": {**record.outcomes, "accuracy": accuracy}}) for record in made]
    pilots = read_pilots(own)
    assert bool(pilots.at_chance) == silent and len(pilots.records) == n_seeds * (not silent)
