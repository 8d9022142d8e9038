"""Claims by domain: whether an effect differs between them, and a verdict for each where it does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from claims_made import start, trained
from scipy import stats

from predictor.claims import ClaimsReport, claims
from predictor.claims.registry import registered
from predictor.records import RunRecord
from predictor.spec import RunSpec

HOMES = {"photos": (6, 0.08, 0.01), "drawings": (7, -0.06, 0.03)}  # target sets, effect of twice the images, its spread


def runs_of(
    homes: dict[str, tuple[int, float, float]], seed: int = 0, sizes: tuple[int, int] = (20, 40)
) -> list[RunRecord]:
    """Runs at two sizes on target sets of several domains; what more images bring is drawn by target set."""
    n = sum(sets for sets, _, _ in homes.values())
    names = [f"set-{number}" for number in range(n)]
    home = dict(zip(names, [domain for domain, (sets, _, _) in homes.items() for _ in range(sets)], strict=True))
    generator = np.random.default_rng(seed)
    effects = {name: generator.normal(*homes[home[name]][1:]) for name in names}

    def law(spec: RunSpec) -> float:
        return 0.5 + effects[spec.target.name] * (spec.stages[0].data.samples_per_class == sizes[1])

    grid = [
        {"target_set": names, "samples_per_class": sizes[0]},
        {
            "target_set": names,
            "samples_per_class": sizes[1],
            "image_steps": [6000, 12_000],
        },  # as many steps, and epochs
    ]
    planned = start(n, grid=grid, seeds=[0])
    return trained([replace(run, domain=home[run.target_set]) for run in planned], law, noise=0.0)


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_planned() -> Iterator[None]:
    """What is missing is no matter of these tests, and takes the longest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("predictor.claims.results.missing", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def records() -> list[RunRecord]:
    return runs_of(HOMES)


@pytest.fixture(scope="module")
def report(records) -> ClaimsReport:
    return claims(records, names=["C1"])


def test_whether_an_effect_differs_is_welchs_test_over_target_sets(report) -> None:
    whole = report.results[0]
    home = [domain for domain, (sets, _, _) in HOMES.items() for _ in range(sets)]
    effects = np.array([whole.parts[0].target_sets[f"set-{number}"] for number in range(len(home))])
    groups = [effects[np.array(home) == domain] for domain in HOMES]
    assert whole.domain is None and whole.parts[0].outcome == "accuracy"
    assert whole.differs == pytest.approx(stats.ttest_ind(*groups, equal_var=False).pvalue)


def test_each_domain_has_a_verdict_of_its_own_target_sets(records, report) -> None:
    rows = {result.domain: result for result in report.results}
    assert list(rows) == [None, "drawings", "photos"]
    assert {domain: rows[domain].verdict for domain in HOMES} == {"photos": "supported", "drawings": "contradicted"}
    for domain, (sets, _, _) in HOMES.items():
        own = rows[domain]
        (alone,) = claims([record for record in records if record.domain == domain], names=["C1"]).results
        assert (own.effect, own.p, own.n_target_sets) == (alone.effect, alone.p, sets)
        assert own.differs is None and set(own.run_ids) == set(alone.run_ids)


def test_a_verdict_of_a_domain_counts_all_domains_and_all_claims(report) -> None:
    """Holm over the paper's claims; of one domain, its p times the number of domains stands for the claim's own."""
    n_claims = sum(not claim.families for claim in registered().values())
    for own in report.results[1:]:
        assert own.p * len(HOMES) * n_claims < 1
        assert own.p_adjusted == pytest.approx(own.p * len(HOMES) * n_claims)  # no other claim can be tested


def test_an_effect_that_is_the_same_everywhere_has_one_verdict() -> None:
    alike = {domain: (sets, 0.05, 0.02) for domain, (sets, _, _) in HOMES.items()}
    (whole,) = claims(runs_of(alike, seed=1), names=["C1"]).results
    assert whole.domain is None and whole.differs > 0.05


def test_a_domain_of_one_target_set_has_a_row_and_no_verdict() -> None:
    found = claims(runs_of({**HOMES, "maps": (1, 0.0, 0.01)}), names=["C1"]).results
    rows = {result.domain: result for result in found}
    assert rows["maps"].verdict == "undecided" and rows["maps"].n_target_sets == 1
    assert rows[None].differs == pytest.approx(claims(runs_of(HOMES), names=["C1"]).results[0].differs)


def test_what_people_repeat_is_judged_in_domains_of_two_target_sets_or_more() -> None:
    homes = {**HOMES, "maps": (1, 0.0, 0.01), "plans": (2, 0.0, 0.01)}
    found = claims(runs_of(homes, sizes=(200, 1000)), names=["P5"]).results
    assert [(result.domain, result.recipe) for result in found] == [
        (domain, "scratch") for domain in (None, "drawings", "photos", "plans")
    ]
