"""What many tests share: made once for a process."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from filelock import FileLock
from recipes_made import frozen
from report_made import made
from synthetic import registry

from predictor.fitting import fit_registry
from predictor.manifest import engine
from predictor.models.fit import Fit
from predictor.records import RunRecord
from predictor.render.report import Material


@pytest.fixture(scope="session")
def synthetic_records() -> tuple[RunRecord, ...]:
    """The default world: 60 configurations of three seeds."""
    return tuple(registry())


@pytest.fixture(scope="session")
def synthetic_fit(synthetic_records: tuple[RunRecord, ...], tmp_path_factory: pytest.TempPathFactory) -> Fit:
    """A fit of it, made by the first of the processes that share the tests; nobody changes it."""
    folder = tmp_path_factory.getbasetemp()
    file = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "synthetic_fit.pickle"
    with FileLock(f"{file}.lock"):
        if not file.exists():
            made = fit_registry(synthetic_records, family_names=["linear", "classwise", "average"])
            file.write_bytes(pickle.dumps(made.content))
    return Fit(pickle.loads(file.read_bytes()))


@pytest.fixture(scope="session")
def about() -> Material:
    """What a report shows of such a world with a held-out study; nobody changes it."""
    return made(card="what was trained on what")


@pytest.fixture(scope="session")
def recipes_fit(synthetic_fit: Fit) -> Fit:
    """The same fit with a frozen network as a recipe family of its own; nobody changes it."""
    family = fit_registry(frozen(), ["accuracy"], ["classwise"]).content
    return Fit({**synthetic_fit.content, "recipe_families": {"frozen": family}})


class _Every(frozenset[Path]):
    def issuperset(self, files: object) -> bool:
        return True


@pytest.fixture(scope="module")
def one_engine() -> Iterator[None]:
    """One engine reads all manifests of a test file, as one reads all those of a command: starting one costs more than
    reading a small table. Not for what an engine may open, see `test_manifest_where`."""
    with duckdb.connect(config={"threads": 1, "python_enable_replacements": False}) as connection:
        token = engine._shared.set((connection, _Every()))
        yield
        engine._shared.reset(token)
