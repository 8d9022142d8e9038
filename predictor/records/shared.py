"""Records of a part: what many runs share is parsed once and kept once.

Seeds share their class counts, grids their target sets, machines their environment. A stored record is compact JSON
with its keys in the schema's order, so these stand between known marks; a quotation mark inside a text is escaped and
makes no mark. Everything is validated as in a record that is read alone; what is not as expected is read alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import from_json

from predictor.records.schema import Counted, Environment, Reported, RunRecord

SPEC, SEEDS, DATA, OUTCOMES = ',"spec":{', ',"seeds":{', ',"data":{', ',"outcomes":{'
ENVIRONMENT, STARTED = ',"environment":{', ',"started_at":'
STAND_IN = ',"spec":{},"data":{"kind":"reported","indicators":{},"citation":"-"}'
DATA_OF = TypeAdapter(Counted | Reported)


class SharedParser:
    """Parses records and remembers, by its text, what they have in common."""

    def __init__(self) -> None:
        self._parsed: dict[str, Any] = {}
        self._names: dict[frozenset[str], set[str]] = {}
        self._tuples: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    def parse(self, text: str) -> RunRecord | None:
        """The record; None where the text must be read alone: another version, another order, damage."""
        try:
            return self._parse(text)
        except (ValueError, LookupError):  # pydantic's errors are ValueErrors
            return None

    def _parse(self, text: str) -> RunRecord:
        head, rest = _cut(text, SPEC)
        spec, rest = _cut(rest, DATA)
        data, rest = _cut(rest, OUTCOMES)
        outcomes, rest = _cut(rest, ENVIRONMENT)
        environment, rest = _cut(rest, STARTED)
        spec, seeds = _cut(spec, SEEDS)
        own = f"{head}{STAND_IN}{OUTCOMES}{outcomes}{STARTED}{rest}"
        record = RunRecord.model_validate_json(own)
        content = record.__dict__
        content["spec"] = {
            **self._once(f"{{{spec}}}", from_json),
            **from_json(f'{{"seeds":{{{seeds}'),  # it ends the spec
        }
        content["data"] = self._once(f"{{{data}", DATA_OF.validate_json)
        content["environment"] = self._once(f"{{{environment}", Environment.model_validate_json)
        record.__pydantic_fields_set__.add("environment")
        for part in (record, record.seconds, record.energy, record.data_report, *record.outcomes.values()):
            if part is not None:  # pydantic keeps a set of names for each object, larger than the object
                names = part.__pydantic_fields_set__
                object.__setattr__(part, "__pydantic_fields_set__", self._names.setdefault(frozenset(names), names))
        for outcome in record.outcomes.values():
            counts = outcome.__dict__
            counts["classes"] = self._tuples.setdefault(outcome.classes, outcome.classes)
            counts["tested"] = self._tuples.setdefault(outcome.tested, outcome.tested)
        return record

    def _once(self, text: str, parse: Callable[[str], Any]) -> Any:
        found = self._parsed.get(text)
        if found is None:
            found = self._parsed[text] = parse(text)
        return found


def _cut(text: str, mark: str) -> tuple[str, str]:
    before, found, after = text.partition(mark)
    if not found:
        raise LookupError(mark)
    return before, after
