"""Every fault of a record is named, each by itself and all together; what is sound stays clean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from records_made import edited, made_record, made_spec

from predictor.errors import RegistryError
from predictor.records import Outcome, RunRecord, check, record_faults, write_record
from predictor.records.rules.specs import Specs
from predictor.records.schema import Reported, content_id

THIRD = repr(1 / 3)
CLEAN = repr((12 + 15 + 10) / 60)
SHIFTED = repr((6 + 5) / 20)
SKETCH = "outcomes__shift:sketch"


def without(record: RunRecord, *names: str) -> RunRecord:
    """The record without these outcomes."""
    return record.model_copy(update={"outcomes": {k: o for k, o in record.outcomes.items() if k not in names}})


def with_outcomes(record: RunRecord, **outcomes: Outcome) -> RunRecord:
    """The record with these outcomes; 'shift_x' stands for shift:x."""
    named = {name.replace("shift_", "shift:"): outcome for name, outcome in outcomes.items()}
    return record.model_copy(update={"outcomes": {**record.outcomes, **named}})


def whole_shift(record: RunRecord) -> RunRecord:
    """The record with a shift that covers every target."""
    counts = {"tested": [10, 10, 10], "correct": [6, 5, 1]}
    sketch = {**counts, "classes": ["bee", "bus", "cat"], "value": 0.4, "plain": 0.4, "chance": 1 / 3}
    sketch |= {"clean_value": (12 + 15 + 10) / 60, "intersection": None}
    return edited(record, **{SKETCH: sketch, "outcomes__robustness__value": 0.4})


def test_made_records_are_clean() -> None:
    specs = Specs()
    for record in (made_record(), made_record(1), made_record(spec=made_spec(2, 20)), whole_shift(made_record())):
        assert record_faults(record) == record_faults(record, specs) == []
    assert record_faults(edited(made_record(), status="diverged", outcomes={})) == []


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({f"{SKETCH}__chance": None}, [f"shift:sketch: chance is missing; 3 targets give {THIRD}"]),
        ({f"{SKETCH}__plain": None}, [f"shift:sketch: plain is missing; its counts give {SHIFTED}"]),
        ({f"{SKETCH}__clean_value": None}, ["shift:sketch: clean_value is missing; the clean counts give 0.675"]),
        (
            {f"{SKETCH}__intersection": None},
            ["shift:sketch: intersection is missing; the shift covers 2 of 3 targets"],
        ),
        ({"outcomes__accuracy__clean_value": 0.5}, ["accuracy: clean_value is 0.5; only a shift has one"]),
        (
            {"outcomes__accuracy__intersection": {"n_classes": 3, "value": 37 / 60, "correct": [12, 15, 10]}},
            ["accuracy: intersection is there; only a shift has one"],
        ),
        (
            {"outcomes__accuracy__scale": "loss", "outcomes__accuracy__value": 7.0},
            ["accuracy: scale is 'loss'; a trained run measures 'accuracy'"],
        ),
        (
            {"outcomes__accuracy": {"value": 0.99, "chance": 1 / 3}},
            ["accuracy: no counts per class; a trained run has those of every class tested"],
        ),
        (
            {"outcomes__accuracy__classes": ["bus", "bee", "cat"]},
            ["accuracy: the classes do not stand in the order of the spec's targets"],
        ),
        (
            {f"{SKETCH}__classes": ["bus", "bee"]},
            ["shift:sketch: the classes do not stand in the order of the spec's targets"],
        ),
        (
            {"outcomes__accuracy__tested__2": 0, "outcomes__accuracy__correct__2": 0,
             "outcomes__accuracy__value": 27 / 40, "outcomes__accuracy__plain": 27 / 40},
            ["accuracy: class 'cat' has no clean test image"],
        ),
        (
            {f"{SKETCH}__intersection__correct": [5, 7], f"{SKETCH}__intersection__value": 0.6},
            ["shift:sketch: intersection has 5 correct for class 'bee'; 6 are right among all targets already"],
        ),
        (
            {f"{SKETCH}__intersection__correct": [11, 12]},
            [
                "shift:sketch: intersection has 11 correct of 10 tested for class 'bee'",
                "shift:sketch: intersection has 12 correct of 10 tested for class 'bus'",
            ],
        ),
        (
            {f"{SKETCH}__intersection": {"n_classes": 3, "value": 0.5, "correct": [8, 7]}},
            [
                "shift:sketch: intersection has n_classes 3; 2 classes were tested",
                "shift:sketch: intersection has value 0.5; its counts give 0.75",
            ],
        ),
        (
            {f"{SKETCH}__intersection": {"n_classes": 3, "value": 0.5, "correct": [8]}},
            [
                "shift:sketch: intersection has n_classes 3; 2 classes were tested",
                "shift:sketch: intersection has 1 classes of correct counts; needed 2",
            ],
        ),
        (
            {"outcomes__accuracy__correct": [21, 22, 10]},
            [
                "accuracy: class 'bee' has 21 correct of 20 tested",
                "accuracy: class 'bus' has 22 correct of 20 tested",
            ],
        ),
        (
            {"outcomes__robustness__plain": 0.5, "outcomes__robustness__clean_value": 0.5},
            [
                "robustness: plain is there; a mean over shifts has none",
                "robustness: clean_value is there; a mean over shifts has none",
            ],
        ),
        ({"status": "diverged"}, ["diverged, and has outcomes: accuracy, shift:sketch, robustness"]),
        ({"outcomes": {}}, ["completed, and has no outcome"]),
    ],
)  # fmt: skip
def test_faults_of_outcomes(changes: dict[str, Any], faults: list[str]) -> None:
    assert record_faults(edited(made_record(), **changes)) == faults


def test_missing_outcomes() -> None:
    record = made_record()
    missing = "{}: missing; the spec asks for it"
    assert record_faults(without(record, "accuracy")) == [missing.format("accuracy")]
    assert record_faults(without(record, "robustness")) == [missing.format("robustness")]
    lost = without(record, "shift:sketch")
    assert record_faults(lost) == [missing.format("shift:sketch")], "the mean over the shifts cannot be computed"
    assert record_faults(edited(lost, outcomes__robustness__value=0.9)) == [missing.format("shift:sketch")]
    assert record_faults(without(record, "accuracy", "shift:sketch", "robustness")) == ["completed, and has no outcome"]


def test_accuracy_over_a_part_of_the_targets() -> None:
    part = {"value": 0.675, "plain": 0.675, "classes": ["bee", "bus"], "tested": [20, 20], "correct": [12, 15]}
    record = edited(made_record(), outcomes__accuracy={**part, "chance": 1 / 3})
    assert record_faults(record) == ["accuracy: class 'cat' has no clean test image"]
    shift_of_cat = edited(record, **{f"{SKETCH}__classes": ["bee", "cat"], f"{SKETCH}__clean_value": 0.1})
    assert record_faults(shift_of_cat) == ["accuracy: class 'cat' has no clean test image"], "no clean value follows"


def test_invented_outcomes() -> None:
    record = made_record()
    known = "the spec gives no such outcome; it gives accuracy, shift:sketch, robustness"
    assert record_faults(with_outcomes(record, foo=Outcome(value=0.5))) == [f"foo: {known}"]
    extra = with_outcomes(record, shift_web=record.outcomes["shift:sketch"])
    assert record_faults(extra) == [f"shift:web: {known}"], "robustness is the mean over the spec's shifts"
    renamed = with_outcomes(without(record, "shift:sketch"), shift_web=record.outcomes["shift:sketch"])
    assert record_faults(renamed) == [f"shift:web: {known}", "shift:sketch: missing; the spec asks for it"]
    spec = made_spec()
    alone = spec.model_copy(
        update={"target": spec.target.model_copy(update={"shifts": {}}), "sources": {"photos": "sha256:00"}}
    )
    without_shifts = without(made_record(spec=alone), "shift:sketch", "robustness")
    assert record_faults(without_shifts) == []
    invented = with_outcomes(without_shifts, robustness=Outcome(value=0.5, chance=1 / 3))
    assert record_faults(invented) == ["robustness: the spec gives no such outcome; it gives accuracy"]


def test_a_shift_over_all_targets_has_no_intersection() -> None:
    inner = {"n_classes": 3, "value": 0.5, "correct": [6, 6, 3]}
    record = edited(whole_shift(made_record()), **{f"{SKETCH}__intersection": inner})
    assert record_faults(record) == ["shift:sketch: intersection is there; the shift covers every target"]


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        (
            {"data__stages__0__counts": [11, 9, 10]},
            [
                "stage 1: 11 images of class 'bee' from 'photos'; the spec asks for 10",
                "stage 1: 9 images of class 'bus' from 'photos'; the spec asks for 10",
            ],
        ),
        (
            {"configuration_id": "0" * 16, "data__stages__0__counts__0": 11},
            [
                "configuration_id 0000000000000000 is not the hash of its spec without seeds, {configuration}",
                "stage 1: 11 images of class 'bee' from 'photos'; the spec asks for 10",
            ],
        ),
        (
            {"outcomes__robustness__value": 0.9, "data__stages__0__image_steps": 5},
            [
                "stage 1: 5 image_steps; the spec asks for 600",
                f"robustness: value is 0.9; the mean over the shifts is {SHIFTED}",
            ],
        ),
        (
            {"data__stages__0__targets": ["bee", "ant"], "data__stages__0__counts__1": 12},
            [
                "stage 1: the targets are not the spec's: 'bus', 'cat' missing; 'ant' beyond it",
                "stage 1: 12 images of class 'bus' from 'photos'; the spec asks for 10",
            ],
        ),
        (
            {"data__stages__0__classes": ["bee", "bee", "cat"]},
            [
                "stage 1: class 'bee' of source 'photos' stands there twice",
                "stage 1: 0 images of class 'bus' from 'photos'; the spec asks for 10",
            ],
        ),
        ({"data__stages__0__counts": [0, 0, 0]}, ["stage 1: no images"]),
        ({"axes__samples_per_class": 20}, ["axis samples_per_class is 20; the spec says 10"]),
        (
            {"axes": {"profile": "zipf(exponent=1)", "others": "web:3x4", "blend": "web:0.5", "image_steps": 1,
                      "learning_rate": 0.3, "batch_size": 7, "epochs": 3, "mine": 1}},
            [
                "axis profile is 'zipf(exponent=1)'; the spec says 'balanced'",
                "axis others is 'web:3x4'; the spec says 'none'",
                "axis blend is 'web:0.5'; the spec has no blend",
                "axis image_steps is 1; the spec says 600",
                "axis learning_rate is 0.3; the spec says 0.1",
                "axis batch_size is 7; the spec says 128",
                "axis epochs is 3; 600 image_steps over 30 images are 20",
            ],
        ),
        (
            {"provenance": "published"},
            ["provenance is 'published'; a record with a spec and the cost of training it is 'trained'"],
        ),
    ],
)  # fmt: skip
def test_faults_of_ids_counts_and_axes(changes: dict[str, Any], faults: list[str]) -> None:
    good = made_record()
    names = {"run": good.run_id, "configuration": good.configuration_id}
    assert record_faults(edited(good, **changes)) == [fault.format(**names) for fault in faults]


def test_axes_that_the_spec_bears_out() -> None:
    axes = {"epochs": 20, "learning_rate": "0.1*(image_steps/600)^-0.5", "image_steps": 600, "batch_size": 128}
    assert record_faults(edited(made_record(), axes=axes)) == []
    others = [{"source": "sketches", "n_classes": 2, "samples_per_class": 5}]
    record = made_record(spec=made_spec(others=others, blend={"source": "sketches", "share": 0.3}))
    named = edited(record, axes={"others": "sketches:2x5", "blend": "sketches:0.3"})
    assert record_faults(named) == []
    assert record_faults(edited(named, axes__others="none", axes__blend="sketches:0.4")) == [
        "axis others is 'none'; the spec says 'sketches:2x5'",
        "axis blend is 'sketches:0.4'; the spec says 'sketches:0.3'",
    ]


def test_other_classes_are_compared_by_size() -> None:
    others = [{"source": "sketches", "n_classes": 3, "samples_per_class": 5}]
    record = made_record(spec=made_spec(others=others))
    stage = record.data.stages[0]
    counts = [7 if name.startswith("other/") else n for name, n in zip(stage.classes, stage.counts, strict=True)]
    rank = "stage 1: 7 images of other class {} by size from 'sketches'; the spec asks for 5"
    assert record_faults(edited(record, data__stages__0__counts=counts)) == [rank.format(n) for n in (1, 2, 3)]
    fewer = [0 if name.endswith("000000") else n for name, n in zip(stage.classes, stage.counts, strict=True)]
    (fault,) = record_faults(edited(record, data__stages__0__counts=fewer))
    assert fault == "stage 1: 2 other classes from 'sketches'; the spec asks for 3"


def test_no_fault_hides_another() -> None:
    changes = {
        "configuration_id": "0" * 16,
        "target_set": "photos/b",
        "data__stages__0__counts": [11, 9, 10],
        "data__stages__0__image_steps": 5,
        "outcomes__accuracy__value": 1.5,
        "outcomes__accuracy__plain": 0.5,
        f"{SKETCH}__chance": 0.5,
        f"{SKETCH}__clean_value": 0.5,
        f"{SKETCH}__intersection__value": 0.5,
        "outcomes__foo": {"value": 0.5},
        "outcomes__robustness__value": 0.9,
        "outcomes__robustness__chance": None,
        "axes__profile": "step",
        "seconds__load": -5.0,
        "energy": {},
        "started_at": "yesterday",
    }
    good = made_record()
    assert record_faults(edited(good, **changes)) == [
        "target_set 'photos/b' is not the spec's, 'photos/a'",
        f"configuration_id 0000000000000000 is not the hash of its spec without seeds, {good.configuration_id}",
        "stage 1: 5 image_steps; the spec asks for 600",
        "stage 1: 11 images of class 'bee' from 'photos'; the spec asks for 10",
        "stage 1: 9 images of class 'bus' from 'photos'; the spec asks for 10",
        "accuracy: value is 1.5; needed 0 to 1",
        f"accuracy: plain is 0.5; its counts give {CLEAN}",
        "shift:sketch: intersection has value 0.5; its counts give 0.75",
        "foo: the spec gives no such outcome; it gives accuracy, shift:sketch, robustness",
        f"robustness: value is 0.9; the mean over the shifts is {SHIFTED}",
        f"shift:sketch: chance is 0.5; 3 targets give {THIRD}",
        "shift:sketch: clean_value is 0.5; the clean counts give 0.675",
        "seconds.load is -5.0; needed 0 or more",
        "energy: neither joules nor a reason why there are none",
        "started_at is 'yesterday'; needed an ISO time with its zone, as in 2026-01-31T12:00:00+00:00",
        f"robustness: chance is missing; 3 targets give {THIRD}",
        "axis profile is 'step'; the spec says 'balanced'",
    ]


def test_reported_records_have_rules_of_their_own() -> None:
    columns = {"tokens": 5.0}
    name = content_id("table", {}, columns, {"valid": 7.0})
    record = RunRecord(
        run_id=name,
        configuration_id=name,
        study="table",
        provenance="imported",
        target_set="text",
        domain="text",
        data=Reported(indicators=columns, citation="A table"),
        outcomes={"valid": Outcome(value=7.0, scale="loss")},
    )
    assert record_faults(record) == []
    assert record_faults(record.model_copy(update={"run_id": "0" * 16})) == [
        f"run_id 0000000000000000 is not the hash of its content, {name}"
    ]


def test_what_lacks_a_part_is_written_and_named_by_check(tmp_path: Path) -> None:
    path = write_record(tmp_path, without(made_record(), "robustness"))
    assert check(tmp_path) == [f"{path}: robustness: missing; the spec asks for it"]
    with pytest.raises(RegistryError, match="contradicts itself: foo: the spec gives no such outcome"):
        write_record(tmp_path, with_outcomes(made_record(1), foo=Outcome(value=0.5)))
