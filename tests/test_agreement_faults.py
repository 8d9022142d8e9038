"""The agreement table where the data is awkward: every gap has a reason, and no request moves another's numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from predictor.agreements import Agreement, AgreementTable, agreement
from predictor.cli.agreement_command import command
from predictor.errors import RegistryError
from predictor.records import frame, read_registry

RUNS = Path(__file__).parents[1] / "runs"


@pytest.fixture
def runs() -> pd.DataFrame:
    """10 configurations x 2 seeds in one target set."""
    generator = np.random.default_rng(0)
    size = np.repeat(np.arange(1.0, 11), 2)
    return pd.DataFrame(
        {
            "study": "s",
            "target_set": "t",
            "configuration_id": [f"c{v:.0f}" for v in size],
            "run_id": [f"r{i}" for i in range(20)],
            "ind_n_samples": size,
            "ind_a": np.repeat(generator.normal(size=10), 2),
            "ind_b": np.repeat(generator.integers(0, 3, 10).astype(float), 2),
            "out_accuracy": size / 20 + generator.normal(0, 0.2, 20),
            "out_robustness": generator.normal(size=20),
        }
    )


def only(table: AgreementTable, **wanted: object) -> Agreement:
    (row,) = [row for row in table.rows if all(getattr(row, key) == value for key, value in wanted.items())]
    return row


def test_perfect_but_for_ties_has_no_interval_in_any_statistic() -> None:
    table = agreement(frame(read_registry(RUNS, ["published-table3"])))
    for k in (500, 100):
        rows = [r for r in table.rows if r.indicator == f"long_tail@{k}" and r.outcome == "accuracy" and not r.given]
        assert len(rows) == 3
        for row in rows:  # rho -.91 and -.87 are as extreme as the ties allow
            assert (row.low, row.high) == (None, None) and row.p is not None
            assert row.reason is not None and ("no concordant pair" in row.reason or "perfect" in row.reason)


def test_what_else_is_asked_for_moves_no_number(runs: pd.DataFrame) -> None:
    runs.loc[:1, "ind_b"] = np.nan  # c1 lacks b
    wanted = {"indicator": "a", "outcome": "robustness", "statistic": "spearman"}
    alone = only(agreement(runs, indicators=["a"], outcomes=["robustness"], statistics=["spearman"]), **wanted)
    among = only(agreement(runs, given="b"), **wanted)
    changing = ("q",)  # adjusted over the whole table
    for name in Agreement.__dataclass_fields__:
        assert name in changing or getattr(alone, name) == getattr(among, name), name
    partial = only(agreement(runs, given="b"), **{**wanted, "statistic": "partial_spearman"})
    assert (partial.n_configurations, partial.n_runs) == (9, 18)
    summary = agreement(runs, given="b").by_indicator().set_index(["outcome", "indicator"])
    assert summary.loc[("robustness", "a"), "n_configurations"] == 10


def test_the_number_of_seeds_breaks_no_tie(runs: pd.DataFrame) -> None:
    """(0.1 + 0.1 + 0.1) / 3 is not 0.1 in floating point."""
    third = runs.iloc[:6].assign(run_id=[f"x{i}" for i in range(6)])
    both = pd.concat([runs, third]).assign(ind_b=0.1)
    assert sum([0.1] * 3) / 3 != 0.1
    row = only(agreement(both, indicators=["b"], statistics=["spearman"], given=None), outcome="accuracy")
    assert row.value is None and row.reason == "the indicator is 0.1 in every configuration"


def test_another_seed_moves_the_draws_and_not_the_value(runs: pd.DataFrame) -> None:
    wanted = {"indicator": "a", "outcome": "accuracy", "statistic": "spearman"}
    a, b = (only(agreement(runs, seed=s, statistics=["spearman"]), **wanted) for s in (0, 1))
    assert a.value == b.value and (a.low, a.high, a.p) != (b.low, b.high, b.p)


def test_one_changed_outcome_changes_the_table(runs: pd.DataFrame) -> None:
    before = agreement(runs).rows
    runs.loc[0, "out_accuracy"] = 2.0
    after = agreement(runs).rows
    changed = {(b.indicator, b.outcome) for b, a in zip(before, after, strict=True) if b.value != a.value}
    assert {outcome for _, outcome in changed} == {"accuracy"}
    assert ("n_samples", "accuracy") in changed


def test_target_sets_are_judged_apart(runs: pd.DataFrame) -> None:
    """Two levels with a falling trend in each would look like a rising one when pooled."""
    other = runs.assign(target_set="u", configuration_id=runs["configuration_id"] + "u", run_id=runs["run_id"] + "u")
    for part, shift in ((runs, 0), (other, 100)):
        part["ind_a"] = part["ind_n_samples"] + shift
        part["out_accuracy"] = shift - part["ind_n_samples"]
    both = pd.concat([runs, other])
    table = agreement(both, indicators=["a"], outcomes=["accuracy"], statistics=["spearman"], given=None)
    assert [(row.target_set, row.value) for row in table.rows] == [("t", -1.0), ("u", -1.0)]


def test_an_outcome_that_is_not_measured_has_a_reason_when_named(runs: pd.DataFrame) -> None:
    runs["out_robustness"] = np.nan
    assert {row.outcome for row in agreement(runs).rows} == {"accuracy"}
    for row in agreement(runs, outcomes=["robustness"]).rows:
        assert row.value is None and row.reason == "0 configurations with both values; at least 2 are needed"


def test_a_target_set_without_any_outcome_is_not_silent(runs: pd.DataFrame) -> None:
    rows = agreement(runs.assign(out_accuracy=np.nan, out_robustness=np.nan)).rows
    assert rows and all(row.reason for row in rows)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_fewer_than_four_configurations(runs: pd.DataFrame, n: int) -> None:
    table = agreement(runs.iloc[: 2 * n])
    for row in table.rows:
        assert row.low is None and row.high is None and row.reason
        assert row.p is None or 0 < row.p <= 1
    assert table.notes == (f"s/t: n = {n} configurations can show no rank correlation",)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("target_set", None, "frame: no target_set in 2 runs, first r0. drop or name them"),
        ("configuration_id", None, "frame: no configuration_id in 2 runs, first r0"),
        ("ind_n_samples", np.inf, "frame: column 'ind_n_samples' is infinite in 2 runs, first r0"),
        ("out_accuracy", -np.inf, "frame: column 'out_accuracy' is infinite in 2 runs, first r0"),
    ],
)
def test_rows_are_refused_and_not_dropped(runs: pd.DataFrame, column: str, value: object, message: str) -> None:
    runs.loc[:1, column] = value
    with pytest.raises(RegistryError, match=message):
        agreement(runs, indicators=["a"], given="n_samples")


def test_no_runs_is_an_error(runs: pd.DataFrame) -> None:
    with pytest.raises(RegistryError, match="there are no runs"):
        agreement(runs.iloc[:0])


def test_results_are_frozen_and_the_frame_has_the_columns_of_the_contract(runs: pd.DataFrame) -> None:
    table = agreement(runs)
    with pytest.raises(AttributeError):
        table.rows[0].value = 1.0  # type: ignore[misc]
    assert table.to_frame().columns.tolist() == [
        "study", "target_set", "indicator", "outcome", "statistic", "given", "axis", "value", "low", "high", "p", "q",
        "n_configurations", "n_runs", "tied_share", "reason",
    ]  # fmt: skip


def test_the_command_counts_what_it_leaves_out_and_shows_it_with_all() -> None:
    words = [str(RUNS), "--study", "published-table2", "--outcome", "accuracy"]
    assert "fewer than 4 configurations" in CliRunner().invoke(command, [*words, "--all"]).stdout
    printed = CliRunner().invoke(command, words).stdout
    assert max(map(len, printed.splitlines())) <= 120
