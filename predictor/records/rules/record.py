"""What is wrong inside one record: its id, counts, outcomes and cost must agree with its spec and each other. Pure."""

from __future__ import annotations

from predictor.records.rules.axes import axis_faults
from predictor.records.rules.costs import cost_faults, missing_costs
from predictor.records.rules.counts import count_faults
from predictor.records.rules.expected import expected_names, invented_faults, missing_faults
from predictor.records.rules.outcomes import joint_faults, own_faults
from predictor.records.rules.repeats import repeat_faults
from predictor.records.rules.specs import Specs, WrittenConfiguration, seeds_of
from predictor.records.schema import Counted, Reported, RunRecord, content_id, former_imported_id, imported_id


def record_faults(record: RunRecord, specs: Specs | None = None) -> list[str]:
    """Every fault inside a record, in words; [] where there is none. No fault hides another.

    specs : kept between records, it saves reading a configuration's spec again for each of its seeds
    """
    configuration = None if record.spec is None else (specs or Specs()).configuration(record.spec)
    faults = _contradictions(record, configuration) + cost_faults(record, _image_steps(record, configuration))
    return faults + repeat_faults(record) + _gaps(record, configuration)


def contradictions(record: RunRecord) -> list[str]:
    """Where a record's ids, counts and outcomes contradict each other: it is not written then.

    Strange costs do not keep a trained run from being written, nor does what it lacks; `record_faults` names those.
    """
    return _contradictions(record, None if record.spec is None else Specs().configuration(record.spec))


def _contradictions(record: RunRecord, configuration: WrittenConfiguration | None) -> list[str]:
    seeds, problems = (None, []) if record.spec is None else seeds_of(record.spec)
    faults = _id_faults(record, configuration)
    if configuration:
        faults += [f"the spec is not one: {problem}" for problem in (*configuration.problems, *problems)]
    if isinstance(record.data, Counted):
        faults += count_faults(record.data, configuration, seeds)
    faults += _provenance_faults(record)
    for name, outcome in record.outcomes.items():
        faults += [f"{name}: {fault}" for fault in own_faults(outcome)]
    return faults + _joint_faults(record, configuration) + _status_faults(record)


def _gaps(record: RunRecord, configuration: WrittenConfiguration | None) -> list[str]:
    """What a trained run lacks, or names otherwise than its spec does."""
    if record.provenance != "trained":
        return []
    faults = missing_costs(record)
    if configuration is None or configuration.spec is None:
        return faults
    if record.status == "completed" and record.outcomes:
        faults += missing_faults(record.outcomes, configuration.spec.target)
    return faults + axis_faults(record.axes, configuration.axes, configuration.spec)


def _id_faults(record: RunRecord, configuration: WrittenConfiguration | None) -> list[str]:
    if record.spec is None or configuration is None:
        return _content_faults(record)
    faults = []
    spec = configuration.spec
    if spec is not None and record.target_set != spec.target.name:
        faults.append(f"target_set {record.target_set!r} is not the spec's, {spec.target.name!r}")
    ids = configuration.run_id(record.spec), configuration.configuration_id
    if None in ids or ids == (record.run_id, record.configuration_id):
        return faults
    # the spec as first written decides; one written with its defaults is hashed without them
    seeds, _ = seeds_of(record.spec)
    if record.run_id != ids[0] and spec is not None and seeds is not None:
        whole = spec.model_copy(update={"seeds": seeds})
        ids = whole.run_id, whole.configuration_id
    if record.run_id != ids[0]:
        faults.append(f"run_id {record.run_id} is not the hash of its spec, {ids[0]}")
    if record.configuration_id not in (ids[1], configuration.configuration_id):
        found = record.configuration_id
        faults.append(f"configuration_id {found} is not the hash of its spec without seeds, {ids[1]}")
    return faults


def _content_faults(record: RunRecord) -> list[str]:
    """The id of a record without a spec."""
    if record.provenance == "trained":
        return ["a trained run has a spec; found none"]
    if record.provenance == "imported":
        now = imported_id(
            study=record.study, target_set=record.target_set, domain=record.domain, axes=record.axes, data=record.data
        )
        if record.run_id == now or record.run_id == former_imported_id(record):
            return []
    if not isinstance(record.data, Reported):
        return []
    values = {name: outcome.value for name, outcome in record.outcomes.items()}
    needed = content_id(record.study, record.axes, record.data.indicators, values)
    return [] if needed == record.run_id else [f"run_id {record.run_id} is not the hash of its content, {needed}"]


def _provenance_faults(record: RunRecord) -> list[str]:
    if record.provenance == "trained":
        counted = isinstance(record.data, Counted)
        return [] if counted else ["a trained run has class counts; found reported indicators"]
    if record.spec is not None and (record.seconds or record.environment or record.energy):
        return [f"provenance is {record.provenance!r}; a record with a spec and the cost of training it is 'trained'"]
    return []


def _joint_faults(record: RunRecord, configuration: WrittenConfiguration | None) -> list[str]:
    spec = configuration.spec if configuration else None
    if spec is not None and record.provenance == "trained":
        shifts = [name for name in expected_names(spec.target) if name.startswith("shift:")]
        invented = invented_faults(record.outcomes, spec.target)
        return invented + joint_faults(record.outcomes, spec.target.classes, shifts)
    targets = record.data.stages[-1].targets if isinstance(record.data, Counted) else None
    return joint_faults(record.outcomes, targets, [name for name in record.outcomes if name.startswith("shift:")])


def _status_faults(record: RunRecord) -> list[str]:
    if record.status == "completed" and not record.outcomes:
        return ["completed, and has no outcome"]
    if record.status == "diverged" and record.outcomes:
        return [f"diverged, and has outcomes: {', '.join(record.outcomes)}"]
    return []


def _image_steps(record: RunRecord, configuration: WrittenConfiguration | None) -> int:
    if configuration and configuration.image_steps:
        return configuration.image_steps
    return sum(stage.image_steps for stage in record.data.stages) if isinstance(record.data, Counted) else 0
