"""A page about generated runs, made once for every test of it."""

from __future__ import annotations

from collections.abc import Sequence

from synthetic import registry

from predictor.fitting import fit_registry
from predictor.records import RunRecord
from predictor.render.report import Material, material_of


def made(card: str | None = None) -> Material:
    """Runs of generated target sets, some of them held out, with their fit."""
    own = registry(n_configurations=24, n_seeds=2)
    apart = [
        record.model_copy(update={"study": "apart", "held_out": True})
        for record in registry(n_configurations=8, n_seeds=1, seed=7)
    ]
    records = [*own, *apart]
    fit = fit_registry(records, family_names=["linear", "average"])
    return material_of(records, fit, None, title="Registry test", card=card)


def unfitted(records: Sequence[RunRecord], title: str, card: str | None = None, reason: str = "no fit") -> Material:
    """What the page shows of records without a fit."""
    return material_of(records, None, reason, title=title, card=card)
