"""Recipes: families are fitted apart, actions are factors inside them, and a prediction may name one."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from example_made import COUNTS
from recipes_made import PUSH, frozen
from synthetic import TARGET_SETS, registry

from predictor import api
from predictor.cli.advise_command import command as advise_command
from predictor.cli.fit_command import command as fit_command
from predictor.cli.predict_command import command as predict_command
from predictor.cli.recipes_command import command as recipes_command
from predictor.distribution import LabelDistribution
from predictor.errors import FitError, PredictorError
from predictor.fitting import fit_registry, select
from predictor.fitting.rows import rows_for
from predictor.fitting.several import read_several
from predictor.models.base import families, fitted
from predictor.models.case import CLASS_FEATURES, Case
from predictor.models.evaluate import evaluate
from predictor.models.fit import Fit, load_fit
from predictor.models.rows import Sample
from predictor.planning.pilots.read import read_pilots
from predictor.prediction import predict
from predictor.prediction.recipes import _imagenet, in_imagenet
from predictor.recipes import Action, family_of
from predictor.records.store import write_record
from predictor.spec import Recipe, canonical_json, spec_id
from trainer.imbalance import log_shares, loss_offset, offset_at_test

AT_TEST = Action(logit_adjustment=1.0, logit_adjustment_at="test")
NAMES = [f"cifar100/a/{c:02d}" for c in range(10)]
SKEWED = LabelDistribution.from_counts(dict(zip(NAMES, COUNTS, strict=True)))
EVEN = LabelDistribution.from_counts(dict.fromkeys(NAMES, 50))


@pytest.fixture(scope="module")
def fit(recipes_fit) -> Fit:
    return recipes_fit


def test_a_family_beside_changes_nothing_of_the_main_one(synthetic_records) -> None:
    few, families = synthetic_records[:60], ["linear"]
    alone = fit_registry(few, ["accuracy"], families)
    fit = fit_registry([*few, *frozen(20)], ["accuracy"], families)
    for part in ("outcomes", "validation", "training", "target_sets", "levels", "recipe", "recipes", "ranges", "joint"):
        assert fit.content[part] == alone.content[part]
    assert list(fit.recipe_families) == ["scratch", "frozen"] and "frozen" not in str(fit.left_out)


def test_the_slope_of_an_action_is_found_again(fit) -> None:
    own = fit.recipe_families["frozen"].outcomes["accuracy"].families["classwise"].parameters
    slopes = dict(zip(own["features"], np.array(own["coefficients"]) / np.array(own["scale"]), strict=True))
    case = Case(SKEWED, {}, action=Action("inverse"))
    row = dict(zip(CLASS_FEATURES, case.class_features()[-1], strict=True))
    gained = sum(slopes[name] * row[name] for name in slopes if name.startswith("push"))
    assert gained == pytest.approx(PUSH * row["push"], rel=0.25)


@pytest.mark.parametrize("family", ["linear", "elastic_net", "classwise", "gaussian_process"])
def test_a_model_knows_which_kind_of_action_brings_more(family) -> None:
    """Two kinds that move the classes alike, of which one is better for all of them; a model of no kinds tells none."""
    rows = Sample.of(rows_for(select(frozen(72, at_test=0.6), family="frozen"), "accuracy"))
    parameters = fitted(families()[family], rows)
    place = next(row.case for row in rows if row.case.distribution.target_counts.std() > 20)
    cases = [replace(place, action=action, _known={}) for action in (Action(), Action("inverse"), AT_TEST)]
    plain, weighted, adjusted = evaluate(parameters, cases)
    assert plain < weighted < adjusted - 0.01


def test_a_prediction_names_a_recipe_and_its_action(fit) -> None:
    plain, weighted = (
        predict(fit, {"m": SKEWED}, target_set="cifar100/a", recipe=name).predictions[0]
        for name in ("frozen-lite0", "frozen-lite0+class-weights")
    )
    assert weighted.outcomes[0].value > plain.outcomes[0].value + 0.01
    assert plain.recipe["image_steps"] is None and weighted.recipe["action"] == "class-weights"
    assert plain.weights["licence"] == "Apache-2.0" and plain.weights["alike"] == []
    even = [
        predict(fit, {"m": EVEN}, target_set="cifar100/a", recipe=name).predictions[0].outcomes[0].value
        for name in ("frozen-lite0", "frozen-lite0+class-weights")
    ]
    assert even[0] == pytest.approx(even[1], abs=1e-12)  # nothing to weigh
    by_network = predict(fit, {"m": SKEWED}, target_set="cifar100/a", model=plain.recipe["model"]).predictions[0]
    assert by_network.outcomes[0].value == plain.outcomes[0].value


def test_other_recipes_stand_beside_the_main_answer(fit, synthetic_fit) -> None:
    (one,) = predict(fit, {"m": SKEWED}, target_set="cifar100/a").predictions
    (before,) = predict(synthetic_fit, {"m": SKEWED}, target_set="cifar100/a").predictions
    assert one.outcomes[0] == before.outcomes[0] and before.recipes == ()
    assert [item.name for item in one.recipes] == ["frozen-lite0", one.recipes[1].name] and "+" in one.recipes[1].name
    named = predict(fit, {"m": SKEWED}, target_set="cifar100/a", recipe=one.recipes[1].name).predictions[0]
    assert (one.recipes[1].value, one.recipes[1].low) == (named.outcomes[0].value, named.outcomes[0].low)
    assert one.recipes[0].n_configurations == 48 and one.recipes[0].n_target_sets == 5
    (even,) = predict(fit, {"m": EVEN}, target_set="cifar100/a").predictions
    assert [item.name for item in even.recipes] == ["frozen-lite0"]  # no action pushes balanced classes
    assert predict(fit, {"m": SKEWED}, recipe="frozen-lite0").predictions[0].recipes == ()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"recipe": "frozen-lite1"}, "knows no recipe 'frozen-lite1'; near: frozen-lite0"),
        ({"recipe": "frozen-lite0+weights"}, "'weights' is no action. frozen-lite0 is known with: class-weights"),
        ({"recipe": "frozen-lite0+balanced-sampling"}, "no run of frozen-lite0 had balanced-sampling; runs had: class"),
        ({"recipe": "frozen-lite0+deferred:0.5"}, "deferred needs steps; the head of a frozen network is solved for"),
        ({"recipe": "frozen-lite0", "model": "x"}, "--recipe names network and image size"),
        ({"recipe": "frozen-lite0", "image_steps": 9}, "image-steps mean nothing to a frozen network"),
        ({"recipe": "gone.yaml"}, "gone.yaml: no such grid file"),
    ],
)
def test_a_recipe_that_is_not_known_is_refused(fit, asked, message) -> None:
    with pytest.raises(PredictorError, match=re.escape(message)):
        predict(fit, {"m": SKEWED}, **asked)


def test_names_of_actions_are_read_back() -> None:
    for recipe in (
        {}, {"class_weights": "inverse"}, {"class_weights": "effective:0.99"}, {"sampling": "sqrt"},
        {"logit_adjustment": 1.0}, {"logit_adjustment": 0.5, "logit_adjustment_at": "test", "sampling": "balanced"},
        {"sampling": "balanced", "deferred": 0.8},
    ):  # fmt: skip
        assert Action.parse(Action.of(recipe).name) == Action.of(recipe)
    with pytest.raises(ValueError, match="'louder' is no action"):
        Action.parse("class-weights+louder")
    assert family_of({"name": "r", "weights": {"name": "x"}, "train": "last:2"}) == "fine-tuned"


def test_the_pushes_are_the_weights_that_training_gives() -> None:
    from predictor.spec import Recipe
    from trainer.imbalance import class_weights, log_shares

    counts = np.array([50, 20, 5])
    for recipe in ({"class_weights": "inverse"}, {"class_weights": "effective:0.9"}, {"sampling": "sqrt"}):
        wanted = np.log(class_weights(Recipe(**recipe), counts))
        np.testing.assert_allclose(Action.of(recipe).pushes(counts).sum(axis=0), wanted - wanted.mean())
    shares = -log_shares(counts)
    np.testing.assert_allclose(Action(logit_adjustment=1.0).pushes(counts)[2], shares - shares.mean())


def test_classes_that_imagenet_has_by_name() -> None:
    assert in_imagenet("Sweet_Pepper") is False and in_imagenet("bell-pepper") and in_imagenet("butterfly")
    assert not in_imagenet("") and not in_imagenet("7")


def test_a_class_is_looked_up_not_compared_with_all_names() -> None:
    """A million classes were compared with 1,836 names each: minutes."""
    own = "american black bear"
    assert own in _imagenet() and {"black bear", "bear"} <= _imagenet() and "ack bear" not in _imagenet()
    assert in_imagenet("Bear") and not in_imagenet("american")


def test_networks_of_a_family_are_pooled_and_known_of_a_new_target_set() -> None:
    """Another network, measured on two target sets alone, keeps what it differs by on a third one."""
    some = dict(list(TARGET_SETS.items())[:2])
    other = frozen(20, network="tf_efficientnet_lite1", level=-0.8, target_sets=some, seed=5, study="other")
    made = fit_registry([*frozen(), *other], ["accuracy"], ["classwise"])
    assert made.recipe_family == "frozen" and len(made.recipes) == 2
    sizes = {
        name: predict(made, {"m": EVEN.with_targets(NAMES)}, domain="characters", model=f"{name} (lite0, head)")
        .predictions[0].outcomes[0].value
        for name in ("tf_efficientnet_lite0", "tf_efficientnet_lite1")
    }  # fmt: skip
    assert sizes["tf_efficientnet_lite1"] > sizes["tf_efficientnet_lite0"] + 0.05


def changed(records, **recipe):
    from predictor.spec import RunSpec

    made = []
    for record in records:
        spec = RunSpec.model_validate({**record.spec, "recipe": {**record.spec["recipe"], **recipe}})
        made.append(
            record.model_copy(
                update={
                    "spec": json.loads(spec.canonical()), "run_id": spec.run_id,
                    "configuration_id": spec.configuration_id, "study": "other",
                }
            )
        )  # fmt: skip
    return made


def test_what_is_left_out_says_which_setting_differs_and_how_to_take_it(synthetic_records) -> None:
    mild = changed(synthetic_records[:30], augmentation="simclr-mild")
    left = select([*synthetic_records, *mild]).left_out
    assert left == (
        "other: 30 runs left out: another recipe than most runs of small-net 32 px: augmentation simclr-mild instead "
        "of simclr; --recipe augmentation=simclr-mild takes them as a factor",
    )
    option = re.search(r"--recipe (\S+)", left[0])[1]
    taken = select([*synthetic_records, *mild], take=[option])
    assert taken.left_out == () and len(taken.records) == len(synthetic_records) + 30
    assert len({taken.recipe(record)[0] for record in taken.records}) == 2
    assert len(select([*synthetic_records, *mild], take=["all"]).records) == len(taken.records)
    weighted = changed(synthetic_records[:30], class_weights="inverse")
    assert select([*synthetic_records, *weighted]).left_out == ()  # an action is a factor, not another recipe
    with pytest.raises(FitError, match="no such setting; near: learning_rate"):
        select(synthetic_records, take=["learning_rat=1"])


@pytest.fixture
def registries(tmp_path: Path, synthetic_records) -> tuple[Path, Path]:
    for record in synthetic_records:
        write_record(tmp_path / "runs", record)
    return tmp_path / "runs", tmp_path / "mine"


def mine(n: int, target_set: str = "mine/a", level: float = -1.9) -> list:
    """Runs of an own target set, of the network and recipe of the synthetic ones."""
    own = ((target_set, ("cifar", 6, level)),)
    return registry(n_configurations=n, n_seeds=1, seed=9, target_sets=own, study="mine", noise=0.02)


def invoke(command, *words) -> str:
    done = CliRunner().invoke(command, [str(word) for word in words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_toy_moves_nobodys_prediction_and_is_named(registries) -> None:
    for record in mine(2):
        write_record(registries[1], record)
    options = ("--outcome", "accuracy", "--family", "linear")
    text = " ".join(invoke(fit_command, *registries, *options).split())  # it wraps
    assert (
        f"left out {registries[1]}: 2 configurations of mine/a with small-net 32 px: 4 are needed to enter a fit; "
        f"fewer are pilots: predictor predict MANIFEST --pilot {registries[1]}"
    ) in text
    with_toy = load_fit(registries[0] / "fit.json")
    invoke(fit_command, registries[0], *options)
    alone = load_fit(registries[0] / "fit.json")
    assert with_toy.content["outcomes"] == alone.content["outcomes"]
    manifest = registries[0].parent / "m.csv"
    manifest.write_text("label,count\n" + "".join(f"mine/a/{c:02d},{20 + c}\n" for c in range(6)))
    command = re.search(r"predictor (predict MANIFEST --pilot \S+)", text)[1].split()
    command[1] = str(manifest)
    assert "pilots" in invoke(predict_command, *command[1:], "--fit", registries[0] / "fit.json")


def test_four_configurations_enter_a_fit(registries, synthetic_records) -> None:
    for record in mine(5):
        write_record(registries[1], record)
    records, notes = read_several(registries)
    assert len(records) == len(synthetic_records) + 5 and notes == []
    write_record(registries[1], mine(1, "mine/b")[0])
    records, notes = read_several(registries)
    assert len(records) == len(synthetic_records) + 5 and "1 configuration of mine/b" in notes[0]
    with pytest.raises(FitError, match="a registry is named twice"):
        read_several([registries[0], registries[0]])
    other = mine(4, "cifar100/a")
    for record in other:
        write_record(registries[1], record)
    with pytest.raises(FitError, match="target set 'cifar100/a' has other classes than in the registries before"):
        read_several(registries)


def test_a_fit_on_top_of_another_one(registries, synthetic_fit) -> None:
    base = synthetic_fit.save(registries[0] / "base.json")
    own = mine(8)
    for record in own:
        write_record(registries[1], record)
    words = (registries[1], "--base", base, "--output", registries[0] / "top.json")
    text = invoke(fit_command, *words)
    assert "mine/a" in text and "MAE base" in text
    found = json.loads(invoke(fit_command, *words, "--format", "json"))["added"][0]
    assert found["n_configurations"] == 8 and found["mae"] < found["mae_base"]
    manifest = registries[0].parent / "m.csv"
    manifest.write_text("label,count\n" + "".join(f"mine/a/{c:02d},{30 + c}\n" for c in range(6)))
    command = re.search(r"use it:\s+predictor predict (.*)", text)[1].replace("MANIFEST", str(manifest)).split()
    assert "TARGET SET mine/a" in invoke(predict_command, *command)
    read = load_fit(registries[0] / "top.json")
    counts = LabelDistribution.from_counts({f"mine/a/{c:02d}": 30 + c for c in range(6)})
    own_fit = api.load_fit(registries[0] / "top.json")
    (one,) = own_fit.predict(counts, target_set="mine/a").predictions
    assert one.basis == "pilot" and own_fit.advise(counts, 20, target_set="mine/a").target_set == "mine/a"
    advised = invoke(
        advise_command, manifest, "--budget", 20, "--fit", registries[0] / "top.json", "--target-set", "mine/a"
    )
    assert "TARGET SET mine/a" in advised
    assert predict(read, {"m": EVEN}).predictions == predict(synthetic_fit, {"m": EVEN}).predictions
    few = registries[0].parent / "few"
    for record in mine(2, "mine/c"):
        write_record(few, record)
    with pytest.raises(FitError, match=r"mine/c with small-net 32 px: 2 configurations; 4 are needed"):
        invoke(fit_command, few, "--base", base, "--output", registries[0] / "no.json")
    assert not (registries[0] / "no.json").exists()


def test_the_recipes_command_lists_what_the_fit_knows(fit, tmp_path) -> None:
    path = fit.save(tmp_path / "fit.json")
    text = invoke(recipes_command, "--fit", path)
    assert "frozen-lite0" in text and "scratch-small-net" in text and "trained on ImageNet-1k, Apache-2.0" in text
    told = re.search(r"use one: predictor predict MANIFEST (--recipe \S+)", text)[1].split()
    manifest = tmp_path / "m.csv"
    manifest.write_text("label,count\n" + "".join(f"{name},{n}\n" for name, _, n in SKEWED.rows()))
    shown = invoke(predict_command, manifest, "--fit", path, *told)
    assert "RECIPE tf_efficientnet_lite0 (lite0, head) 96 px, class-weights" in shown
    assert "weights       lite0, Apache-2.0, trained on ImageNet-1k, which has none of these classes by name" in shown
    content = json.loads(invoke(recipes_command, "--fit", path, "--format", "json"))
    assert content["recipes"][1]["actions"]["class-weights"] > 0
    splits = {(row["family"], row["split"]) for row in content["held_out"]}
    assert {("frozen", "configuration"), ("frozen", "target_set"), ("frozen", "domain")} <= splits
    rows = list(csv.DictReader(invoke(recipes_command, "--fit", path, "--format", "csv").splitlines()))
    assert [row["kind"] for row in rows].count("recipe") == 2 and {"held out", "weights"} <= {
        row["kind"] for row in rows
    }


@pytest.mark.parametrize(("place", "row"), [("loss", 2), ("test", 3)])
def test_logits_are_adjusted_in_one_place_alone(place: str, row: int) -> None:
    counts = np.array([80, 20, 5])
    how = {"logit_adjustment": 0.5, "logit_adjustment_at": place}
    pushes = Action(**how).pushes(counts)
    assert [bool(own.any()) for own in pushes] == [number == row for number in range(len(pushes))]
    adjusted = {"loss": loss_offset(Recipe(**how), counts), "test": offset_at_test(Recipe(**how), counts)}
    assert adjusted.pop(place) == pytest.approx(0.5 * log_shares(counts))
    assert not any(other.any() for other in adjusted.values())


def of_recipe(records: list, **settings: object) -> list:
    """The runs with other settings, as they would have been trained."""
    made = []
    for record in records:
        spec = {**record.spec, "recipe": {**record.spec.get("recipe", {}), **settings}}
        unseeded = {name: value for name, value in spec.items() if name != "seeds"}
        ids = {"run_id": spec_id(canonical_json(spec)), "configuration_id": spec_id(canonical_json(unseeded))}
        made.append(record.model_copy(update={"spec": spec, **ids}))
    return made


def test_configurations_are_counted_of_the_recipe_that_is_fitted(registries) -> None:
    own = mine(4)
    for record in [*own[:2], *of_recipe(own[2:], augmentation="none")]:
        write_record(registries[1], record)
    alone, _ = read_several(registries[:1])
    records, notes = read_several(registries)
    kept = {record.run_id for record in select(records).records}
    assert kept == {record.run_id for record in select(alone).records}  # two of a kind move nobody's prediction
    assert "2 configurations of mine/a with small-net 32 px in the recipe that is fitted: 4 are" in notes[0]
    assert "--pilot" not in notes[0]  # which refuses them as well
    assert "augmentation=none" in str(select(records).left_out)  # and the two others are named with what takes them
    taken, notes = read_several(registries, take=("augmentation=none",))
    assert len(select(taken, take=("augmentation=none",)).records) == len(kept) + 4 and notes == []


def test_a_setting_that_no_run_has_is_refused(synthetic_records) -> None:
    with pytest.raises(FitError, match=r"--recipe augmentation=nothing: no run .* has it; these have augmentation .*"):
        select(synthetic_records, take=("augmentation=nothing",))


def on_top(synthetic_fit, place: Path, records: list, *words: object) -> str:
    for record in records:
        write_record(place / "mine", record)
    base = synthetic_fit.save(place / "base.json")
    return " ".join(invoke(fit_command, place / "mine", "--base", base, "--output", place / "top.json", *words).split())


def test_on_top_of_a_base_are_the_runs_of_one_recipe(tmp_path, synthetic_fit) -> None:
    own = mine(6)
    text = on_top(synthetic_fit, tmp_path, [*own[:4], *of_recipe(own[4:], augmentation="none")])
    assert "mine/a with small-net 32 px: 2 runs of another recipe than most: augmentation none instead of" in text
    assert {
        item["spec"]["recipe"].get("augmentation") for item in load_fit(tmp_path / "top.json").content["own_runs"]
    } == {own[0].spec["recipe"].get("augmentation")}
    for option in (("--recipe", "all"), ("--family", "linear"), ("--outcome", "accuracy")):
        with pytest.raises(FitError, match=f"{option[0]} has no effect beside --base"):
            on_top(synthetic_fit, tmp_path, [], *option)


def test_on_top_of_a_base_runs_at_chance_are_named(tmp_path, synthetic_fit) -> None:
    own, lost = mine(5), mine(5, level=-9.0)
    with pytest.raises(FitError, match=r"0 configurations and 5 at chance, which tell nothing; 4 are needed"):
        on_top(synthetic_fit, tmp_path, lost)
    text = on_top(synthetic_fit, tmp_path / "b", [*own[:4], lost[4]])
    assert "mine/a small-net 32 px 4 4" in text


def test_pilots_of_several_recipes_are_refused(synthetic_fit) -> None:
    own = mine(3)
    with pytest.raises(FitError, match="runs of several recipes: augmentation none instead of"):
        read_pilots([*own[:2], *of_recipe(own[2:], augmentation="none")])
