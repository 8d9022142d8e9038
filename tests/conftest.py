"""What many tests share: made once for a process."""

from __future__ import annotations

import pytest
from recipes_made import frozen
from report_made import made
from synthetic import registry

from predictor.fitting import fit_registry
from predictor.models.fit import Fit
from predictor.records import RunRecord
from predictor.render.report import Material


@pytest.fixture(scope="session")
def synthetic_records() -> tuple[RunRecord, ...]:
    """The default world: 60 configurations of three seeds."""
    return tuple(registry())


@pytest.fixture(scope="session")
def synthetic_fit(synthetic_records: tuple[RunRecord, ...]) -> Fit:
    """A fit of it; nobody changes it."""
    return fit_registry(synthetic_records, family_names=["linear", "classwise", "average"])


@pytest.fixture(scope="session")
def about() -> Material:
    """What a report shows of such a world with a held-out study; nobody changes it."""
    return made(card="what was trained on what")


@pytest.fixture(scope="session")
def recipes_fit(synthetic_fit: Fit) -> Fit:
    """The same fit with a frozen network as a recipe family of its own; nobody changes it."""
    family = fit_registry(frozen(), ["accuracy"], ["classwise"]).content
    return Fit({**synthetic_fit.content, "recipe_families": {"frozen": family}})
