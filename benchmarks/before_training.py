"""Predictions that are written down before anything is trained, and what was trained after them.

A study of this kind holds `predicted.csv` and a grid whose comment states its digest: its records rest on those
predictions. Manifests are told apart by their class counts, which a grid gives to classes with `ranks: listed`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from predictor.files import replace_file
from predictor.grids import read_grid
from predictor.grids.compose import compose
from predictor.grids.write import grid_text
from predictor.records import RunRecord, read_registry

PREDICTED, GRID = "predicted.csv", "grid.yaml"
Key = tuple[str, frozenset[tuple[str, int]], str]


def write_rows(path: Path, rows: Sequence[Sequence[object]]) -> None:
    """A CSV file, whole or not at all."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    replace_file(path, text.getvalue().encode())


def untrained(runs: Path, study: str) -> list[RunRecord]:
    """The registry's runs. Exits where the study has some: what is predicted after that is no prediction."""
    records = read_registry(runs)
    if any(record.study == study for record in records):
        raise SystemExit(f"{runs / study}: trained already; what is predicted after that is no prediction")
    (runs / study).mkdir(exist_ok=True)
    return records


def write_grid(
    runs: Path, study: str, like: str, target_sets: Mapping[str, Any], blocks: Iterable[Mapping[str, Any]], told: str
) -> None:
    """The grid that trains what was predicted, in everything else as the study that it is like."""
    before = read_grid(runs / like / GRID)
    content = compose(
        study=study,
        protocol=before["protocol"],
        sources=before["sources"],
        target_sets=target_sets,
        model=before["model"],
        recipe=before["recipe"],
        seeds=before["seeds"],
        blocks=blocks,
        held_out=True,
    )
    digest = hashlib.sha256((runs / study / PREDICTED).read_bytes()).hexdigest()
    comment = [told, f"What each reaches was predicted before any of it was trained: {PREDICTED},", f"sha256 {digest}."]
    replace_file(runs / study / GRID, grid_text(content, comment).encode())


def counts_text(counts: Mapping[str, int]) -> str:
    """Class counts in one cell, as `counts_of` reads them."""
    return " ".join(f"{label}={n}" for label, n in counts.items())


def counts_of(text: str) -> dict[str, int]:
    """The inverse of `counts_text`.

    >>> counts_of(counts_text({"t-shirt": 4, "other 2": 2}))
    {'t-shirt': 4, 'other 2': 2}
    """
    return {label: int(n) for label, n in re.findall(r"(.+?)=([0-9]+)(?: |$)", text)}


def predictions(runs: Path, study: str) -> list[dict[str, str]]:
    """The rows of a study's predictions. Exits where they are not the ones that its grid was made with."""
    text = (runs / study / PREDICTED).read_bytes()
    if hashlib.sha256(text).hexdigest() not in (runs / study / GRID).read_text(encoding="utf-8"):
        raise SystemExit(f"{runs / study / PREDICTED}: not the file that the grid was made with")
    return list(csv.DictReader(io.StringIO(text.decode())))


def trained(records: Iterable[RunRecord]) -> dict[Key, list[RunRecord]]:
    """{(target set, counts of the tested classes, class weights): completed runs}."""
    found: dict[Key, list[RunRecord]] = defaultdict(list)
    for record in records:
        if record.status == "completed" and record.distribution is not None and record.spec:
            own = record.distribution
            counts = frozenset(zip(own.target_names, own.target_counts.tolist(), strict=True))
            found[record.target_set, counts, record.spec["recipe"].get("class_weights", "none")].append(record)
    return found
