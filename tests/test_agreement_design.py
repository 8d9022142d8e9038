"""Along the axes of the design, over target sets, in blocks, and how noise bounds it all."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import registry

from predictor.agreements import ALL_STATISTICS, Agreement, AgreementTable, agreement
from predictor.cli.agreement_command import command
from predictor.errors import RegistryError
from predictor.records import frame, write_record

RUNS = Path(__file__).parents[1] / "runs"
DRAWS = {"n_bootstrap": 300, "n_permutations": 300}


@pytest.fixture(scope="module")
def factorial() -> pd.DataFrame:
    """4 sizes x 3 numbers of other classes x 2 profiles x 2 seeds: size helps, others hurt, profiles do nothing."""
    rng = np.random.default_rng(0)
    rows = []
    for size in (10, 30, 100, 300):
        for others in (0, 10, 40):
            for profile in ("balanced", "step"):
                for seed in range(2):
                    rows.append(
                        {
                            "study": "s", "target_set": "t", "configuration_id": f"{size}-{others}-{profile}",
                            "run_id": f"{size}-{others}-{profile}-{seed}", "axis_samples_per_class": size,
                            "axis_others": others, "axis_profile": profile, "ind_n_samples": size * (10.0 + others),
                            "ind_size": float(size), "ind_others": float(others), "ind_skew": float(profile == "step"),
                            "out_accuracy": np.log(size) / 8 - 0.002 * others + rng.normal(0, 0.01),
                            "noise_accuracy": 0.005,
                        }
                    )  # fmt: skip
    return pd.DataFrame(rows)


def one(table: AgreementTable, **wanted: object) -> Agreement:
    (found,) = [row for row in table.rows if all(getattr(row, key) == value for key, value in wanted.items())]
    return found


def test_by_says_where_in_the_design_an_indicator_works(factorial: pd.DataFrame) -> None:
    table = agreement(factorial, by=["samples_per_class", "others", "profile"], statistics=["spearman"], **DRAWS)
    v = one(table, indicator="size", statistic="stratified_gamma", axis="samples_per_class")
    h = one(table, indicator="n_samples", statistic="stratified_gamma", axis="others")
    assert v.value == 1 and v.p < 0.01 and v.low is None and v.reason == "no discordant pair"
    assert h.value < -0.7 and h.p < 0.05, (
        "more samples by other classes hurt here, though samples rank the outcome well"
    )
    assert one(table, indicator="n_samples", statistic="spearman").value > 0.5
    for row in table.rows:
        if (row.statistic, row.axis) == ("stratified_gamma", "others") and row.indicator in ("size", "skew"):
            assert row.value is None and "differ in this axis alone" in row.reason
    for axis in ("samples_per_class", "others", "profile"):  # q is adjusted within an axis, whatever others are asked
        own = [row for row in table.rows if row.axis == axis]
        alone = agreement(factorial, by=[axis], statistics=["spearman"], **DRAWS)
        assert [row.q for row in own] == [row.q for row in alone.rows if row.axis == axis]
        assert any(row.q is not None for row in own)


def test_imbalance_is_compared_at_equal_size(factorial: pd.DataFrame) -> None:
    frame = factorial.copy()
    lost = frame["axis_profile"].eq("step") & frame["axis_samples_per_class"].eq(300)
    frame.loc[lost, "ind_n_samples"] -= 1  # a profile that takes images away
    equal, _ = (
        one(agreement(f, by=["profile"], statistics=["spearman"], **DRAWS), indicator="skew",
            statistic="stratified_gamma", axis="profile")
        for f in (frame, factorial)
    )  # fmt: skip
    accuracy = frame.groupby("configuration_id")["out_accuracy"].mean()
    pairs = [(s, o) for s in (10, 30, 100) for o in (0, 10, 40)]
    signs = [np.sign(accuracy[f"{s}-{o}-step"] - accuracy[f"{s}-{o}-balanced"]) for s, o in pairs]
    assert equal.value == pytest.approx(np.mean(signs)), "the nine strata of equal size, without those of 300"


def test_an_axis_that_does_not_vary_is_refused_by_name(factorial: pd.DataFrame) -> None:
    with pytest.raises(
        RegistryError, match=r"no axis 'other' varies in these runs. choose of samples_per_class, others"
    ):
        agreement(factorial, by=["other"])
    table = agreement(factorial[factorial["axis_others"].eq(0)].assign(axis_extra=0), by=["profile"], **DRAWS)
    assert one(table, indicator="size", statistic="stratified_gamma", axis="profile").reason


def test_every_statistic_of_the_design_has_a_value_or_a_reason(factorial: pd.DataFrame) -> None:
    table = agreement(factorial, statistics="all", **DRAWS)
    granulated = one(table, indicator="size", statistic="granulated_kendall")
    assert granulated.value == pytest.approx(1) and granulated.p < 0.05
    assert "samples_per_class 6 of 6, others 0 of 8, profile 0 of 12" in granulated.reason
    information = one(table, indicator="size", statistic="conditional_mutual_information")
    assert 0 <= information.value < 0.05 and "least given samples_per_class" in information.reason
    assert one(table, indicator="size", statistic="sign_error").value < 0.3
    no_axes = agreement(
        factorial.drop(columns=[c for c in factorial if c.startswith("axis_")]), statistics="all", **DRAWS
    )
    for name in ("granulated_kendall", "conditional_mutual_information", "sign_error_worst"):
        assert one(no_axes, indicator="size", statistic=name).reason == (
            "no axis of the grid varies over these configurations"
        )


def test_the_declared_direction_decides_what_a_wrong_sign_is(factorial: pd.DataFrame) -> None:
    """long_tail should hurt: where it grows and accuracy falls, no sign is wrong."""
    frame = factorial.rename(columns={"ind_size": "ind_long_tail@100"})
    frame["ind_long_tail@100"] *= -1
    table = agreement(frame, indicators=["long_tail@100"], statistics=["sign_error"], given=None, **DRAWS)
    same = agreement(factorial, indicators=["size"], statistics=["sign_error"], given=None, **DRAWS)
    assert table.rows[0].value == same.rows[0].value < 0.3


def test_noise_and_its_ceiling(factorial: pd.DataFrame) -> None:
    (noise,) = agreement(factorial, **DRAWS).noise
    assert noise.seed == pytest.approx(0.01, rel=0.4) and noise.binomial == pytest.approx(0.005)
    assert 0.99 < noise.ceiling <= 1 and (noise.n_configurations, noise.n_runs) == (24, 48)
    (alone,) = agreement(factorial.drop_duplicates("configuration_id"), **DRAWS).noise
    assert alone.ceiling is None and alone.reason == "no configuration was repeated"


def test_noise_comes_with_the_frame() -> None:
    records = registry(n_configurations=5, n_seeds=2)
    runs = frame(records)
    first = records[0].outcomes["accuracy"]
    share = np.array(first.correct) / np.array(first.tested)
    assert runs["noise_accuracy"].iloc[0] == pytest.approx(
        math.sqrt((share * (1 - share) / np.array(first.tested)).sum()) / len(share)
    )
    shifts = [c for c in runs if c.startswith("noise_shift:")]
    assert len(shifts) == 1 and runs["noise_robustness"].tolist() == runs[shifts[0]].tolist()


# ---- blocks and many tests -------------------------------------------------------------------------------------


def test_permutation_inside_blocks_sees_that_blocks_did_it() -> None:
    """Indicator and outcome both follow the number of steps and nothing else."""
    rng = np.random.default_rng(1)
    steps = np.repeat([1.0, 2, 3], 6)
    ids = [f"c{i}" for i in range(18)]
    runs = pd.DataFrame(
        {
            "study": "s", "target_set": "t", "configuration_id": ids, "run_id": ids, "axis_steps": steps,
            "ind_a": steps + rng.normal(0, 0.1, 18), "out_accuracy": steps + rng.normal(0, 0.1, 18),
        }
    )  # fmt: skip
    free = one(agreement(runs, **DRAWS), statistic="spearman")
    held = one(agreement(runs, blocks=["axis_steps"], **DRAWS), statistic="spearman")
    assert free.value == held.value and free.p < 0.01 and held.p > 0.05
    for name in ("kendall_tau_b", "gamma"):
        assert one(agreement(runs, blocks=["axis_steps"], **DRAWS), statistic=name).p > 0.05
    with pytest.raises(RegistryError, match=r"no column 'axis_step' to permute within. choose of axis_steps"):
        agreement(runs, blocks=["axis_step"])


def test_max_t_is_stricter_than_benjamini_hochberg_and_never_zero(factorial: pd.DataFrame) -> None:
    rates, joint = (agreement(factorial, adjust=a, **DRAWS) for a in ("benjamini_hochberg", "max_t"))
    for a, b in zip(rates.rows, joint.rows, strict=True):
        assert (a.value, a.p) == (b.value, b.p)
        if a.p is not None and a.statistic == "spearman":
            assert 0 < a.p <= b.q + 1e-9 and b.q <= 1
    with pytest.raises(RegistryError, match=r"unknown adjustment 'bonferroni'. choose of benjamini_hochberg, max_t"):
        agreement(factorial, adjust="bonferroni")


def test_false_discoveries_are_held() -> None:
    """5 true and 25 false indicators in 40 worlds: at most 5 % of what is called significant is false."""
    false = []
    for world in range(40):
        rng = np.random.default_rng(world)
        y = rng.normal(size=25)
        ids = [f"c{i}" for i in range(25)]
        columns = {f"ind_{k}": (y if k < 5 else 0) + rng.normal(size=25) for k in range(30)}
        runs = pd.DataFrame({"study": "s", "target_set": "t", "configuration_id": ids, "run_id": ids, "out_y": y})
        table = agreement(
            runs.assign(**columns), statistics=["spearman"], given=None, n_bootstrap=20, n_permutations=500
        )
        called = [int(row.indicator) for row in table.rows if row.q <= 0.05]
        false.append(sum(k >= 5 for k in called) / max(1, len(called)))
    assert np.mean(false) - 2 * np.std(false) / math.sqrt(40) <= 0.05


# ---- over target sets ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def several() -> pd.DataFrame:
    """Five target sets at different levels; in the last the indicator works the other way."""
    rng = np.random.default_rng(2)
    parts = []
    for number in range(5):
        x = rng.normal(size=14)
        sign = -1 if number == 4 else 1
        ids = [f"{number}-{i}" for i in range(14)]
        parts.append(
            pd.DataFrame(
                {
                    "study": "s", "target_set": f"t{number}", "configuration_id": ids, "run_id": ids, "ind_a": x,
                    "ind_n_samples": rng.normal(size=14), "provenance": "trained",
                    "out_accuracy": 10 * number + sign * x + 0.5 * rng.normal(size=14),
                }
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def test_target_sets_are_pooled_as_estimates(several: pd.DataFrame) -> None:
    table = agreement(several, indicators=["a"], **DRAWS)
    rows = {(row.target_set, row.statistic): row for row in table.pooled if row.given is None}
    pooled = rows["(pooled)", "spearman"]
    assert pooled.low < pooled.value < pooled.high and pooled.n_configurations == 70
    assert rows["(pooled)", "i_squared"].value > 0.6
    without = {key[0]: row.value for key, row in rows.items() if "without" in key[0] and key[1] == "spearman"}
    assert len(without) == 5 and max(without, key=without.get) == "(without t4)" and without["(without t4)"] > 0.75
    (summary,) = table.pooled_rows()
    assert summary["without_one"] == (min(without.values()), max(without.values())) and summary["n_target_sets"] == 5
    assert summary["verdict"] == "undecided: few target sets", "the fifth target set forbids to say more"
    agreeing = agreement(several[several["target_set"].ne("t4")], indicators=["a"], **DRAWS)
    (summary,) = agreeing.pooled_rows()
    assert summary["verdict"] == "predicts" and summary["i_squared"] < 0.5


def test_reported_and_trained_runs_are_not_mixed(several: pd.DataFrame) -> None:
    reported = several["target_set"].isin(["t0", "t1"])
    several = several.assign(
        study=np.where(reported, "paper", "ours"), provenance=np.where(reported, "published", "trained")
    )
    pooled = [r for r in agreement(several, indicators=["a"], **DRAWS).pooled if r.target_set == "(pooled)"]
    assert {(row.study, row.n_configurations) for row in pooled} == {("paper", 28), ("ours", 42)}


def test_one_target_set_is_not_pooled(several: pd.DataFrame) -> None:
    table = agreement(several[several["target_set"].eq("t0")], **DRAWS)
    assert table.pooled == () and table.pooled_rows() == [] and not len(table.pooled_frame())


# ---- any frame -------------------------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["t", "u"]), st.sampled_from([0.0, 1.0, 2.0, 5.0, float("nan")]),
            st.sampled_from([0.0, 1.0, 3.0, float("nan")]), st.sampled_from([0.1, 0.2, 0.5, 0.9, float("nan")]),
            st.sampled_from(["a", "b", None]), st.sampled_from([1, 2]),
        ),
        min_size=1, max_size=14,
    )
)  # fmt: skip
@settings(max_examples=60)
def test_any_frame_gives_numbers_or_reasons(rows) -> None:
    runs = pd.DataFrame(rows, columns=["target_set", "ind_n_samples", "ind_b", "out_y", "axis_p", "axis_q"])
    runs["study"], runs["run_id"] = "s", [f"r{i}" for i in range(len(runs))]
    runs["configuration_id"] = runs["run_id"]
    table = agreement(runs, statistics=ALL_STATISTICS, by=[], n_bootstrap=50, n_permutations=50)
    for row in [*table.rows, *table.pooled]:
        numbers = (row.value, row.low, row.high, row.p, row.q, row.tied_share)
        assert not any(v is not None and not math.isfinite(v) for v in numbers), row
        assert row.reason or None not in numbers[:5], row
        assert row.p is None or 0 < row.p <= 1
        assert row.low is None or row.low <= row.high
        assert row.value is not None or (row.low, row.high, row.p) == (None, None, None)


# ---- the command -----------------------------------------------------------------------------------------------


EVERY = sorted(part.parent.name for part in RUNS.glob("*/runs-001.parquet"))
ALL_STUDIES = pytest.param([w for name in EVERY for w in ("--study", name)], marks=pytest.mark.slow, id="every study")


@pytest.mark.parametrize("studies", [["--study", "first-look"], ALL_STUDIES])
@pytest.mark.parametrize("words", [[], ["--all"], ["--by", "samples_per_class", "--by", "others", "--by", "profile"]])
def test_pages_fit_a_terminal(words, studies) -> None:
    done = CliRunner().invoke(command, [str(RUNS), "--draws", "100", *studies, *words])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert len(lines) > 100 and not [line for line in lines if len(line) > 120][:3]


def test_json_holds_everything_and_no_nan() -> None:
    words = ["--study", "first-look", "--study", "published-table3", "--format", "json", "--outcome", "accuracy"]
    done = CliRunner().invoke(command, [str(RUNS), "--draws", "100", *words])
    content = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert set(content) == {"schema_version", "rows", "pooled", "noise", "notes"}
    statistics = {row["statistic"] for row in content["rows"]}
    assert statistics == {*ALL_STATISTICS, "partial_spearman"}
    along = {row["axis"] for row in content["rows"] if row["statistic"] == "stratified_gamma"}
    assert {"samples_per_class", "profile"} <= along
    assert all(row["value"] is None for row in content["rows"]
               if row["statistic"] == "stratified_gamma" and row["axis"] is None), "no value along any"  # fmt: skip
    assert not [row for row in content["rows"] if row["axis"] is not None and row["statistic"] != "stratified_gamma"]
    assert {(row["statistic"], row["given"] is None) for row in content["pooled"]} == {
        ("spearman", True), ("partial_spearman", False), ("i_squared", True), ("i_squared", False)
    }  # fmt: skip
    assert all(row["p"] is None or row["p"] > 0 for row in content["rows"] + content["pooled"])


def test_command_errors_say_what_to_do(tmp_path: Path) -> None:
    for record in registry(n_configurations=2, n_seeds=2):
        write_record(tmp_path, record.model_copy(update={"status": "diverged", "outcomes": {}}))
    few = (str(RUNS), "--study", "first-look")
    for words, message in [
        ([str(tmp_path)], "all 4 runs diverged, so that no outcome was measured. lower recipe.learning_rate"),
        ([*few, "--by", "steps"], "no axis 'steps' varies in these runs. choose of samples_per_class"),
        ([*few, "--within", "steps"], "no column 'axis_steps' to permute within"),
        ([*few, "--given", "size"], "no indicator 'size' in these runs"),
    ]:
        done = CliRunner().invoke(command, words)
        assert isinstance(done.exception, RegistryError) and message in str(done.exception)


def test_plot_shows_every_indicator(several: pd.DataFrame) -> None:
    figure = agreement(several, **DRAWS).plot()
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert sorted(labels) == ["a", "n_samples"]
