"""Arguments that mean nothing are refused in words: none takes a default without a word, none raises a raw error."""

from __future__ import annotations

import math

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import registry

from predictor.agreements import agreement
from predictor.cli.predict_command import command as predict_command
from predictor.distribution import LabelDistribution
from predictor.errors import PredictorError
from predictor.fitting import fit_registry
from predictor.manifest import open_manifest
from predictor.planning.advice.advise import advise
from predictor.planning.pilots.predict import predict_with_pilots
from predictor.prediction import predict
from predictor.records import frame

RECORDS = registry(n_configurations=20, n_seeds=1)
NAMES = [f"cifar100/a/{c:02d}" for c in range(10)]
MANIFEST = LabelDistribution.from_counts(dict.fromkeys(NAMES, 50))
ODD = st.one_of(
    st.floats(), st.integers(max_value=0), st.booleans(), st.text(max_size=3), st.just(()), st.floats(1, 1e6)
)
CALLS = {
    "predict": lambda fit, **asked: predict(fit, {"m": MANIFEST}, **asked),
    "advise": lambda fit, **asked: advise(fit, MANIFEST, **({"budget": 10} | asked)),
    "pilots": lambda fit, **asked: predict_with_pilots(fit, {"m": MANIFEST}, MINE, **asked),
}
MINE = [r.model_copy(update={"target_set": "mine"}) for r in RECORDS if r.target_set == "cifar100/a"][:3]


@pytest.fixture(scope="module")
def fit():
    return fit_registry(RECORDS, ["accuracy"], ["linear"])


@given(st.sampled_from(list(CALLS)), st.sampled_from(["image_steps", "image_size", "model", "budget"]), ODD)
def test_what_is_no_number_of_images_pixels_or_steps_is_refused(fit, call, name, value):
    if name == "budget" and (call != "advise" or (value == 0 and not isinstance(value, float | bool))):
        return
    if name == "model" and isinstance(value, str) and value.strip():
        return
    with pytest.raises(PredictorError) as told:
        CALLS[call](fit, **{name: value})
    assert told.value.remedy


@given(st.sampled_from(list(CALLS)), ODD)
def test_a_level_is_inside_0_and_1(fit, call, value):
    if isinstance(value, float) and 0 < value < 1:
        return
    with pytest.raises(PredictorError, match=r"level .*; needed: a number between 0 and 1"):
        CALLS[call](fit, level=value)


def test_whole_numbers_of_numpy_are_whole_numbers(fit):
    found = predict(fit, {"m": MANIFEST}, image_steps=np.int64(30_000))
    assert found.predictions[0].recipe["image_steps"] == 30_000
    assert math.isfinite(found.predictions[0].outcomes[0].value)


@given(st.sampled_from(["ind_n_samples", "out_accuracy", "ind_gini"]), st.integers(0, 19), st.text(min_size=1))
@settings(max_examples=15)
def test_text_in_a_column_of_numbers_is_named(column, row, text):
    table = frame(RECORDS).astype({column: object})
    table.loc[row, column] = f"{text}?"
    with pytest.raises(PredictorError) as told:
        agreement(table, indicators=["n_samples", "gini"], outcomes=["accuracy"], n_bootstrap=20, n_permutations=20)
    assert f"column {column!r} holds what is no number in 1 runs, first {text + '?'!r}" in told.value.problem


@given(st.lists(st.integers(0, 3), min_size=3, max_size=8).filter(lambda c: sum(map(bool, c)) > 1))
@settings(max_examples=15)
def test_a_class_of_count_0_that_is_left_out_is_said(tmp_path_factory, counts):
    path = tmp_path_factory.mktemp("zeros") / "mine.csv"
    path.write_text("label,count\n" + "".join(f"c{i},{n}\n" for i, n in enumerate(counts)))
    notes = open_manifest(path).notes
    empty = [f"'c{i}'" for i, n in enumerate(counts) if not n]
    said = [note for note in notes if "no image" in note]
    assert len(said) == bool(empty)
    if empty:
        assert all(name in said[0] for name in empty) and "--targets FILE" in said[0]
        (path.parent / "targets.txt").write_text("".join(f"c{i}\n" for i in range(len(counts))))
        done = CliRunner().invoke(predict_command, [str(path), "--targets", str(path.parent / "targets.txt")])
        assert done.exit_code == 0 and "no image" in " ".join(done.output.split()), (
            "the remedy counts it, as a class of accuracy 0"
        )
