"""Held-out configurations on data seeds that a fit did not use, and robustness as the mean over shifts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic import registry

from predictor.fitting import fit_registry
from predictor.fitting.calibration import Calibrated, NewDraws
from predictor.fitting.configurations import configurations
from predictor.fitting.draws import crossed_parts, shared_seeds
from predictor.fitting.shifts import robustness_by_shift
from predictor.models.base import families
from predictor.models.by_shift import NAME
from predictor.models.case import Case
from predictor.models.links import logit
from predictor.models.rows import Row
from predictor.statistics.conformal import Residuals

NOTHING = np.empty(0)


def row(configuration: str, seed: int | None, value: float = 0.5, shifts: tuple[str, ...] = ()) -> Row:
    case = Case(None, {"n_samples": 10.0}, level="t", domain="d", shifts=shifts)
    return Row(case, f"{configuration}{seed}", configuration, "s", "t", "d", value, NOTHING, NOTHING, data_seed=seed)


def drawn(rows: list[Row]) -> list[tuple[set[str], set[str]]] | None:
    """(runs to fit on, runs to test) of each fold, a configuration a fold, in the order of their names."""
    configs = configurations(rows)
    order = [configs.names.index(name) for name in sorted(configs.names)]
    made = crossed_parts(rows, configs, [np.array([i]) for i in order])
    if made is None:
        return None
    for part in made:
        assert [configs.ids[i] for i in part.held] == part.configs.ids, "held are those that are tested"
    return [({r.run_id for r in part.fit_on}, {r.run_id for r in part.rows}) for part in made]


def test_a_seed_is_shared_by_configurations_not_by_runs() -> None:
    rows = [row("a", 0), row("a", 1), row("a", 1), row("b", 0), row("b", 2), row("c", 2), row("c", None)]
    assert shared_seeds(rows) == [0, 2]


def test_each_fold_leaves_out_a_configuration_and_a_draw() -> None:
    rows = [row(name, seed) for name in "abc" for seed in (0, 1)]
    assert drawn(rows) == [
        ({"b1", "c1"}, {"a0"}),
        ({"a0", "c0"}, {"b1"}),
        ({"a1", "b1"}, {"c0"}),
    ], "the draw that is left out changes from fold to fold; no run of it is fitted on"


def test_a_draw_that_nobody_else_has_is_new_anyway() -> None:
    rows = [row("a", 0), row("a", 7), row("b", 0), row("b", 1), row("c", 1)]
    found = drawn(rows)
    assert found[0] == ({"b1", "c1"}, {"a0", "a7"})
    assert found[1] == ({"a0", "a7"}, {"b1"})
    assert len(found) == 2, "of c no run has the draw that its fold leaves out"
    assert drawn([row("a", 0), row("b", 1)]) == [({"b1"}, {"a0"}), ({"a0"}, {"b1"})], "none is shared"


@pytest.mark.parametrize(
    "rows",
    [
        [row("a", 0), row("b", 0)],
        [row("a", 0), row("b", None), row("b", 1), row("a", 1)],
    ],
    ids=["one draw for all", "a draw that is not known"],
)
def test_where_no_draw_can_be_left_out_there_are_none(rows: list[Row]) -> None:
    assert drawn(rows) is None


def held(rows: list[Row], predicted: list[float], new: bool = True) -> Calibrated:
    """A family that said these accuracies of held-out configurations, and 0.1 less of new draws of the last ones."""
    configs, n = configurations(rows), len(predicted)
    said = np.array(predicted)
    draws = None
    if new:
        own = np.arange(1, n)
        draws = NewDraws(own, said[1:] - 0.1, np.zeros(n - 1), configs.measured[1:] + 0.01, own, own)
    return Calibrated(
        families()["mean"], {"kind": "linear", "features": ["x"]}, np.arange(n), said, np.zeros(n), configs.target_sets,
        configs.domains, np.arange(n), configs.measured, configs.seeds, said / 10, np.zeros(n), np.ones(n, bool),
        np.zeros(n), aside=np.zeros(n), new_draws=draws,
    )  # fmt: skip


def runs(values: list[float], shifts: list[tuple[str, ...]]) -> list[Row]:
    return [row(name, 0, value, own) for name, value, own in zip("abc", values, shifts, strict=True)]


BOTH, ONE = ("shift:x", "shift:y"), ("shift:x",)


def test_robustness_is_the_mean_over_the_shifts_that_a_run_was_tested_on() -> None:
    rows = runs([0.5, 0.6, 0.3], [BOTH, BOTH, ONE])
    own, configs = held(rows, [0.9, 0.9, 0.9]), configurations(rows)
    x, y = runs([0.6, 0.7, 0.3], [()] * 3), runs([0.4, 0.5, 0.2], [()] * 3)[:2]
    shifts = {
        "shift:x": (configurations(x), held(x, [0.5, 0.6, 0.4])),
        "shift:y": (configurations(y), held(y, [0.3, 0.2])),
    }
    found = robustness_by_shift(rows, configs, own, shifts, {"shift:x": {"t": ["cat"]}})
    assert found.family.name == NAME and found.parameters["tested"] == {"shift:x": {"t": ["cat"]}}
    assert found.predicted == pytest.approx([0.4, 0.4, 0.4]) and found.doubt == pytest.approx([0.04, 0.04, 0.04])
    assert found.residuals == pytest.approx(configs.logits - logit(np.array([0.4, 0.4, 0.4])))
    new = found.new_draws
    assert new.held.tolist() == [1, 2], "b with both shifts, c with its own"
    assert new.predicted == pytest.approx([0.3, 0.3]) and new.measured == pytest.approx([0.61, 0.31])
    assert new.residuals == pytest.approx(logit(np.array([0.61, 0.31])) - logit(np.array([0.3, 0.3])))
    assert new.seeds.tolist() == own.new_draws.seeds.tolist() and new.fold.tolist() == own.new_draws.fold.tolist()
    without = {**shifts, "shift:y": (shifts["shift:y"][0], replace(shifts["shift:y"][1], new_draws=None))}
    assert robustness_by_shift(rows, configs, own, without, {}).new_draws is None
    first = NewDraws(np.array([0]), *[np.array([0.2])] * 3, np.array([1]), np.array([1]))
    part = {**shifts, "shift:y": (shifts["shift:y"][0], replace(shifts["shift:y"][1], new_draws=first))}
    assert robustness_by_shift(rows, configs, own, part, {}).new_draws.held.tolist() == [2], "of b one shift is missing"


def test_a_shift_that_was_not_held_out_leaves_no_robustness() -> None:
    rows = runs([0.5, 0.6, 0.3], [BOTH, BOTH, BOTH])
    own, configs = held(rows, [0.9, 0.9, 0.9], new=False), configurations(rows)
    whole, part = runs([0.6, 0.7, 0.3], [()] * 3), runs([0.4, 0.5, 0.2], [()] * 3)[:2]
    x = configurations(whole), held(whole, [0.5, 0.6, 0.4])
    y = configurations(part), held(part, [0.3, 0.2])
    assert robustness_by_shift(rows, configs, own, {"shift:x": x, "shift:y": y}, {}) is None, "c has no shift:y"
    assert robustness_by_shift(rows, configs, own, {"shift:x": x, "shift:y": x}, {}).new_draws is None
    assert robustness_by_shift(rows, configs, own, {}, {}) is None
    bare = runs([0.5, 0.6, 0.3], [ONE, ONE, ()])
    assert robustness_by_shift(bare, configurations(bare), own, {"shift:x": x}, {}) is None, "c was tested on none"


def test_a_shift_that_few_configurations_have_takes_them_alone_out_of_robustness() -> None:
    """One new shift in four configurations made the robustness of all others something that no shift says."""
    records = registry(n_configurations=40, n_seeds=1)
    for at in range(4):
        outcomes = dict(records[at].outcomes)
        outcomes["shift:rare"] = outcomes.pop("shift:noise")
        records[at] = records[at].model_copy(update={"outcomes": outcomes})
    fit = fit_registry(records, processes=1)
    assert fit.outcomes["robustness"].configuration.family == NAME
    linear = fit_registry(records, family_names=["linear"], processes=1)
    for one in (fit, linear):
        assert one.content["left_out"].count("robustness: 4 runs left out: no model of shift:rare") == 1
    chosen = [r for r in fit.validation if r["outcome"] == "robustness" and r["chosen"]]
    assert next(r for r in chosen if r["split"] == "configuration")["n_configurations"] == 36


def test_intervals_are_wider_by_what_new_draws_add() -> None:
    stored = {"residuals": [0.1] * 9, "predicted": [0.5] * 9, "scale": {"tail": 0.0}}
    plain, wider = (Residuals.of(own).half_width(0.5, 0.9) for own in (stored, {**stored, "inflation": 1.4}))
    assert float(wider) == pytest.approx(1.4 * float(plain))


def test_intervals_are_made_of_the_designs_that_are_a_users() -> None:
    stored = {"residuals": [0.1] * 9 + [5.0] * 9, "predicted": [0.5] * 18, "groups": ["a"] * 18, "scale": {"tail": 0.0}}
    every, own = (Residuals.of({**stored, **more}) for more in ({}, {"calibrates": [True] * 9 + [False] * 9}))
    assert float(every.half_width(0.5, 0.9)) == pytest.approx(5.0)
    assert float(own.half_width(0.5, 0.9)) == pytest.approx(0.1) and len(own.scores) == 9
