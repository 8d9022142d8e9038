"""Claims: planted laws give their verdicts, what is missing is planned exactly, and a null is shown, not assumed."""

from __future__ import annotations

import json
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from claims_made import as_the_paper, start, trained
from click.testing import CliRunner

from predictor.claims import ClaimsReport
from predictor.claims import claims as every_claim
from predictor.claims.alike import Close, Larger
from predictor.claims.configurations import EQUAL_EPOCHS, EQUAL_STEPS, close, groups, schedules
from predictor.claims.evidence import clusters
from predictor.cli import predictor
from predictor.cli.claims_command import command
from predictor.errors import PredictorError
from predictor.grids import load_grid
from predictor.records import RunRecord, write_record
from predictor.spec import RunSpec

NAMES = ["C1", "C2", "C2-none", *(f"C{n}" for n in range(3, 8))]


def claims(records, *, names=NAMES) -> ClaimsReport:
    """The paper's claims; what people repeat is in tests/test_practice.py."""
    return every_claim(records, names=names)


def grid_runs(report: ClaimsReport, folder: Path):
    path = folder / "missing.yaml"
    path.write_text(report.missing_grid() or "")
    return load_grid(path).runs


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[RunRecord]:
    """A start, and the runs that were missing, trained."""
    records = trained(start(), as_the_paper)
    runs = grid_runs(claims(records), tmp_path_factory.mktemp("claims"))
    return records + trained(runs, as_the_paper)


@pytest.fixture(scope="module")
def report(whole) -> ClaimsReport:
    return claims(whole)


def verdicts(report: ClaimsReport) -> dict[str, str]:
    return {result.claim: result.verdict for result in report.results}


def test_nothing_is_decided_before_and_all_is_planned(tmp_path) -> None:
    records = trained(start(), as_the_paper)
    before = claims(records)
    assert set(verdicts(before).values()) == {"undecided"} and list(verdicts(before)) == NAMES
    assert all(result.missing and result.missing.n_runs and result.reason for result in before.results)
    assert all(result.missing.further_target_sets == 0 for result in before.results)
    runs = grid_runs(before, tmp_path)
    ids = {run.spec.run_id for run in runs}
    assert len(ids) == len(runs) and not any(ids == {record.run_id} for record in records)
    for report in (
        replace(before, results=(result,)) for result in before.results
    ):  # each claim's own grid is as long as it says, but for configurations that are half there
        (result,) = report.results
        own = {run.spec.run_id for run in grid_runs(report, tmp_path)}
        assert len(own - {record.run_id for record in records}) == result.missing.n_runs
        assert own <= ids


def test_the_planned_runs_decide_every_claim_as_planted(whole, report) -> None:
    assert verdicts(report) == {
        "C1": "supported",
        "C2": "contradicted",  # a doubling of size gives 9 points, as many other classes 5
        "C2-none": "supported",
        "C3": "supported",
        "C4": "supported",
        "C5": "supported",
        "C6": "supported",
        "C7": "contradicted",  # deleting in proportion shrinks the smallest class, truncating does not
    }
    assert all(result.missing is None for result in report.results)
    why = {result.claim: result.reason for result in report.results if result.reason}
    assert set(why) == {"C2", "C7"} and "H against V" in why["C2"]
    assert why["C7"].startswith("truncated against deleted in proportion (accuracy) +")
    assert report.missing_grid() is None
    effects = {result.claim: result.effect for result in report.results}
    assert effects["C1"] == pytest.approx(0.09, abs=0.005)  # per doubling: .04 + .05
    assert effects["C2"] == pytest.approx(0.05 - 0.09, abs=0.005)
    assert effects["C4"] == pytest.approx(-0.05, abs=0.005)
    assert effects["C5"] == pytest.approx(0, abs=0.005)
    assert "of what both bring" in next(r.note for r in report.results if r.claim == "C6")
    for result in report.results:
        against = [part.contradicts for part in result.parts if part.contradicts is not None]
        for_it = max(part.supports for part in result.parts)
        expected = for_it if result.verdict == "supported" else len(against) * min(against)
        assert result.p == pytest.approx(expected), "all parts must hold; one of so many may fail"
        assert result.low < result.effect < result.high and 0 < result.p <= result.p_adjusted < 0.05
        assert set(result.run_ids) <= {record.run_id for record in whole}
        assert result.n_runs == len(result.run_ids) and result.n_target_sets == 6


def test_a_null_is_supported_by_equivalence_and_never_by_noise(whole) -> None:
    runs = [run for run in map(_planned, whole)]
    noisy = trained(runs, as_the_paper, noise=0.08)
    result = next(r for r in claims(noisy).results if r.claim == "C5")
    part = result.parts[0]
    assert part.low < 0 < part.high, "not significant"
    assert result.verdict == "undecided" and "holds both answers" in result.reason
    hurt = trained(runs, lambda spec: as_the_paper(spec) - 0.002 * np.ptp(_counts(spec)))
    assert next(r for r in claims(hurt).results if r.claim == "C5").verdict == "contradicted"


def test_a_wrong_verdict_is_rare(monkeypatch) -> None:
    """No effect of size at all, much noise by target set: 'raises' may come out in one of 40 (two-sided 5 %)."""
    monkeypatch.setattr("predictor.claims.results.missing", lambda *_: None)  # plans no runs: it takes the longest
    wrong = 0
    runs = start(grid=[{"target_set": [f"set-{n}" for n in range(6)], "samples_per_class": [20, 40]}], seeds=[0])
    for world in range(120):
        effects = {f"set-{n}": np.random.default_rng([world, n]).normal(0, 0.05) for n in range(6)}
        records = trained(runs, lambda spec, of=effects: 0.5 + of[spec.target.name] * (_size(spec) == 40))
        (result,) = claims(records, names=["C1"]).results
        wrong += result.parts[0].supports < 0.05 and result.effect > 0
    assert wrong <= 9  # binomial(120, .025): more than 9 in one of 1,000


def test_effects_are_per_doubling_and_of_all_seeds() -> None:
    names = [f"set-{n}" for n in range(6)]
    runs = start(grid=[{"target_set": names, "samples_per_class": [20, 80]}], seeds=[0, 1, 2])
    records = trained(runs, lambda spec: 0.3 + 0.02 * np.log2(_size(spec)) * (1 + spec.seeds.data), noise=0.0)
    (result,) = claims(records, names=["C1"]).results
    assert result.effect == pytest.approx(0.04), "two doublings; .02, .04 and .06 in the three seeds"
    assert result.n_runs == len(records) == 36


def test_what_is_missing_is_planned_with_three_seeds(tmp_path) -> None:
    runs = start(grid=[{"target_set": [f"set-{n}" for n in range(6)], "samples_per_class": [20, 80]}], seeds=[0])
    planned = grid_runs(claims(trained(runs, as_the_paper), names=["C2"]), tmp_path)
    by_configuration: dict[str, set[int]] = {}
    for run in planned:
        by_configuration.setdefault(run.spec.configuration_id, set()).add(run.spec.seeds.data)
    assert by_configuration and all(seeds == {0, 1, 2} for seeds in by_configuration.values())


def test_five_target_sets_give_no_verdict_and_say_how_many_more(tmp_path) -> None:
    records = trained(start(5), as_the_paper)
    records += trained(grid_runs(claims(records), tmp_path), as_the_paper)
    report = claims(records)
    assert set(verdicts(report).values()) == {"undecided"}
    for result in report.results:
        assert result.missing.further_target_sets == 1 and result.missing.n_runs == 0
        assert result.p is None and "5 of 6 target sets" in result.reason
    assert report.missing_grid() is None


def test_runs_in_two_studies_count_once_and_seeds_are_no_evidence(whole, report) -> None:
    once = report
    twice = claims([*whole, *(record.model_copy(update={"study": "again"}) for record in whole)])
    assert [r.effect for r in once.results] == [r.effect for r in twice.results]
    assert [r.p for r in once.results] == [r.p for r in twice.results]
    assert all(r.n_target_sets == 6 for r in once.results), "18 seeds of a pair are 6 target sets"


def test_target_sets_that_share_classes_are_one_piece_of_evidence(whole) -> None:
    renamed = []
    for record in whole:
        if record.target_set == "set-0":
            spec = RunSpec.model_validate(record.spec)
            target = spec.target.model_copy(update={"name": "set-0/again"})
            spec = spec.model_copy(update={"target": target})
            renamed += trained([_planned(record, spec)], as_the_paper)
    report = claims([*whole, *renamed])
    assert all(result.n_target_sets == 6 for result in report.results)
    assert report.results[0].parts[0].target_sets.keys() == {*(f"set-{n}" for n in range(6)), "set-0/again"}
    assert clusters([]) == {}


def alike(name: str, classes: str, source: str = "s") -> SimpleNamespace:
    target = SimpleNamespace(test=SimpleNamespace(source=source), classes=tuple(classes))
    return SimpleNamespace(target_set=name, spec=SimpleNamespace(target=target))


@pytest.mark.parametrize(
    ("sets", "together"),
    [
        ({"a": "01", "b": "12", "c": "34"}, {"a": "a", "b": "a", "c": "c"}),
        ({"all": "0123", "b": "01", "c": "23"}, {"b": "b", "c": "c"}),  # it spans two that share nothing
        ({"a": "01", "b": "12", "c": "23"}, {"a": "a", "c": "c"}),
        ({"a": "01", "b": "12", "c": "02"}, {"a": "a", "b": "a", "c": "a"}),
        ({"a": "01", "b": "12", "c": "23", "d": "30"}, {"a": "a", "c": "c"}),  # a ring, one after another
    ],
)
def test_one_that_spans_others_makes_no_cluster_of_them(sets, together) -> None:
    assert clusters([alike(name, classes) for name, classes in sets.items()]) == together
    apart = clusters([alike(name, classes, name) for name, classes in sets.items()])
    assert apart == {name: name for name in sets}, "classes of other sources are others"


def test_what_cannot_be_used_is_said(whole) -> None:
    published = [whole[0].model_copy(update={"spec": None})]
    diverged = [whole[1].model_copy(update={"status": "diverged", "outcomes": {}})]
    report = claims([*published, *diverged])
    assert set(verdicts(report).values()) == {"undecided"} and report.missing_grid() is None
    assert sorted(report.unused.values()) == [1, 1]
    assert all("needs 6 target sets" in result.reason for result in report.results)


def test_an_effect_surely_below_the_margin_is_none(whole) -> None:
    runs = start(grid=[{"target_set": [f"set-{n}" for n in range(6)], "samples_per_class": [20, 40]}])
    small = trained(runs, lambda spec: 0.5 + 0.006 * (_size(spec) == 40), noise=0.0005)
    part = claims(small).results[0].parts[0]
    assert part.supports < 0.05 and part.contradicts < 0.05, "above 0 and below one point"
    everything = trained(
        [_planned(record) for record in whole], lambda spec: 0.5 + 0.006 * np.log2(_mean(spec)), 0.0005
    )
    result = claims(everything).results[0]
    assert result.verdict == "contradicted" and 0 < result.effect < result.margin


def test_holm_is_over_all_claims_whichever_are_asked_for(whole, report) -> None:
    every = {result.claim: result for result in report.results}
    (alone,) = claims(whole, names=["C3"]).results
    assert alone.p_adjusted == every["C3"].p_adjusted and alone.verdict == every["C3"].verdict
    half = [record for record in whole if not RunSpec.model_validate(record.spec).stages[0].data.profile.edits]
    tested = claims(half).results  # C6 and C7 have no runs: they count with p = 1, so that no verdict falls later
    first = min((result for result in tested if result.p is not None), key=lambda result: result.p)
    assert sum(result.p is None for result in tested) == 2
    assert first.p_adjusted == pytest.approx(8 * first.p)


def test_unknown_claim() -> None:
    with pytest.raises(PredictorError, match="no claim 'C9'; "):
        claims([], names=["C9"])


def test_command(whole, tmp_path) -> None:
    for record in trained(start(), as_the_paper):
        write_record(tmp_path / "runs", record)
    grid = tmp_path / "m.yaml"
    done = CliRunner().invoke(command, [str(tmp_path / "runs"), "--missing", str(grid), "--claim", "C7"])
    assert done.exit_code == 0 and f"{grid}: written" in done.stderr
    assert "C7     undecided" in done.stdout and "54 runs on set-0" in done.stdout
    assert len(load_grid(grid).runs) == 54
    told = CliRunner().invoke(command, [str(tmp_path / "runs"), "--format", "json"])
    rows = json.loads(told.stdout)["claims"]
    rows = rows[: len(NAMES)]  # what people repeat stands below
    assert [row["claim"] for row in rows] == NAMES
    assert {"target_set", "effect", "low", "high", "margin", "verdict", "n_runs", "run_ids", "missing"} <= set(rows[0])
    assert rows[-1]["missing"]["n_runs"] == 54
    wide = {"COLUMNS": "200"}
    everything = CliRunner().invoke(command, [str(tmp_path / "runs"), "--all"], env=wide).stdout
    assert "truncated against deleted in proportion" in everything and max(map(len, everything.splitlines())) <= 200
    for form in ("csv", "markdown"):
        assert CliRunner().invoke(command, [str(tmp_path / "runs"), "--format", form]).exit_code == 0


OWN = """
from predictor.claims import RAISES, Claim, Part, difference, register

def find(group):
    group = [c for c in group if c.single]
    for less in group:
        for more in group:
            if more.data == less.data and more.image_steps == 2 * less.image_steps:
                yield difference("twice the steps", less, more, less)

parts = (Part("twice the steps", RAISES),)
register(Claim(name="steps", question="Do twice the steps raise accuracy?", parts=parts, find=find))
"""


def test_an_own_claim_from_a_file(whole, tmp_path, monkeypatch) -> None:
    from predictor.claims import registry

    monkeypatch.setattr(registry, "_CLAIMS", dict(registry._CLAIMS))
    for record in whole:
        write_record(tmp_path / "runs", record)
    (tmp_path / "own.py").write_text(OWN)
    words = ["--load", str(tmp_path / "own.py"), "claims", str(tmp_path / "runs"), "--claim", "steps"]
    done = CliRunner().invoke(predictor, words)
    assert done.exit_code == 0, done.output
    assert "steps  supported" in done.stdout
    effect = float(done.stdout.splitlines()[1].split()[2])
    assert effect == pytest.approx(2.0, abs=0.2)  # points
    with pytest.raises(PredictorError, match="a claim 'C1' exists already"):
        registry.register(registry.PAPER[0])


def _planned(record: RunRecord, spec: RunSpec | None = None):
    from predictor.grids import PlannedRun

    spec = spec or RunSpec.model_validate(record.spec)
    return PlannedRun(spec=spec, axes=record.axes, target_set=spec.target.name, domain=record.domain)


def _counts(spec: RunSpec) -> list[int]:
    from predictor.spec import target_counts

    return list((target_counts(spec) or target_counts(spec, 0)).values())


def _size(spec: RunSpec) -> int:
    return spec.stages[0].data.samples_per_class


def _mean(spec: RunSpec) -> float:
    return float(np.mean(_counts(spec)))


def test_the_next_larger_is_found_as_among_all_pairs() -> None:
    axes = {"samples_per_class": [5, 6, 8, 9, 13, 20, 40], "image_steps": [3000, 3020, 4500, 6000, 24000]}
    ((own),) = groups(trained(start(1, grid=[{"target_set": "set-0", **axes}], seeds=[0]), as_the_paper))[0]
    larger = Larger(own, attrgetter("id"))
    seen = 0
    for base in own:
        for schedule in (EQUAL_STEPS, EQUAL_EPOCHS):
            pairs = [c for c in own if c.size >= 1.5 * base.size and schedule in schedules(base, c)]
            found = larger.of(base, schedule, 1.5 * base.size)
            assert found is min(pairs, key=lambda c: (c.size, c.id), default=None)
            seen += found is not None
        either = [c for c in own if c.size >= 1.5 * base.size and schedules(base, c)]
        assert larger.as_long(base, 1.5 * base.size, whatever=False) is min(
            either, key=lambda c: (c.size, c.id), default=None
        )
        near = [c for c in own if close(c.n_samples, base.n_samples)]
        assert Close(own, attrgetter("n_samples")).near(base.n_samples) == near
    assert seen > 30
