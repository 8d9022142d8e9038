"""Specs of records: what the seeds of a configuration share is worked out once."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from predictor.errors import PredictorError
from predictor.records.rules.axes import axes_of
from predictor.spec import RunSpec, Seeds, canonical_json, spec_id, target_counts

if TYPE_CHECKING:
    from predictor.records.rules.counts import Sizes
    from predictor.records.schema import Counted, Scalar

KEPT = 5_000  # configurations at once: a registry may have as many of them as runs


class WrittenConfiguration:
    """A spec without its seeds, as records write it.

    spec : with seeds 0; None where it is no spec
    problems : why it is none
    configuration_id : hash of what is written; None where it cannot be hashed
    planned, last : what was worked out about its class counts, see `counts`
    """

    def __init__(self, shared: dict[str, Any]):
        self.spec: RunSpec | None = None
        self.problems: list[str] = []
        try:
            self.spec = RunSpec.model_validate({**shared, "seeds": {"data": 0, "training": 0}})
        except ValidationError as error:
            self.problems = _problems(error)
        self.configuration_id = written_id(shared)
        self._around = _around_seeds(shared) if self.configuration_id else ("", "")
        self.planned: dict[int, Sizes] = {}
        self.last: tuple[Counted, list[str]] | None = None

    def run_id(self, spec: dict[str, Any]) -> str | None:
        """`written_id` of a spec of this configuration; only its seeds are written again."""
        if self.configuration_id is None or "seeds" not in spec:
            return self.configuration_id
        try:
            return spec_id(canonical_json(spec["seeds"]).join(self._around))
        except ValueError:
            return None

    @cached_property
    def axes(self) -> dict[str, Scalar]:
        """Every axis whose level the spec tells."""
        return axes_of(self.spec) if self.spec else {}

    @cached_property
    def seedless(self) -> bool:
        """Whether all seeds have the same class counts: the data seed says which class is large."""
        spec = self.spec
        if spec is None:
            return True
        try:
            return all(len(set(target_counts(spec, n).values())) <= 1 for n in range(len(spec.stages)))
        except (ValueError, PredictorError):  # an impossible profile, for every seed
            return True

    @cached_property
    def image_steps(self) -> int:
        """Of all stages; 0 where it is no spec."""
        return sum(stage.image_steps for stage in self.spec.stages) if self.spec else 0


class Specs:
    """Reads the specs of many records."""

    def __init__(self) -> None:
        self._known: dict[str, WrittenConfiguration] = {}

    def configuration(self, spec: dict[str, Any]) -> WrittenConfiguration:
        """The configuration of a record's spec.

        >>> Specs().configuration({"protocol": 1}).problems[:2]
        ['sources: Field required', 'target: Field required']
        """
        shared = {key: value for key, value in spec.items() if key != "seeds"}
        text = json.dumps(shared)
        found = self._known.get(text)
        if found is None:
            if len(self._known) >= KEPT:
                self._known.clear()
            found = self._known[text] = WrittenConfiguration(shared)
        return found


def written_id(spec: dict[str, Any]) -> str | None:
    """Hash of a spec as it is written; None where it cannot be hashed: NaN, of which the spec's problems tell."""
    try:
        return spec_id(canonical_json(spec))
    except ValueError:
        return None


def _around_seeds(shared: dict[str, Any]) -> tuple[str, str]:
    """The canonical text of a spec before and after its seeds.

    >>> "7".join(_around_seeds({"target": 1, "model": 2})) == canonical_json({"target": 1, "seeds": 7, "model": 2})
    True
    """
    first, last = (
        canonical_json({key: value for key, value in shared.items() if (key < "seeds") is before})[1:-1]
        for before in (True, False)
    )
    return f'{{{first}{"," if first else ""}"seeds":', f"{',' if last else ''}{last}}}"


def seeds_of(spec: dict[str, Any]) -> tuple[Seeds | None, list[str]]:
    """The seeds of a record's spec, and what is wrong with them.

    >>> seeds_of({"seeds": {"data": 1, "training": -1}})
    (None, ['seeds.training: Input should be greater than or equal to 0'])
    """
    if "seeds" not in spec:
        return None, ["seeds: Field required"]
    try:
        return Seeds.model_validate(spec["seeds"]), []
    except ValidationError as error:
        return None, [f"seeds.{problem}" for problem in _problems(error)]


def _problems(error: ValidationError) -> list[str]:
    problems = [(".".join(map(str, fault["loc"])), fault["msg"]) for fault in error.errors(include_url=False)]
    return [f"{place}: {message}" if place else message for place, message in problems]
