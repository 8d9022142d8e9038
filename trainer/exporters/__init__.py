"""Run records -> trackers, after the runs: nothing here is part of training, and nothing here can fail a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module

from predictor.records.schema import RunRecord

KINDS = ("mlflow", "tensorboard", "wandb")
Export = Callable[[Iterable[RunRecord], str], int]


def exporter(kind: str) -> Export:
    """How runs are written for a tracker: (records, output) -> how many were not there yet."""
    found: Export = import_module(f"trainer.exporters.{kind}").export
    return found
