"""What a run leaves behind: one immutable record, and the words it is written in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from predictor.distribution import LabelDistribution
from predictor.spec import canonical_json, spec_id
from predictor.text import MAX_NAME, PLAIN

SCHEMA_VERSION = 1
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"  # a study is a folder name: it must not lead out of the registry
RUN_ID = r"^[0-9a-f]{16}$"

TRAINING = "training"  # all training images of a run in its data report, beside the test sets
NAMED = 100  # images that a data report names, of all that it counts

Name = Annotated[str, Field(max_length=MAX_NAME)]
Scalar = bool | int | float | Name | None
Count = Annotated[int, Field(ge=0)]


def moment(text: str | None) -> datetime | None:
    """A time as a record states it; None for none, for what is no ISO time, and for one without a zone.

    >>> moment("2026-01-01T00:00:00"), moment("yesterday")
    (None, None)
    """
    if text is None:
        return None
    try:
        stated = datetime.fromisoformat(text)
    except ValueError:
        return None
    return stated if stated.utcoffset() is not None else None


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class StageCounts(_Part):
    """What one stage was trained on: images per (class, source), and which classes are tested.

    targets : names of the tested classes; None: every class is a target
    image_steps : images shown, counted with repetition
    """

    classes: tuple[Name, ...]
    sources: tuple[Name, ...]
    counts: tuple[Count, ...]
    targets: tuple[Name, ...] | None
    image_steps: Count

    @model_validator(mode="after")
    def _aligned(self) -> StageCounts:
        lengths = (len(self.classes), len(self.sources), len(self.counts))
        if len(set(lengths)) > 1:
            raise ValueError("classes, sources and counts have {}, {} and {} entries".format(*lengths))
        return self

    @classmethod
    def from_distribution(cls, distribution: LabelDistribution, image_steps: int) -> StageCounts:
        """The counts of a label distribution.

        >>> d = LabelDistribution.from_counts({"cat": 5, "dog": 3})
        >>> StageCounts.from_distribution(d, 100).counts
        (5, 3)
        """
        return cls(
            classes=distribution.classes,
            sources=distribution.sources,
            counts=tuple(distribution.counts.tolist()),
            targets=None if distribution.targets is None else tuple(sorted(distribution.targets)),
            image_steps=image_steps,
        )

    @property
    def distribution(self) -> LabelDistribution:
        """The label distribution of the stage."""
        rows = zip(self.classes, self.sources, self.counts, strict=True)
        return LabelDistribution.from_counts(rows, targets=self.targets)


class Counted(_Part):
    """Class counts of every stage: an indicator invented later needs no new training."""

    kind: Literal["counted"] = "counted"
    stages: Annotated[tuple[StageCounts, ...], Field(min_length=1)]


class Reported(_Part):
    """Indicators as somebody published them; the class counts behind them are unknown."""

    kind: Literal["reported"] = "reported"
    indicators: dict[Name, float]
    citation: Annotated[str, Field(min_length=1)]


class Intersection(_Part):
    """A partial shift with the logits masked to the classes that it covers. correct: per class of the outcome."""

    n_classes: int
    value: float
    correct: tuple[Count, ...]


class Outcome(_Part):
    """Something measured after training.

    value : class-balanced accuracy in [0, 1] where scale is 'accuracy'
    plain : share of all test images that is right
    classes, tested, correct : (C,) per class; empty where only the value is known
    chance : value of a guess, 1 / number of targets
    clean_value : under a shift, the clean value over the same classes
    """

    value: float
    scale: str = "accuracy"
    plain: float | None = None
    classes: tuple[str, ...] = ()
    tested: tuple[Count, ...] = ()
    correct: tuple[Count, ...] = ()
    chance: float | None = None
    clean_value: float | None = None
    intersection: Intersection | None = None

    @model_validator(mode="after")
    def _aligned(self) -> Outcome:
        lengths = (len(self.classes), len(self.tested), len(self.correct))
        if len(set(lengths)) > 1:
            raise ValueError("classes, tested and correct have {}, {} and {} entries".format(*lengths))
        return self


class Seconds(_Part):
    """Where the wall-clock time of a run went."""

    load: float = 0.0
    compile: float = 0.0
    train: float = 0.0
    evaluate: float = 0.0

    @property
    def total(self) -> float:
        """Sum of the parts."""
        return self.load + self.compile + self.train + self.evaluate


class Energy(_Part):
    """Joules of a run, or why they could not be read.

    shared_by : runs that were trained on the device at once; joules is an equal share of what the device used
    """

    joules: float | None = None
    reason: str | None = None
    shared_by: Annotated[int, Field(ge=1)] | None = None


class Environment(_Part):
    """The machine and the code that made a run.

    micro_batch : images at once on the device, where a whole batch did not fit its memory
    """

    device: Name
    device_name: Name | None = None
    threads: int | None = None
    precision: Literal["bf16", "fp32"] | None = None
    micro_batch: int | None = None
    versions: dict[str, str] = {}
    commit: str | None = None


class DataReport(_Part):
    """What a run met in its images, and showed of them. A record with bad images was trained without them.

    bad_images : left out of training or test because they cannot be used, by name with the reason; the first 100
    n_bad_images : how many there were
    converted_images : changed on the way to 8-bit RGB, by name with what was done; the first 100
    n_converted : {what was done: images}
    repeated_images : of the same bytes as an earlier image of the same set, by name; the first 100
    n_repeated : {'training' or the test set's outcome: how many there were}
    leaked_images : test images of the same bytes as a training image, by name; the first 100
    n_leaked : {the test set's outcome: how many there were}
    images_shown, classes_shown : for each stage, the images and classes that its steps showed at least once
    """

    bad_images: tuple[str, ...] = ()
    n_bad_images: Count = 0
    converted_images: tuple[str, ...] = ()
    n_converted: dict[str, Count] = {}
    repeated_images: tuple[str, ...] = ()
    n_repeated: dict[str, Count] = {}
    leaked_images: tuple[str, ...] = ()
    n_leaked: dict[str, Count] = {}
    images_shown: tuple[Count, ...] = ()
    classes_shown: tuple[Count, ...] = ()


class RunRecord(_Part):
    """One run: spec + label distribution + outcomes + cost + environment + provenance. Immutable.

    started_at, ended_at : ISO times with zone: when the run, or its last try, began, and when its record was made
    representative : of a study that says so in its grid; set where a registry is read, and no part of a stored record

    >>> record = RunRecord(
    ...     run_id="0" * 16, configuration_id="0" * 16, study="demo", provenance="published", target_set="in100",
    ...     domain="photographs", data=Reported(indicators={"n_samples": 100}, citation="A paper"),
    ...     outcomes={"accuracy": Outcome(value=0.5)},
    ... )
    >>> RunRecord.model_validate_json(record.to_json()) == record
    True
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    run_id: Annotated[str, Field(pattern=RUN_ID)]
    configuration_id: Annotated[str, Field(pattern=RUN_ID)]
    study: Annotated[str, Field(pattern=NAME)]
    provenance: Literal["trained", "published", "imported"]
    status: Literal["completed", "diverged"] = "completed"
    held_out: bool = False
    target_set: Name
    domain: Name
    axes: dict[Name, Scalar] = {}
    spec: dict[str, Any] | None = None
    data: Annotated[Counted | Reported, Field(discriminator="kind")]
    outcomes: dict[Name, Outcome]
    seconds: Seconds | None = None
    images_per_second: float | None = None
    energy: Energy | None = None
    peak_memory_bytes: int | None = None
    environment: Environment | None = None
    started_at: str | None = None
    ended_at: str | None = None
    data_report: DataReport = DataReport()
    citation: str | None = None
    representative: Annotated[bool, Field(exclude=True)] = False

    @property
    def distribution(self) -> LabelDistribution | None:
        """Label distribution of the last stage; None where only indicators were reported."""
        return self.data.stages[-1].distribution if isinstance(self.data, Counted) else None

    def to_json(self) -> str:
        """The record as it is stored: one line, full precision."""
        return self.model_dump_json()


def content_id(
    study: str, axes: Mapping[str, Scalar], indicators: Mapping[str, float], outcomes: Mapping[str, float]
) -> str:
    """The id of a run that has no spec: hash of its study and of everything its row says.

    >>> content_id("demo", {}, {"n_samples": 100}, {"accuracy": 0.5})
    '8f135801c767a1cc'
    """
    row = {"study": study, "axes": dict(axes), "indicators": dict(indicators), "outcomes": dict(outcomes)}
    return spec_id(canonical_json(row))


def imported_id(
    *, study: str, target_set: str, domain: str, axes: Mapping[str, Scalar], data: Counted | Reported
) -> str:
    """The id of an imported run: hash of everything that was known before its outcome.

    A table that is imported again gives the ids that are there already, also where an outcome was mended. No other row
    has a part in it: a text that is a plain number is that number, whatever else its column holds, and words that a row
    has not (`optimizer=adam: 0`) are left out, because more of them come with other rows.

    >>> reported = Reported(indicators={"n_samples": 100}, citation="A paper")
    >>> imported_id(study="demo", target_set="in100", domain="photographs", axes={}, data=reported)
    'f2e136825129aa1d'
    """
    known = data.model_dump(mode="json", exclude={"citation"})
    if isinstance(data, Reported):
        known["indicators"] = {name: value for name, value in data.indicators.items() if "=" not in name or value}
    own = {name: _by_itself(value) for name, value in axes.items()}
    return _imported(study, target_set, domain, own, known)


def former_imported_id(record: RunRecord) -> str:
    """The id that an imported run had before 0.3.0, which the other rows of its table had a part in."""
    known = record.data.model_dump(mode="json", exclude={"citation"})
    return _imported(record.study, record.target_set, record.domain, record.axes, known)


def _imported(study: str, target_set: str, domain: str, axes: Mapping[str, Scalar], known: dict[str, Any]) -> str:
    row = {"imported": study, "target_set": target_set, "domain": domain, "axes": dict(axes), "data": known}
    return spec_id(canonical_json(row))


def _by_itself(value: Scalar) -> Scalar:
    """A setting as its cell alone says it: 10 and the text 10 are one."""
    if not isinstance(value, str) or not PLAIN.fullmatch(value):
        return value
    found = float(value)
    if not math.isfinite(found):
        return value
    return int(found) if found.is_integer() and abs(found) < 2**53 else found
