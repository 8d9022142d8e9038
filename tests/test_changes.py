"""Advice that needs no image: actions of training, merged and dropped classes, none of the above."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from example_made import WEB
from synthetic import registry

from predictor.cli.advise_command import command
from predictor.distribution import LabelDistribution
from predictor.errors import FitError
from predictor.models.fit import shipped_fit
from predictor.planning import advise
from predictor.planning.advice.changes import relabelled
from predictor.prediction import predict

README = Path(__file__).parents[1] / "README.md"
NAMES = [f"cifar100/a/{c:02d}" for c in range(10)]
COUNTS = [70, 50, 40, 30, 20, 12, 8, 6, 4, 3]
SKEWED = LabelDistribution.from_counts(dict(zip(NAMES, COUNTS, strict=True)))
WITH_OTHER = LabelDistribution.from_counts({**dict(zip(NAMES, COUNTS, strict=True)), "nothing": 25}, targets=NAMES)


def test_actions_are_scored_by_mean_worst_class_and_plain_accuracy(recipes_fit) -> None:
    advice = advise(recipes_fit, SKEWED, 20, recipe="frozen-lite0", target_set="cifar100/a")
    found = {change.name: change for change in advice.changes}
    weights = found["class-weights"]
    told = {
        name: predict(recipes_fit, SKEWED, recipe=name, target_set="cifar100/a").predictions[0].outcomes[0].value
        for name in ("frozen-lite0", "frozen-lite0+class-weights")
    }
    assert weights.gain == pytest.approx(told["frozen-lite0+class-weights"] - told["frozen-lite0"])
    assert weights.gain_low < weights.gain < weights.gain_high and 0.5 < weights.p_better <= 1
    assert weights.worst[0] == NAMES[-1] and weights.worst[2] > weights.worst[1] + 0.02
    assert weights.images == 0 and weights.n_configurations > 0
    first, last = weights.recalls[0], weights.recalls[-1]
    assert first.now < last.now and first.then > first.now and last.then < last.now  # the head pays
    assert weights.plain - weights.plain_now < weights.gain  # where the head is most of the test images, less is won
    shares = {recall.label: recall.now for recall in weights.recalls}
    plain = sum(n * shares[name] for name, n in zip(NAMES, COUNTS, strict=True)) / sum(COUNTS)
    assert weights.plain_now == pytest.approx(plain)
    both = next(change for change in advice.changes if change.kind == "both")
    assert both.images == advice.plan("advised").collected and both.gain > max(weights.gain, 0.0)
    assert advice.no_actions is None


def test_without_measured_actions_the_reason_is_said(recipes_fit, synthetic_fit) -> None:
    advice = advise(recipes_fit, SKEWED, 20, target_set="cifar100/a")
    assert advice.changes == ()
    assert advice.no_actions == "no run of scratch-small-net had one; frozen-lite0 had: --recipe frozen-lite0"
    option = re.search(r"--recipe (\S+)", advice.no_actions)[1]
    assert advise(recipes_fit, SKEWED, 20, target_set="cifar100/a", recipe=option).changes
    alone = advise(synthetic_fit, SKEWED, 20, target_set="cifar100/a")
    assert alone.no_actions == "no run of scratch-small-net had one"
    even = LabelDistribution.from_counts(dict.fromkeys(NAMES, 30))
    flat = advise(recipes_fit, even, 20, recipe="frozen-lite0", target_set="cifar100/a")
    assert flat.no_actions == "all classes are as large: there is nothing to weigh"
    done = advise(recipes_fit, SKEWED, 20, recipe="frozen-lite0+class-weights", target_set="cifar100/a")
    assert done.no_actions == "class-weights is part of the recipe already"


def test_beside_pilots_no_recipe_is_named_as_it_would_be_refused(recipes_fit) -> None:
    mine = (("cifar/mine", ("cifar", 10, -0.9)),)
    pilots = registry(n_configurations=3, n_seeds=1, target_sets=mine)
    counts = dict(zip(pilots[0].distribution.target_names, COUNTS, strict=True))
    advice = advise(recipes_fit, LabelDistribution.from_counts(counts), 20, pilots=pilots)
    assert advice.no_actions == "pilots tell nothing of them; without --pilot they are, for frozen-lite0"


def test_labels_that_are_merged_dropped_or_left_out() -> None:
    made = relabelled(SKEWED, merge_below=10, drop_below=5)
    merged, dropped = made["merge below 10 (4 classes)"], made["drop below 5 (2 classes)"]
    assert merged.target_names == dropped.target_names == SKEWED.target_names
    assert merged.other_counts.tolist() == [8 + 6 + 4 + 3] and merged.n_samples == SKEWED.n_samples
    assert dropped.target_counts[-2:].tolist() == [0, 0] and dropped.n_samples == SKEWED.n_samples - 7
    clash = LabelDistribution.from_counts({"a": 50, "b": 40, "c": 2, "small classes": 30}, targets=["a", "b", "c"])
    (apart,) = relabelled(clash, merge_below=10).values()
    assert sorted(apart.other_counts.tolist()) == [2, 30], "another class of that name stays what it is"
    (without,) = relabelled(WITH_OTHER, other="nothing").values()
    assert without.target_counts.tolist() == COUNTS and not len(without.other_counts)


def test_a_dropped_class_counts_as_nothing(recipes_fit) -> None:
    advice = advise(recipes_fit, SKEWED, 0, target_set="cifar100/a", drop_below=5)
    (change,) = advice.changes
    dropped = [recall for recall in change.recalls if not recall.n_samples]
    assert {recall.label for recall in dropped} == set(NAMES[-2:]) and all(recall.then == 0 for recall in dropped)
    assert change.gain < 0 and change.worst[2] == 0
    own = advise(recipes_fit, WITH_OTHER, 0, target_set="cifar100/a", other="nothing").changes
    assert [change.name for change in own] == ["without nothing"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"drop_below": 3}, "--drop-below: no class has fewer than 3 images; the smallest has 3"),
        ({"merge_below": 60}, "--merge-below: 9 of 10 classes have fewer than 60 images; two must be left"),
        ({"other": "nothng"}, "--other: 'nothng'.* is no other class of the manifest; it has nothing"),
    ],
)
def test_what_cannot_be_changed_is_refused(asked, message) -> None:
    with pytest.raises(FitError, match=message):
        relabelled(WITH_OTHER, **asked)


def test_the_command_prints_actions_beside_images(recipes_fit, tmp_path: Path) -> None:
    path = recipes_fit.save(tmp_path / "fit.json")
    manifest = tmp_path / "m.csv"
    manifest.write_text("label,count\n" + "".join(f"{name},{n}\n" for name, n in zip(NAMES, COUNTS, strict=True)))
    words = [str(manifest), "--budget", "20", "--fit", str(path), "--target-set", "cifar100/a"]
    plain = CliRunner().invoke(command, words)
    assert plain.exit_code == 0, plain.output
    hint = re.search(r"actions of training are not predicted: .*(--recipe \S+)", plain.stdout)[1].split()
    done = CliRunner().invoke(command, [*words, *hint, "--drop-below", "5"])
    assert done.exit_code == 0, done.output
    for part in ("class-weights", "with the plan", "drop below 5 (2 classes)", "worst now", "plain:"):
        assert part in done.stdout
    assert "image-steps   none: the head of a frozen network is solved for" in done.stdout
    told = json.loads(CliRunner().invoke(command, [*words, *hint, "--format", "json"]).stdout)
    assert {change["kind"] for change in told["changes"]} == {"action", "both"}


def test_the_figures_of_the_readme_are_those_of_the_shipped_fit() -> None:
    advice = advise(shipped_fit(), WEB, 40, target_set="cifar100/a", recipe="frozen-lite0")
    plan = advice.plan("advised")
    best = next(change for change in advice.changes if change.kind == "action")
    both = next(change for change in advice.changes if change.kind == "both")
    assert best.name == "logit-adjustment" and plan.collected == 40

    assert best.gain is plan.gain is both.gain is None, "the manifest lies outside of the fit, as the page says"
    alone, images, together = (f"{100 * own.gain_at_half:+.0f}" for own in (best, plan, both))
    flat = " ".join(README.read_text(encoding="utf-8").split())
    assert f"if the data set reaches 50 % now: {alone}, {images} and {together} points" in flat
