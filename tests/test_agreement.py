"""The agreement table: golden values of the paper's Table 3, units of evidence, and reasons."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from predictor.agreements import agreement
from predictor.cli.agreement_command import command
from predictor.errors import RegistryError
from predictor.records import frame, read_registry

RUNS = Path(__file__).parents[1] / "runs"

# Table 3 of the paper, statistics computed from its rows with scipy 1.17 (PAPER.md)
GOLDEN = [
    ("accuracy", "n_samples", 0.2845, 0.1972, 0.2000),
    ("accuracy", "left_skew@5", -0.4937, -0.3662, -0.3714),
    ("accuracy", "long_tail@500", -0.9083, -0.8333, -1.0),
    ("accuracy", "long_tail@100", -0.8660, -0.7454, -1.0),
    ("robustness", "n_samples", 0.5523, 0.4789, 0.4857),
    ("robustness", "left_skew@5", -0.1757, -0.1409, -0.1429),
    ("robustness", "long_tail@500", -0.7156, -0.6333, -0.7600),
    ("robustness", "long_tail@100", -0.6062, -0.5217, -0.7000),
]


def made(n: int = 12, seeds: int = 3, seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    size = np.repeat(np.arange(1.0, n + 1), seeds)
    return pd.DataFrame(
        {
            "study": "s",
            "target_set": "t",
            "configuration_id": [f"c{int(v)}" for v in size],
            "run_id": [f"r{i}" for i in range(n * seeds)],
            "ind_n_samples": size,
            "ind_noise": np.repeat(generator.normal(size=n), seeds),
            "ind_constant": 1.0,
            "out_accuracy": size / 20 + generator.normal(0, 0.05, n * seeds),
        }
    )


def pick(table, **wanted):
    (row,) = [r for r in table.rows if all(getattr(r, k) == v for k, v in wanted.items())]
    return row


@pytest.fixture(scope="module")
def table3():
    return agreement(frame(read_registry(RUNS, ["published-table3"])))


@pytest.mark.parametrize(("outcome", "indicator", "rho", "tau", "gamma"), GOLDEN)
def test_golden_values(table3, outcome, indicator, rho, tau, gamma) -> None:
    for statistic, want in (("spearman", rho), ("kendall_tau_b", tau), ("gamma", gamma)):
        row = pick(table3, outcome=outcome, indicator=indicator, statistic=statistic)
        assert row.value == pytest.approx(want, abs=5e-5)
        assert row.n_configurations == row.n_runs == 9
        assert 0 < row.p <= row.q <= 1


def test_perfect_gamma_is_exact_has_no_interval_and_keeps_its_p(table3) -> None:
    for k, ties in (("500", 11), ("100", 16)):
        row = pick(table3, outcome="accuracy", indicator=f"long_tail@{k}", statistic="gamma")
        assert row.value == -1.0
        assert row.low is None and row.reason.startswith("perfect agreement")
        assert row.p < 0.05
        assert row.tied_share == pytest.approx(ties / 36)


def test_seeds_are_no_evidence() -> None:
    """Copies of every seed change neither value nor interval nor p; they only raise the number of runs."""
    frame = made()
    copies = frame.assign(run_id=frame["run_id"] + "b")
    once, twice = agreement(frame), agreement(pd.concat([frame, copies]))
    a, b = (pick(t, indicator="n_samples", statistic="spearman") for t in (once, twice))
    assert (a.value, a.low, a.high, a.p) == (b.value, b.low, b.high, b.p)
    assert (a.n_configurations, a.n_runs, b.n_runs) == (12, 36, 72)


def test_same_seed_same_interval_and_other_frames_other_values() -> None:
    assert agreement(made()).rows == agreement(made()).rows
    perturbed = made()
    perturbed["out_accuracy"] = perturbed["out_accuracy"].to_numpy()[::-1].copy()
    a, b = (pick(agreement(f), indicator="n_samples", statistic="spearman") for f in (made(), perturbed))
    assert a.value > 0.9 and b.value < -0.9


def test_a_planted_confounder_is_caught() -> None:
    """x follows size and nothing else; held at equal size its agreement is gone."""
    generator = np.random.default_rng(5)
    frame = made(n=40, seeds=1)
    size = frame["ind_n_samples"].to_numpy()
    frame["ind_noise"] = size + generator.normal(0, 6, 40)
    frame["out_accuracy"] = size / 50 + generator.normal(0, 0.1, 40)
    table = agreement(frame)
    raw = pick(table, indicator="noise", statistic="spearman")
    partial = pick(table, indicator="noise", statistic="partial_spearman")
    assert raw.value > 0.6 and raw.p < 0.01
    assert abs(partial.value) < 0.4 and partial.given == "n_samples" and partial.low < 0 < partial.high
    verdicts = table.by_indicator().set_index("indicator")["verdict"]
    assert verdicts["noise"] == "predicts only through size" and verdicts["n_samples"] == "predicts"


def test_undefined_has_a_reason_and_nothing_is_nan() -> None:
    frame = made()
    frame.loc[frame.index[:6], "ind_noise"] = np.nan  # two configurations lack it
    table = agreement(frame)
    assert pick(table, indicator="constant", statistic="gamma").reason == "the indicator is 1 in every configuration"
    assert pick(table, indicator="noise", statistic="gamma").n_configurations == 10
    for row in table.rows:
        numbers = [row.value, row.low, row.high, row.p, row.q]
        assert not any(n is not None and np.isnan(n) for n in numbers)
        assert row.reason or None not in numbers
    tied = made()
    tied["out_accuracy"] = 0.5
    assert pick(agreement(tied), indicator="noise", statistic="spearman").reason.startswith("the outcome is 0.5")
    few = made(n=3)
    row = pick(agreement(few), indicator="noise", statistic="spearman")
    assert (row.low is None and "fewer than 4 configurations" in row.reason) or row.reason.startswith("perfect")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.assign(run_id="r0"), "35 runs stand twice, first r0"),
        (lambda f: f.assign(ind_noise=np.inf), "column 'ind_noise' is infinite in 36 runs, first r0"),
        (lambda f: f.drop(columns="study"), "missing column 'study'"),
        (lambda f: f.drop(columns="out_accuracy"), "these runs have no outcome"),
    ],
)
def test_bad_frames(change, message) -> None:
    with pytest.raises(RegistryError, match=message):
        agreement(change(made()))


def test_no_minus_zero_and_one_way_to_print_a_probability() -> None:
    from predictor.render.agreement import agreement_lines

    row = {"indicator": "gini", "spearman": -0.001, "q": 0.0004, "tied_share": None, "verdict": None,
           "n_configurations": 9, "n_runs": 9}  # fmt: skip
    line = agreement_lines([row], 0.95)[0]
    assert line["rho"] == "+0.00" and line["q"] == "< .001"


def test_unknown_names() -> None:
    with pytest.raises(RegistryError, match="no indicator 'nois' in these runs"):
        agreement(made(), indicators=["nois"])
    with pytest.raises(RegistryError, match="unknown statistic 'pearson'"):
        agreement(made(), statistics=["pearson"])


def test_command_in_every_format() -> None:
    words = [str(RUNS), "--study", "published-table3"]
    rows = json.loads(CliRunner().invoke(command, [*words, "--format", "json"]).stdout)["rows"]
    assert {row["statistic"] for row in rows} >= {"spearman", "gamma", "somers_d", "granulated_kendall", "sign_error"}
    assert set(rows[0]) == {
        "study", "target_set", "indicator", "outcome", "statistic", "given", "axis", "value", "low", "high", "p", "q",
        "n_configurations", "n_runs", "tied_share", "reason",
    }  # fmt: skip
    printed = CliRunner().invoke(command, words).stdout
    assert "n = 9 configurations find |rho| >= 0.82" in printed
    best = next(line for line in printed.splitlines() if line.startswith("long_tail@500"))
    assert best.split() == ["long_tail@500", "-0.91", "-", "-0.92", ".011", "31%", "9", "9", "predicts"]
    assert "no interval: no concordant pair (long_tail@500, long_tail@100)" in printed
    everything = CliRunner().invoke(command, [*words, "--all"]).stdout
    assert "-0.9083" in everything and "-1.0000" in everything
    assert CliRunner().invoke(command, [*words, "--format", "csv"]).stdout.startswith("kind,study,target_set,indicator")
    assert "### published-table3" in CliRunner().invoke(command, [*words, "--format", "markdown"]).stdout
