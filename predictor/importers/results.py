"""What an import came to: the records of a table, and what was written of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from predictor.importers.build import Imported
from predictor.records.adding import AddedRuns
from predictor.results import Result


@dataclass(frozen=True, repr=False)
class ImportResult(Result):
    """Records of a table, and what came of them.

    added : what was written; None after a dry run; runs : the registry
    """

    found: Imported
    added: AddedRuns | None
    runs: str
    shown_by: ClassVar[str] = "imported"
