"""Outcomes on other scales than accuracy: declared, fitted, scored and predicted in their own unit."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from synthetic import registry

from predictor.cli.fit_command import command
from predictor.errors import FitError, RegistryError
from predictor.fitting import fit_registry
from predictor.fitting.rows import rows_for, select
from predictor.models.scales import Scale
from predictor.prediction import predict
from predictor.records import write_record
from predictor.records.schema import Outcome, Reported, RunRecord, content_id


def table(outcome, scale: str, n: int = 80, study: str = "table") -> list[RunRecord]:
    """Somebody's table: three columns without names that we know, one row a configuration. outcome(a, b, c, noise)"""
    generator = np.random.default_rng(7)
    records = []
    for _ in range(n):
        a, b, c = 10 ** generator.uniform(3, 6), generator.uniform(0, 1), generator.uniform(0, 1)
        columns = {"tokens": float(a), "web": float(b), "code": float(c)}
        value = float(outcome(a, b, c, generator.normal()))
        name = content_id(study, {}, columns, {"valid": value})
        records.append(
            RunRecord(
                run_id=name,
                configuration_id=name,
                study=study,
                provenance="imported",
                target_set="text",
                domain="text",
                data=Reported(indicators=columns, citation="A table"),
                outcomes={"valid": Outcome(value=value, scale=scale)},
            )
        )
    return records


def power_law(a, b, c, noise):
    return 40 * a**-0.2 * np.exp(-0.3 * b + 0.02 * noise)


@given(
    st.sampled_from(["log", "loss", "identity"]),
    st.lists(st.floats(0.01, 1e4), min_size=3, max_size=20).filter(lambda values: np.ptp(values) > 1e-3),
)
def test_a_share_gives_its_value_back(name, values):
    scale = Scale.of(name, values)
    assert np.allclose(scale.values(scale.shares(values)), values, rtol=1e-6, atol=1e-6 * max(values))
    order = np.argsort(scale.shares(values), kind="stable")
    assert (np.diff(np.array(values)[order]) * (-1 if name == "loss" else 1) >= -1e-9).all()


def test_a_loss_is_fitted_on_the_log_scale_and_scored_in_its_own_unit():
    fit = fit_registry(table(power_law, "loss"), studies=["table"])
    values = [record.outcomes["valid"].value for record in table(power_law, "loss")]
    chosen = next(row for row in fit.validation if row["chosen"])
    assert chosen["scale"] == fit.content["outcomes"]["valid"]["scale"]["name"] == "loss"
    # the noise alone gives an error of 2 % of the value on average .8 of that; the mean errs by far more
    noise = 0.02 * np.sqrt(2 / np.pi) * float(np.mean(values))
    assert 0.6 * noise < chosen["mae"] < 1.8 * noise
    mean = next(row for row in fit.validation if row["family"] == "mean")
    assert mean["mae"] > 10 * chosen["mae"] and chosen["skill"]["mean"] > 0.98
    assert chosen["coverage_low"]["0.9"] < 0.9 < chosen["coverage_high"]["0.9"] + 0.02
    assert 2 * noise < chosen["width"]["0.9"] < 12 * noise


def test_an_identity_outcome_may_be_negative():
    fit = fit_registry(
        table(lambda a, b, c, noise: -50 + 5 * np.log(a) + 10 * b + noise, "identity"), studies=["table"]
    )
    chosen = next(row for row in fit.validation if row["chosen"])
    assert 0.6 < chosen["mae"] < 1.4 and chosen["r2"] > 0.97  # noise of standard deviation 1: .8


def test_what_a_scale_cannot_hold_is_said_with_the_reason():
    with pytest.raises(
        FitError, match=r"outcome valid: unknown outcome scale 'bits'; known: accuracy, logit, log, loss"
    ):
        fit_registry(table(power_law, "bits"), ["valid"], studies=["table"])
    told = r"valid: 1 of 80 runs have a value that scale 'loss' cannot hold \(first: run table/\w+: -3\); needed: a pos"
    with pytest.raises(RegistryError, match=told):
        records = table(power_law, "loss")
        spoilt = records[3].outcomes["valid"].model_copy(update={"value": -3.0})
        fit_registry([*records[:3], records[3].model_copy(update={"outcomes": {"valid": spoilt}}), *records[4:]],
                     ["valid"], studies=["table"])  # fmt: skip


def test_a_manifest_gets_a_loss_in_its_own_unit():
    """Counted runs that measured a loss beside the accuracy: both are predicted, only accuracies are compared."""
    records = []
    for record in registry(n_configurations=40, n_seeds=2):
        loss = 3 * float(np.exp(-2 * record.outcomes["accuracy"].value))
        outcomes = {**record.outcomes, "loss": Outcome(value=loss, scale="loss")}
        records.append(record.model_copy(update={"outcomes": outcomes}))
    fit = fit_registry(records, ["accuracy", "loss"])
    own = [record for record in records if record.target_set == "cifar100/a"]
    small, large = sorted(own, key=lambda r: r.outcomes["accuracy"].value)[:: len(own) - 1]
    found = predict(fit, {"small": small.distribution, "large": large.distribution}, target_set="cifar100/a")
    assert {item.outcome for item in found.comparisons} == {"accuracy"}
    by_name = {item.manifest: item.outcome("loss") for item in found.predictions}
    assert by_name["large"].scale == "loss" and by_name["large"].value < by_name["small"].value
    for name, record in (("small", small), ("large", large)):
        assert by_name[name].low < by_name[name].value < by_name[name].high
        assert by_name[name].value == pytest.approx(record.outcomes["loss"].value, rel=0.25)


def test_fit_prints_a_loss_in_its_own_unit(tmp_path):
    for record in table(power_law, "loss"):
        write_record(tmp_path, record)
    done = CliRunner().invoke(command, [str(tmp_path), "--study", "table", "--family", "linear", "--all"])
    assert done.exit_code == 0, done.output
    chosen = next(line for line in done.output.splitlines() if line.startswith("linear *"))
    values = [record.outcomes["valid"].value for record in table(power_law, "loss")]
    assert 0 < float(chosen.split()[2]) < 0.1 * np.mean(values)
    assert "on another scale in the outcome's unit" in done.output


def test_rows_of_one_outcome_share_one_scale():
    rows = rows_for(select(table(power_law, "loss"), ["table"]), "valid")
    assert {row.scale.name for row in rows} == {"loss"} and 0 < min(row.value for row in rows) < 0.5
