"""One gate for every reader of outcomes: what a scale cannot hold is refused everywhere, in the same words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import registry, with_accuracy

from predictor.agreements import agreement
from predictor.claims import claims
from predictor.errors import PredictorError
from predictor.fitting import fit_registry
from predictor.planning.pilots.read import read_pilots
from predictor.records import RunRecord, frame, write_record

RECORDS = [r for r in registry(n_configurations=20, n_seeds=2) if r.target_set == "cifar100/a"]
READERS = {
    "fit": lambda records: fit_registry(records, ["accuracy"], ["linear"]),
    "frame": frame,
    "claims": claims,
    "pilots": read_pilots,
}


def in_per_cent(record: RunRecord) -> RunRecord:
    return with_accuracy(record, 100 * record.outcomes["accuracy"].value)


def refusal(reader: str, records) -> str | None:
    try:
        READERS[reader](records)
    except PredictorError as error:
        return error.problem
    return None


@given(st.sets(st.integers(0, len(RECORDS) - 1)))
@settings(max_examples=20)
def test_accuracies_in_per_cent_pass_no_reader(chosen):
    records = [in_per_cent(r) if i in chosen else r for i, r in enumerate(RECORDS)]
    said = {refusal(reader, records) for reader in ("frame", "claims", "pilots")}
    if not chosen:
        assert said == {None}
        return
    assert len(said) == 1
    assert (
        f"accuracy: {len(chosen)} of {len(RECORDS)} runs have a value that scale 'accuracy' cannot hold" in said.pop()
    )
    assert "needed: a fraction, 0 to 1" in refusal("fit", records)


def test_a_registry_on_disk_passes_the_same_gate(tmp_path):
    write_record(tmp_path, RECORDS[0])
    for record in [*RECORDS[1:4], *map(in_per_cent, RECORDS[4:])]:  # by a tool that is not ours: ours would refuse
        (tmp_path / record.study / f"{record.run_id}.json").write_text(record.to_json())
    for read in (frame, claims):
        with pytest.raises(PredictorError, match=f"{len(RECORDS) - 4} of {len(RECORDS)} runs have a value that scale"):
            read(tmp_path)


@pytest.mark.parametrize("reader", READERS)
def test_one_outcome_on_two_scales_is_refused(reader):
    loss = RECORDS[0].outcomes["shift:noise"].model_copy(update={"scale": "loss"})
    mixed = RECORDS[0].model_copy(update={"outcomes": {**RECORDS[0].outcomes, "shift:noise": loss}})
    assert f"shift:noise is on several scales: accuracy in {len(RECORDS) - 1} runs, loss in 1 runs" in refusal(
        reader, [mixed, *RECORDS[1:]]
    )


@given(st.floats(0.1, 5.0), st.sampled_from(["n_target_samples", "mean_log_count", "gini"]))
@settings(max_examples=10)
def test_the_direction_of_a_loss_travels_into_every_statistic(times, indicator):
    """A falling function of the accuracy, on the scale 'loss', tells the same story as the accuracy itself."""

    def with_loss(record):
        value = -times * float(np.log(max(record.outcomes["accuracy"].value, 1e-3)))
        loss = record.outcomes["accuracy"].model_copy(update={"value": max(value, 1e-9), "scale": "loss"})
        return record.model_copy(update={"outcomes": {"accuracy": record.outcomes["accuracy"], "loss": loss}})

    table = frame([with_loss(record) for record in RECORDS])
    assert table["scale_loss"].unique().tolist() == ["loss"] and "scale_accuracy" not in table
    # of logs of means and means of logs the order may differ: one seed a configuration
    table = table.drop_duplicates("configuration_id")
    found = agreement(table, indicators=[indicator], statistics="all", n_bootstrap=20, n_permutations=50)
    by_outcome = {name: [r for r in found.rows if r.outcome == name] for name in ("accuracy", "loss")}
    for a, b in zip(*by_outcome.values(), strict=True):
        assert a.statistic == b.statistic
        if not a.statistic.startswith("sign_error"):  # weighed by test-image noise, which a loss does not state
            assert a.value == pytest.approx(b.value), a.statistic
    assert any("loss is better when small" in note for note in found.notes)
