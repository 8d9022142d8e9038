"""Costs and environments of records, and specs that tell configurations apart."""

from __future__ import annotations

from typing import Any

import pytest
from records_made import edited, made_record, made_spec

from predictor.records import record_faults
from predictor.records.rules.record import contradictions
from predictor.records.rules.specs import Specs
from predictor.spec import canonical_json, spec_id


def test_one_reader_of_specs_tells_seeds_and_configurations_apart() -> None:
    """What is kept for the seeds of a configuration must not speak for another record."""
    profile = {"shape": "step", "ratio": 4, "share": 0.5}
    specs = Specs()
    for seed in range(3):
        good = made_record(spec=made_spec(seed, profile=profile))
        good = edited(good, axes={})
        assert record_faults(good, specs) == []
        turned = edited(good, data__stages__0__counts=list(good.data.stages[0].counts[::-1]))
        if turned != good:
            assert len(record_faults(turned, specs)) == 2
        assert record_faults(edited(made_record(seed), data__stages__0__counts__0=9), specs) == [
            "stage 1: 9 images of class 'bee' from 'photos'; the spec asks for 10"
        ]
        assert record_faults(made_record(seed), specs) == []
    assert record_faults(edited(made_record(0), spec__seeds__data=1), specs)[0].startswith("run_id ")
    assert record_faults(edited(made_record(0), spec__protocol=True), specs), "true is no 1"


def test_a_spec_that_is_none() -> None:
    record = edited(made_record(), spec__model__head=1, spec__recipe__learning_rate=-1)
    faults = record_faults(record)
    assert [fault.split(" is not")[0].split(" ")[0] for fault in faults[:2]] == ["run_id", "configuration_id"]
    assert faults[2:] == [
        "the spec is not one: model.head: Input should be greater than or equal to 2",
        "the spec is not one: recipe.learning_rate: Input should be greater than 0",
    ]
    seedless = edited(made_record(), spec__seeds={"data": -1, "training": 0})
    assert seedless.spec is not None
    assert record_faults(seedless) == [
        f"run_id {seedless.run_id} is not the hash of its spec, {spec_id(canonical_json(seedless.spec))}",
        "the spec is not one: seeds.data: Input should be greater than or equal to 0",
    ]
    impossible = made_spec(profile={"shape": "explicit", "counts": [1, 2]})
    record = made_record().model_copy(update={"spec": impossible.content(), "axes": {}, "run_id": impossible.run_id})
    record = record.model_copy(update={"configuration_id": impossible.configuration_id})
    text = "the spec's counts cannot be planned (profile explicit names 2 counts for 3 classes)"
    assert record_faults(record) == [f"stage 1: {text}"]


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({"seconds": None}, ["seconds: missing; a trained run states it"]),
        ({"environment": None}, ["environment: missing; a trained run states it"]),
        (
            {"seconds": {"load": -5.0, "evaluate": -1.0}},
            ["seconds.load is -5.0; needed 0 or more", "seconds.evaluate is -1.0; needed 0 or more"],
        ),
        (
            {"images_per_second": 1e12},
            ["images_per_second is 1000000000000.0; 600 image_steps in 2.0 seconds give 300.0"],
        ),
        ({"images_per_second": 100.0}, ["images_per_second is 100.0; 600 image_steps in 2.0 seconds give 300.0"]),
        (
            {"images_per_second": 9.0, "seconds__train": 0.0},
            ["images_per_second is 9.0; 0 seconds of training give none"],
        ),
        ({"images_per_second": -1.0}, ["images_per_second is -1.0; needed more than 0"]),
        (
            {"status": "diverged", "outcomes": {}, "images_per_second": 300.0},
            ["images_per_second is 300.0; a diverged run states none"],
        ),
        ({"energy": {"joules": -3.0}}, ["energy: joules is -3.0; needed 0 or more"]),
        ({"energy": {}}, ["energy: neither joules nor a reason why there are none"]),
        (
            {"energy": {"joules": 3.0, "reason": "no meter"}},
            ["energy: 3.0 joules, and a reason why there are none (no meter)"],
        ),
        ({"peak_memory_bytes": -1}, ["peak_memory_bytes is -1; needed more than 0"]),
        (
            {"environment__threads": -1, "environment__micro_batch": 0},
            ["environment: threads is -1; needed 1 or more", "environment: micro_batch is 0; needed 1 or more"],
        ),
        (
            {"started_at": "yesterday"},
            ["started_at is 'yesterday'; needed an ISO time with its zone, as in 2026-01-31T12:00:00+00:00"],
        ),
        (
            {"started_at": "2026-01-01T00:00:00"},
            ["started_at is '2026-01-01T00:00:00'; needed an ISO time with its zone, as in 2026-01-31T12:00:00+00:00"],
        ),
        (
            {"ended_at": "2025-12-31T23:59:59+00:00"},
            ["ended_at is '2025-12-31T23:59:59+00:00', before started_at, '2026-01-01T00:00:00+00:00'"],
        ),
        ({"data_report": {"n_bad_images": 99}}, ["data_report: n_bad_images is 99; 0 are named, needed 99"]),
        (
            {"data_report": {"n_bad_images": 1, "bad_images": ["a", "b"]}},
            ["data_report: n_bad_images is 1; 2 are named, needed 1"],
        ),
        (
            {"data_report": {"converted_images": ["a", "b"], "n_converted": {"16-bit": 1}}},
            ["data_report: n_converted counts 1 images; 2 are named"],
        ),
        (
            {"data_report": {"converted_images": ["a"], "n_converted": {"16-bit": 5}}},
            ["data_report: n_converted counts 5 images of one kind; only 1 are named"],
        ),
    ],
)
def test_faults_of_costs(changes: dict[str, Any], faults: list[str]) -> None:
    record = edited(made_record(), **changes)
    assert record_faults(record) == faults
    assert contradictions(record) == [], "a strange cost does not keep a trained run from being written"


def test_costs_that_are_sound() -> None:
    report = {
        "n_bad_images": 250,
        "bad_images": ["a"] * 100,
        "converted_images": ["b"],
        "n_converted": {"x": 1, "y": 1},
    }
    sound = {"images_per_second": 301.0, "energy": {"joules": 0.0, "shared_by": 2}, "peak_memory_bytes": 1}
    record = edited(made_record(), **sound, data_report=report, ended_at="2026-01-01T01:00:00.5+00:00")
    assert record_faults(record) == []
