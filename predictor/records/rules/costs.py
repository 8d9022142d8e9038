"""What a run cost, where and when it ran, and what its images were like."""

from __future__ import annotations

from predictor.records.schema import NAMED, DataReport, Energy, Environment, RunRecord, Seconds, moment

FACTOR = 2  # between images_per_second and what image-steps and seconds give


def cost_faults(record: RunRecord, image_steps: int) -> list[str]:
    """Numbers that no run can have, and numbers against each other.

    image_steps : of all stages; 0 where they are unknown
    """
    faults = []
    if record.seconds:
        faults += _second_faults(record.seconds)
    if record.images_per_second is not None:
        faults += _speed_faults(record, record.images_per_second, image_steps)
    if record.energy:
        faults += _energy_faults(record.energy)
    if record.peak_memory_bytes is not None and record.peak_memory_bytes <= 0:
        faults.append(f"peak_memory_bytes is {record.peak_memory_bytes}; needed more than 0")
    if record.environment:
        faults += _environment_faults(record.environment)
    return faults + _time_faults(record) + _image_faults(record.data_report)


def missing_costs(record: RunRecord) -> list[str]:
    """What every trained run states."""
    stated = {"seconds": record.seconds, "environment": record.environment}
    return [f"{name}: missing; a trained run states it" for name, value in stated.items() if value is None]


def _second_faults(seconds: Seconds) -> list[str]:
    parts = {"load": seconds.load, "compile": seconds.compile, "train": seconds.train, "evaluate": seconds.evaluate}
    return [f"seconds.{name} is {x!r}; needed 0 or more" for name, x in parts.items() if x < 0]


def _speed_faults(record: RunRecord, speed: float, image_steps: int) -> list[str]:
    if record.status == "diverged":
        return [f"images_per_second is {speed!r}; a diverged run states none"]
    if speed <= 0:
        return [f"images_per_second is {speed!r}; needed more than 0"]
    if record.seconds and record.seconds.train == 0:
        return [f"images_per_second is {speed!r}; 0 seconds of training give none"]
    train = record.seconds.train if record.seconds else -1.0
    if not image_steps or train < 0:  # nothing to compare with
        return []
    wanted = image_steps / train
    if wanted / FACTOR <= speed <= wanted * FACTOR:
        return []
    return [f"images_per_second is {speed!r}; {image_steps} image_steps in {train!r} seconds give {wanted!r}"]


def _energy_faults(energy: Energy) -> list[str]:
    faults = []
    if energy.joules is None and energy.reason is None:
        faults.append("energy: neither joules nor a reason why there are none")
    if energy.joules is not None and energy.reason is not None:
        faults.append(f"energy: {energy.joules!r} joules, and a reason why there are none ({energy.reason})")
    if energy.joules is not None and energy.joules < 0:
        faults.append(f"energy: joules is {energy.joules!r}; needed 0 or more")
    return faults


def _environment_faults(environment: Environment) -> list[str]:
    counts = {"threads": environment.threads, "micro_batch": environment.micro_batch}
    return [f"environment: {name} is {n}; needed 1 or more" for name, n in counts.items() if n is not None and n < 1]


def _time_faults(record: RunRecord) -> list[str]:
    stated = {"started_at": record.started_at, "ended_at": record.ended_at}
    times = {name: moment(text) for name, text in stated.items() if text is not None}
    faults = [
        f"{name} is {stated[name]!r}; needed an ISO time with its zone, as in 2026-01-31T12:00:00+00:00"
        for name, time in times.items()
        if time is None
    ]
    start, end = times.get("started_at"), times.get("ended_at")
    if start and end and end < start:
        faults.append(f"ended_at is {record.ended_at!r}, before started_at, {record.started_at!r}")
    return faults


def _image_faults(report: DataReport) -> list[str]:
    faults = []
    named, n = len(report.bad_images), report.n_bad_images
    if named > n or (named < n and named < NAMED):
        faults.append(f"data_report: n_bad_images is {n}; {named} are named, needed {min(n, NAMED)}")
    named, kinds = len(report.converted_images), report.n_converted.values()
    if named > sum(kinds):
        faults.append(f"data_report: n_converted counts {sum(kinds)} images; {named} are named")
    elif named < max(kinds, default=0) and named < NAMED:
        faults.append(f"data_report: n_converted counts {max(kinds)} images of one kind; only {named} are named")
    return faults
