"""Registry -> frame: a row a run, each distribution computed once."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pandas as pd
import pytest
from records_filled import filled
from records_made import edited, made_record, made_spec

from predictor import records
from predictor.errors import RegistryError
from predictor.records import (
    frame,
    pack,
    read_registry,
    write_record,
)
from predictor.records.indicator_inputs import probes_of
from predictor.records.schema import Reported
from predictor.statistics.binomial import binomial_noise


def test_frame_has_a_row_per_run(tmp_path: Path) -> None:
    made = [made_record(seed, spec=made_spec(seed, n)) for seed in (0, 1) for n in (10, 20)]
    reported = edited(
        made[0],
        provenance="published",
        spec=None,
        data=json.loads(Reported(indicators={"n_samples": 7}, citation="A paper").model_dump_json()),
        environment=None,
    )
    table = frame([*made, reported])
    assert table["run_id"].tolist() == [record.run_id for record in [*made, reported]]
    assert table["ind_n_samples"].tolist() == [30, 60, 30, 60, 7]
    assert table["ind_samples_per_class"].tolist()[:4] == [10, 20, 10, 20]
    assert math.isnan(table["ind_samples_per_class"].iloc[4])
    assert table["out_accuracy"].tolist() == [record.outcomes["accuracy"].value for record in [*made, reported]]
    first = table.iloc[0]
    assert (first["spec_model"], first["spec_image_size"], first["spec_image_steps"]) == ("predictor_small", 32, 600)
    assert (first["spec_learning_rate"], first["env_device"], first["axis_profile"]) == (0.1, "cpu", "balanced")
    known = ("axis_", "spec_", "ind_", "out_", "noise_", "env_")
    assert all(c.startswith(known) for c in table.columns[8:])


def test_frame_computes_once_per_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    import predictor.indicators

    calls = []
    compute = predictor.indicators.compute
    monkeypatch.setattr(predictor.indicators, "compute", lambda *a: (calls.append(a), compute(*a))[1])
    table = frame([made_record(seed) for seed in range(5)], ["n_samples"])
    assert len(calls) == 1
    assert [c for c in table.columns if c.startswith("ind_")] == ["ind_n_samples"]


def test_what_runs_share_is_parsed_once_and_gives_the_same_records(tmp_path):
    """The reader of many records against the reader of one, on records of every kind and on damaged texts."""
    from predictor.records.parsing import SharedParser

    parser = SharedParser()
    records = [made_record(seed).model_copy(update={"spec": made_spec(seed).content()}) for seed in range(3)]
    parsed = [parser.parse(record.to_json()) for record in records]
    assert parsed == records and [r.to_json() for r in parsed] == [r.to_json() for r in records]
    assert parsed[0].data is parsed[1].data and parsed[0].spec["target"] is parsed[1].spec["target"]
    text = records[0].to_json()
    for mark in (',"spec":{', ',"seeds":{', ',"data":{', ',"outcomes":{', ',"environment":{', ',"started_at":'):
        assert mark in text and parser.parse(text.replace(mark, mark.replace('"', '" ', 1))) is None
    for cut in range(1, len(text), 37):
        assert parser.parse(text[:cut]) is None, cut
    assert parser.parse(text.replace('"schema_version":1', '"schema_version":2')) is None
    assert parser.parse(text.replace('"kind":"counted"', '"kind":"guessed"')) is None
    named = records[0].model_copy(update={"axes": {'a,"data":{': 'b,"outcomes":{"', "c": ',"seeds":{'}})
    assert parser.parse(named.to_json()) == named


SHIPPED = Path(__file__).parents[1] / "runs"
SOME = ("first-look", "pretrained-frozen", "published-table3")  # of each kind of record
STUDIES = pytest.mark.parametrize("studies", [pytest.param(SOME, id="some"),
                                              pytest.param(None, marks=pytest.mark.slow, id="all")])  # fmt: skip


@STUDIES
def test_a_frame_does_not_depend_on_what_its_records_share(studies) -> None:
    """Records that share their parts in memory against copies that share nothing, and against each record alone."""
    shared = read_registry(SHIPPED, studies)
    apart = [records.RunRecord.model_validate_json(record.to_json()) for record in shared]
    assert shared[-1].data is shared[-2].data or len({id(record.data) for record in shared}) < len(shared)
    table, same = frame(shared), frame(apart)
    pd.testing.assert_frame_equal(table, same, check_exact=True)
    assert table.attrs == same.attrs
    for row in range(0, len(shared), 97):
        alone, found = frame([shared[row]]).iloc[0], table.iloc[row]
        for name in table.columns:
            value, wanted = found[name], alone.get(name)
            assert (pd.isna(value) and (wanted is None or pd.isna(wanted))) or value == wanted, name
        for name, outcome in shared[row].outcomes.items():
            if outcome.tested and all(outcome.tested):
                assert found[f"noise_{name}"] == pytest.approx(binomial_noise(outcome.correct, outcome.tested), 1e-12)


@STUDIES
def test_a_frame_of_the_shipped_registry_is_the_frame_of_its_records(studies, tmp_path: Path) -> None:
    """Straight from files against record by record."""
    for path in SHIPPED.iterdir():
        if path.is_dir() and (studies is None or path.name in studies):
            shutil.copytree(path, tmp_path / path.name)
    shutil.copy(SHIPPED / "probes.json", tmp_path)
    probed = frame(read_registry(tmp_path), probes=probes_of(tmp_path))
    pd.testing.assert_frame_equal(frame(tmp_path), probed, check_exact=True)


def test_a_frame_of_a_folder_is_the_frame_of_its_records(tmp_path: Path) -> None:
    """The same of made records as JSON, packed and mixed."""
    filled(tmp_path)
    as_json = frame(tmp_path)
    pd.testing.assert_frame_equal(as_json, frame(read_registry(tmp_path)), check_exact=True)
    part = pack(tmp_path, "demo")
    assert part
    pd.testing.assert_frame_equal(frame(tmp_path), as_json, check_exact=True)
    write_record(tmp_path, read_registry(tmp_path)[0])  # stands in the part too
    write_record(tmp_path, made_record(77))
    mixed = frame(tmp_path, ["n_samples"])
    assert len(mixed) == len(as_json) + 1 and mixed["run_id"].is_monotonic_increasing
    pd.testing.assert_frame_equal(mixed, frame(read_registry(tmp_path), ["n_samples"]), check_exact=True)
    (tmp_path / "demo" / "0.json").write_text(made_record(78).to_json().replace(',"held_out":false', ""))
    assert len(frame(tmp_path)) == len(mixed) + 1  # a record that leaves out what is the default


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"status":"completed"', '"status":"perfect"'),
        ('"counts":[', '"counts":[-1,'),
        ('"correct":[', '"correct":[-1,'),
        ('"correct":[', '"correct":[3,'),
        ('"value":0', '"value":"much'),
        ('"run_id":"', '"run_id":"x'),
        ('"axes":{', '"axis":{'),
        ('"provenance":"', '"provenance":"un'),
    ],
)
def test_a_frame_of_a_folder_names_damaged_records(tmp_path: Path, old: str, new: str) -> None:
    filled(tmp_path)
    path = max((tmp_path / "demo").glob("[!.]*.json"))
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    for damage in (path.read_bytes(), path.read_bytes()[:300], b"null", b"\xff", b""):
        path.write_bytes(damage)
        with pytest.raises(RegistryError, match=path.name):
            frame(tmp_path)
    path.unlink()
    pack(tmp_path, "demo")
    next((tmp_path / "demo").glob("runs-*.parquet")).write_bytes(b"PAR1")
    with pytest.raises(RegistryError, match=r"runs-001\.parquet: not a readable part"):
        frame(tmp_path)
    with pytest.raises(RegistryError, match="no study 'other'"):
        frame(tmp_path, studies=["other"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(RegistryError, match="no run records"):
        frame(tmp_path / "empty")
