"""Predictions: what each status promises, refused files, light imports."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from predictor.distribution import LabelDistribution
from predictor.errors import FitError
from predictor.models.fit import Fit, content_digest, load_fit
from predictor.models.links import counted_logit, logit
from predictor.prediction import predict
from predictor.statistics.error_scale import ErrorScale, Signs

NAMES = [f"cifar100/a/{c:02d}" for c in range(10)]


@pytest.fixture
def fit(synthetic_fit):
    return synthetic_fit


def manifest(counts, others=0):
    rows = dict(zip(NAMES, counts, strict=True)) | {f"other/{i}": 50 for i in range(others)}
    return LabelDistribution.from_counts(rows, targets=NAMES)


EVEN = manifest([100] * 10)
TAIL = manifest([300, 20] * 5, others=10)


def test_known_target_set_has_a_calibrated_interval(fit):
    found = predict(fit, {"even": EVEN}, target_set="cifar100/a")
    prediction = found.predictions[0]
    accuracy = prediction.outcome("accuracy")
    assert prediction.status == "in_domain" and prediction.domain == "cifar"
    assert 0 < accuracy.low < accuracy.value < accuracy.high < 1
    assert accuracy.covered is not None and accuracy.reason is None
    assert {o.outcome for o in prediction.outcomes} == {"accuracy", "robustness", "shift:noise"}


def test_intervals_widen_as_less_is_known(fit):
    widths = []
    for arguments in ({"target_set": "cifar100/a"}, {"domain": "cifar"}, {}):
        accuracy = predict(fit, {"even": EVEN}, **arguments).predictions[0].outcome("accuracy")
        widths.append(accuracy.high - accuracy.low)
    assert widths[0] < widths[1] < widths[2]


def test_an_interval_is_as_wide_as_the_models_disagree(fit):
    """Half-widths in logits over what the disagreement says are the calibrated number, whatever the manifest."""
    entry = json.loads(
        json.dumps(fit.content["outcomes"]["accuracy"])
    )  # a copy with a weight, whatever the small world chose
    entry["configuration"]["scale"] |= {"doubt": 1.0, "typical": 0.1}
    own = Fit({**fit.content, "outcomes": {**fit.content["outcomes"], "accuracy": entry}})
    designs = {"even": EVEN, "small": manifest([40] * 10), "skewed": TAIL}
    halves, doubts = [], []
    for found in predict(own, designs, target_set="cifar100/a").predictions:
        accuracy = found.outcome("accuracy")
        assert entry["models"] == ["linear", "classwise"]
        values = [_model(own, name, found, designs) for name in entry["models"]]
        doubt = float(np.std(logit(np.array(values)), ddof=1))
        n = entry["n_tested"]["cifar100/a"]
        half = float(counted_logit(accuracy.high, n) - counted_logit(accuracy.low, n)) / 2
        assert found.status == "in_domain", found.outside
        halves.append(half / float(ErrorScale.stored(entry["configuration"]["scale"])(accuracy.value, Signs(doubt))))
        doubts.append(doubt)
    assert max(doubts) > 1.5 * min(doubts)
    assert np.allclose(halves, halves[0], rtol=1e-6)


def _model(fit, name, found, designs):
    """Value of one model alone: the fit with that model chosen and no other to disagree."""
    entry = {**fit.content["outcomes"]["accuracy"], "models": [name]}
    entry["configuration"] = {**entry["configuration"], "family": name}
    alone = Fit({**fit.content, "outcomes": {**fit.content["outcomes"], "accuracy": entry}})
    one = predict(alone, {found.manifest: designs[found.manifest]}, target_set="cifar100/a").predictions[0]
    return one.outcome("accuracy").value


def test_new_domain_compares_firmly_and_says_nothing_of_robustness(fit):
    found = predict(fit, {"tail": TAIL, "even": EVEN})
    assert [p.manifest for p in found.predictions] == ["even", "tail"]
    assert all(p.status == "new_domain" for p in found.predictions)
    robustness = found.predictions[0].outcome("robustness")
    assert robustness.value is None and robustness.reason == "your shift was never tested"
    assert "coverage not measured" in found.predictions[0].outcome("accuracy").reason
    (comparison,) = found.comparisons
    assert (comparison.a, comparison.b) == ("even", "tail")
    assert comparison.low < comparison.logit_difference < comparison.high and comparison.p_a_better > 0.9
    assert comparison.points_at_half > comparison.points_at_ninety > 0


def test_equal_manifests_are_a_coin_toss(fit):
    (comparison,) = predict(fit, {"a": EVEN, "b": EVEN}, target_set="cifar100/a").comparisons[:1]
    assert comparison.logit_difference == 0 and comparison.p_a_better == pytest.approx(0.5)


def test_outside_names_the_indicator_and_answers_anyway(fit):
    prediction = predict(fit, {"big": manifest([100_000] * 10)}, target_set="cifar100/a").predictions[0]
    assert prediction.status == "outside" and prediction.basis == "in_domain"
    assert "n_samples" in [entry["indicator"] for entry in prediction.outside]
    accuracy = prediction.outcome("accuracy")
    assert accuracy.edge is not None and accuracy.low <= accuracy.edge[1] and accuracy.value > accuracy.edge[0]
    assert any(line.startswith("n_samples is 1e+06; the fit saw") for line in prediction.warnings)


def test_values_that_never_went_together_are_outside_jointly(fit):
    inside = predict(fit, {"tail": TAIL}, target_set="cifar100/a").predictions[0]
    assert inside.status == "in_domain"
    joint = {**fit.content["joint"], "largest": 1e-3}  # as if all runs had been alike
    stricter = Fit({**fit.content, "joint": joint})
    prediction = predict(stricter, {"tail": TAIL}, target_set="cifar100/a").predictions[0]
    (entry,) = prediction.outside
    assert prediction.status == "outside" and entry["indicator"] == "all indicators together"
    assert entry["value"] > entry["high"] == 1e-3
    before, after = inside.outcome("accuracy"), prediction.outcome("accuracy")
    assert after.low < before.low < before.value == after.value < before.high < after.high
    assert after.covered is None and "twice as wide" in after.reason
    for times, status in ((1.05, "in_domain"), (1.15, "outside")):  # a tenth beyond the farthest run is still inside
        near = Fit({**fit.content, "joint": {**joint, "largest": entry["value"] / times}})
        assert predict(near, {"tail": TAIL}, target_set="cifar100/a").predictions[0].status == status


def test_an_unknown_kind_of_parameters_says_how_to_load_it(fit):
    from predictor.models.evaluate import evaluate

    with pytest.raises(FitError, match=r"unknown kind of parameters 'mine'.*predictor --load"):
        evaluate({"kind": "mine"}, [])


def test_contributions_add_up_to_the_distance_from_balanced(fit):
    prediction = predict(fit, {"tail": TAIL}, target_set="cifar100/a").predictions[0]
    total = 1600 + 500
    balanced = manifest([total // 10] * 10)
    reference = predict(fit, {"b": balanced}, target_set="cifar100/a").predictions[0]
    distance = prediction.outcome("accuracy").value - reference.outcome("accuracy").value
    assert sum(entry["value"] for entry in prediction.contributions) == pytest.approx(distance, abs=1e-9)


def test_contributions_tell_the_sources_of_other_classes_apart():
    """Shapley's axioms: they add up, equal changes get equal parts, and what changes nothing gets nothing."""
    from predictor.prediction.contributions import contributions

    rows = [("cat", "home", 90), ("dog", "home", 10), ("dog", "street", 20)]
    rows += [(f"{source} {i}", source, n) for source, n in (("a", 40), ("b", 40), ("c", 9), ("d", 5)) for i in range(2)]
    manifest = LabelDistribution.from_counts(rows, targets=["cat", "dog"])

    def value(variant: LabelDistribution) -> float:
        images = variant.counts_by_source()
        helped = images.get("a", 0) + images.get("b", 0)
        return float(np.log(variant.target_counts).mean() + 0.01 * helped * np.log1p(helped))

    balanced = LabelDistribution.from_counts({"cat": 154, "dog": 154}, targets=["cat", "dog"])
    found = dict(contributions(manifest, value))
    assert list(found) == ["tail", "other classes of a", "other classes of b", "other classes of 2 more sources"]
    assert sum(found.values()) == pytest.approx(value(manifest) - value(balanced), abs=1e-12)
    assert found["other classes of a"] == pytest.approx(found["other classes of b"], abs=1e-12)
    assert found["other classes of a"] > 0 > found["tail"] and found["other classes of 2 more sources"] < 0
    idle = dict(contributions(manifest, lambda variant: float("street" in variant.sources)))
    assert idle == dict.fromkeys(found, 0.0), "the targets' own sources stand in every variant"


def test_target_set_gives_the_targets_where_the_manifest_names_none(fit):
    plain = LabelDistribution.from_counts(dict.fromkeys(NAMES, 100) | {"road": 50})
    prediction = predict(fit, {"plain": plain}, target_set="cifar100/a").predictions[0]
    shown = {entry["name"]: entry["value"] for entry in prediction.indicators}
    assert shown["n_other_classes"] == 1


def test_a_target_without_images_still_has_an_answer(fit):
    empty = manifest([200] * 9 + [0])
    accuracy = predict(fit, {"m": empty}, target_set="cifar100/a").predictions[0].outcome("accuracy")
    assert accuracy.value is not None and accuracy.low <= accuracy.value <= accuracy.high


@pytest.mark.parametrize(("empty", "said"), [(1, False), (5, False), (6, True)])
def test_targets_without_images_lie_outside_where_they_are_more_than_half(fit, empty, said):
    bare = manifest([200] * (10 - empty) + [0] * empty)
    prediction = predict(fit, {"m": bare}, target_set="cifar100/a").predictions[0]
    found = [entry["value"] for entry in prediction.outside if entry["indicator"] == "target classes without images"]
    assert found == [empty] * said


@pytest.mark.parametrize(
    ("manifests", "arguments", "message"),
    [
        ({"m": EVEN}, {"target_set": "cifar100/z"}, "the fit knows no target set 'cifar100/z'; near: cifar100/"),
        ({"m": EVEN}, {"domain": "moon"}, "the fit knows no domain 'moon'"),
        ({"m": EVEN}, {"target_set": "cifar100/a", "domain": "characters"}, "belongs to domain 'cifar'"),
        ({"m": EVEN}, {"level": 90}, "needed: a number between 0 and 1"),
        ({"m": LabelDistribution.from_counts({})}, {}, "m: the manifest has no images"),
        ({"m": LabelDistribution.from_counts({"x": 5}, targets=["y"])}, {}, "m: no image of any target class"),
        ({"m": LabelDistribution.from_counts({"x": 5})}, {"target_set": "cifar100/a"}, "no image of any target class"),
        (
            {"m": LabelDistribution.from_counts({NAMES[0]: 5}, targets=[NAMES[0]])},
            {"target_set": "cifar100/a"},
            "its target classes are not those of cifar100/a",
        ),
        ({}, {}, "no manifest to predict"),
    ],
)
def test_bad_input_is_refused_in_words(fit, manifests, arguments, message):
    with pytest.raises(FitError, match=message):
        predict(fit, manifests, **arguments)


def test_another_recipe_is_a_new_level(fit):
    prediction = predict(fit, {"m": EVEN}, target_set="cifar100/a", model="resnet50", image_size=224).predictions[0]
    assert prediction.basis == "new_target_set" and "recipe resnet50 224 px is new" in prediction.warnings[0]


def test_a_saved_fit_predicts_the_same_bits(fit, tmp_path):
    path = fit.save(tmp_path / "fit.json")
    assert predict(load_fit(path), {"m": TAIL}).to_dict() == predict(fit, {"m": TAIL}).to_dict()
    assert [p.name for p in tmp_path.iterdir()] == ["fit.json"]


def test_damaged_fits_are_refused(fit, tmp_path):
    text = fit.to_json()
    path = tmp_path / "fit.json"

    def refused(content, message):
        path.write_text(content)
        with pytest.raises(FitError, match=message):
            load_fit(path)

    refused(text[: len(text) // 2], "cut or damaged")
    refused("", "cut or damaged")
    refused("[]", "not a fit of this package")
    content = json.loads(text)
    content["ranges"]["n_samples"] = [0, 1e9]
    refused(json.dumps(content), "was edited after it was written")
    content = json.loads(text) | {"schema_version": 99}
    refused(json.dumps(content), "schema version 99")
    refused(text.replace('"n_runs": 180', '"n_runs": NaN'), "not finite")
    with pytest.raises(FitError, match="no such file"):
        load_fit(tmp_path / "none.json")


def test_digest_does_not_depend_on_the_order_of_keys(fit):
    content = dict(reversed(fit.content.items()))
    assert content_digest(content) == fit.digest


def test_prediction_imports_nothing_heavy():
    code = (
        "import sys; import predictor.prediction, predictor.cli.predict_command; "
        "print([m for m in ('pandas', 'scipy', 'sklearn', 'statsmodels', 'seaborn', 'torch', 'pydantic') "
        "if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
