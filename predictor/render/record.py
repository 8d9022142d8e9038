"""Whole records of runs: what each was trained on and how, what it reached, class by class, and what it cost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from predictor.records.schema import Counted, RunRecord
from predictor.render.page import Block, Heading, Page, PageTable, Said
from predictor.render.runs import run_row
from predictor.render.tables import number, percent
from predictor.statistics.outcome_scales import SHARES

SCHEMA_VERSION = 1
APART = ("schema_version", "run_id", "study", "target_set", "data", "outcomes", "spec")  # shown elsewhere on the page
SHORT = {
    "configuration_id": "configuration", "images_per_second": "images/s", "peak_memory_bytes": "memory, B",
    "data_report": "images",
}  # fmt: skip


def page(records: Sequence[RunRecord]) -> Page:
    """Of each run: its heading, a line a part of the record, its outcomes, its classes."""
    return [section for record in records for section in _sections(record)]


def content(records: Sequence[RunRecord]) -> dict[str, Any]:
    """One object for JSON: the records as they are stored."""
    return {"schema_version": SCHEMA_VERSION, "runs": [_stored(record) for record in records]}


def kinds(records: Sequence[RunRecord]) -> dict[str, list[dict[str, Any]]]:
    """Rows of each kind for CSV."""
    return {
        "run": [run_row(record) for record in records],
        "part": [
            {"run_id": record.run_id, "part": name, "value": value}
            for record in records
            for name, value in _flat({k: v for k, v in _stored(record).items() if k not in ("data", "outcomes")})
        ],
        "indicator": [
            {"run_id": record.run_id, "indicator": name, "value": value}
            for record in records
            for name, value in _indicators(record).items()
        ],
        "outcome": [{"run_id": record.run_id, **row} for record in records for row in _outcomes(record)],
        "trained on": [{"run_id": record.run_id, **row} for record in records for row in _trained(record)],
        "tested on": [{"run_id": record.run_id, **row} for record in records for row in _tested(record)],
    }


def _sections(record: RunRecord) -> Iterator[list[Block]]:
    stored = _stored(record)
    told = {SHORT.get(name, name): value for name, value in stored.items() if name not in APART}
    told |= stored["spec"] or {}
    lines = {name: _words(value) for name, value in told.items()}
    lines["data"] = _words(_indicators(record))
    yield [
        Heading((record.run_id, record.study, record.target_set)),
        *(Said(text, name) for name, text in lines.items() if text),
    ]
    names = ("plain", "chance", "clean_value", "intersection")
    outcomes = [
        {"outcome": row["outcome"], **{name: _value(row, name) for name in ("value", *names) if row[name] is not None}}
        for row in _outcomes(record)
    ]
    yield [PageTable(outcomes)]
    if rows := _classes(record):
        yield [PageTable(rows)]


def _stored(record: RunRecord) -> dict[str, Any]:
    stored: dict[str, Any] = json.loads(record.to_json())
    return stored


def _value(row: Mapping[str, Any], name: str) -> str:
    return percent(row[name]) if row["scale"] in SHARES else number(row[name])


def _outcomes(record: RunRecord) -> list[dict[str, Any]]:
    """One row an outcome."""
    return [
        {
            "outcome": name,
            "value": own.value,
            "scale": own.scale,
            "plain": own.plain,
            "chance": own.chance,
            "clean_value": own.clean_value,
            "intersection": own.intersection.value if own.intersection else None,
            "intersection_classes": own.intersection.n_classes if own.intersection else None,
        }
        for name, own in record.outcomes.items()
    ]


def _trained(record: RunRecord) -> list[dict[str, Any]]:
    """One row a stage, class and source."""
    if not isinstance(record.data, Counted):
        return []
    return [
        {"stage": i, "image_steps": stage.image_steps, "class": name, "source": source, "images": n,
         "target": stage.targets is None or name in stage.targets}
        for i, stage in enumerate(record.data.stages)
        for name, source, n in zip(stage.classes, stage.sources, stage.counts, strict=True)
    ]  # fmt: skip


def _tested(record: RunRecord) -> list[dict[str, Any]]:
    """One row an outcome and class."""
    rows = []
    for outcome, own in record.outcomes.items():
        inside = own.intersection.correct if own.intersection else (None,) * len(own.classes)
        rows += [
            {"outcome": outcome, "class": name, "tested": tested, "correct": correct, "intersection_correct": within}
            for name, tested, correct, within in zip(own.classes, own.tested, own.correct, inside, strict=True)
        ]
    return rows


def _classes(record: RunRecord) -> list[dict[str, Any]]:
    """One row a class and source, with what of its test images is right."""
    right: dict[str, dict[str, str]] = {}
    for row in _tested(record):
        right.setdefault(row["class"], {})[row["outcome"]] = f"{row['correct']}/{row['tested']}"
    outcomes = list(dict.fromkeys(outcome for own in right.values() for outcome in own))
    trained = _trained(record)
    several = len({row["stage"] for row in trained}) > 1
    rows = [
        {
            **({"stage": row["stage"]} if several else {}),
            **{name: row[name] for name in ("class", "source", "images")},
            **{outcome: right.get(row["class"], {}).get(outcome) for outcome in outcomes if row["target"]},
        }
        for row in trained
    ]
    known = {row["class"] for row in trained}
    return rows + [{"class": name, **own} for name, own in right.items() if name not in known]


def _indicators(record: RunRecord) -> dict[str, Any]:
    """What a table of others reports of the data, and whose it is."""
    if isinstance(record.data, Counted):
        return {}
    return {**record.data.indicators, "citation": record.data.citation}


def _words(value: Any) -> str:
    if isinstance(value, Mapping | list):
        return ", ".join(f"{name} {_words(item)}" for name, item in _flat(value))
    return "" if value is None else number(value)


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, value) of all that says something; a list of values is one.

    >>> list(_flat({"seeds": {"data": 0}, "spec": None, "stages": [{"n": 5}]}))
    [('seeds.data', 0), ('stages.0.n', 5)]
    """
    if isinstance(value, list) and not any(isinstance(item, Mapping | list) for item in value):
        value = "; ".join(map(str, value))
    if isinstance(value, Mapping | list):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for name, item in items:
            yield from _flat(item, f"{path}.{name}" if path else str(name))
    elif value is not None and value != "":
        yield path, value
