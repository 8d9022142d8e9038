"""Run records -> configurations that can be compared. Everything is read from the specs, nothing from a grid's axes."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from predictor.claims.origins import origin, synthetic
from predictor.profiles import Profile, profile_counts
from predictor.protocols import compared_as
from predictor.recipes import ACTION_FIELDS, Action, family_of
from predictor.records.gate import pass_gate
from predictor.records.schema import Counted, RunRecord
from predictor.spec import Others, RunSpec, Stage, StageData, canonical_json, target_counts

EQUAL_STEPS, EQUAL_EPOCHS = "equal image-steps", "equal epochs"
ROUNDING = 0.01  # sizes and image-steps are whole numbers: a relative difference below this is none


@dataclass(frozen=True, eq=False)
class Configuration:
    """The runs of one configuration.

    outcomes : {data seed: {outcome: value, mean over training seeds}}; run_ids : {data seed: run ids}
    """

    spec: RunSpec
    outcomes: Mapping[int, Mapping[str, float]]
    run_ids: Mapping[int, tuple[str, ...]]
    domain: str = ""

    @cached_property
    def id(self) -> str:
        """Hash of the spec without its seeds."""
        return self.spec.configuration_id

    @cached_property
    def family(self) -> str:
        """Recipe family."""
        return family_of(self.spec.model.model_dump(mode="json"))

    @cached_property
    def action(self) -> Action:
        """What training does about imbalance."""
        return Action.of(self.spec.recipe.model_dump(mode="json"))

    @property
    def target_set(self) -> str:
        """Name of its target set."""
        return self.spec.target.name

    @property
    def single(self) -> bool:
        """Whether it is trained in one stage, with the recipe of the spec."""
        return len(self.spec.stages) == 1 and self.spec.recipe_of(0) == self.spec.recipe

    @property
    def data(self) -> StageData:
        """What the last stage trains on."""
        return self.spec.stages[-1].data

    @property
    def size(self) -> int:
        """Images per target class in the last stage, mean before edits."""
        return self.data.samples_per_class

    @property
    def others(self) -> tuple[Others, ...]:
        """Other classes of the last stage."""
        return self.data.others

    @property
    def added(self) -> int:
        """Images of other classes in the last stage."""
        return sum(other.n_classes * other.samples_per_class for other in self.others)

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Images per target class in the last stage, largest first."""
        return stage_counts(self.spec.stages[-1], len(self.spec.target.classes))

    @cached_property
    def n_samples(self) -> int:
        """Images of the last stage."""
        return sum(self.counts) + self.added

    @cached_property
    def image_steps(self) -> int:
        """Images shown over all stages."""
        return sum(stage.image_steps for stage in self.spec.stages)

    @property
    def epochs(self) -> float:
        """How often each image of the last stage would be shown in all image-steps."""
        return self.image_steps / self.n_samples

    @cached_property
    def added_origins(self) -> frozenset[str]:
        """Origins of the images of other classes and of blends, over all stages."""
        parts = [part for stage in self.spec.stages for part in (*stage.data.others, stage.data.blend) if part]
        return frozenset(origin(part.source) for part in parts)

    def kind(self) -> str | None:
        """Where the other classes come from: same, other or synthetic; None where they are mixed or absent."""
        kinds = {other_kind(other, self.spec) for other in self.others}
        return kinds.pop() if len(kinds) == 1 else None

    def shift(self, name: str) -> tuple[str, str, str]:
        """(source, split, digest) of a shift's test images."""
        test = self.spec.target.shifts[name]
        return test.source, test.split, self.spec.sources[test.source]


def other_kind(other: Others, spec: RunSpec) -> str:
    """'same', 'other' or 'synthetic': the source of other classes against that of the targets."""
    if synthetic(spec.sources[other.source]):
        return "synthetic"
    return "same" if origin(other.source) == origin(spec.target.test.source) else "other"


def stage_counts(stage: Stage, n_classes: int) -> tuple[int, ...]:
    """Images per target class of a stage, largest first; empty where it has none of the targets."""
    if not stage.data.samples_per_class:
        return ()
    counts = profile_counts(stage.data.profile, n_classes, stage.data.samples_per_class)
    return tuple(sorted(counts.tolist(), reverse=True))


def close(a: float, b: float) -> bool:
    """Equal up to rounding.

    >>> close(1000, 1009), close(1000, 1020)
    (True, False)
    """
    return math.isclose(a, b, rel_tol=ROUNDING)


def schedules(base: Configuration, arm: Configuration) -> set[str]:
    """At what a configuration of one stage is equal to its base: image-steps, epochs, both (at equal N) or neither."""
    found = {EQUAL_STEPS} if close(arm.image_steps, base.image_steps) else set()
    return found | ({EQUAL_EPOCHS} if close(arm.epochs, base.epochs) else set())


def unedited(profile: Profile) -> bool:
    """Whether a profile's shape is the same at every size: an edit or a list of counts has sizes of its own."""
    return not profile.edits and profile.shape != "explicit"


def groups(records: Sequence[RunRecord]) -> tuple[list[list[Configuration]], dict[str, int]]:
    """Configurations that share target set, test images, protocol, network and recipe; and what was not used, and why.

    See `regrouped` for those that share less.

    Runs of several studies stand side by side; one that stands in two of them counts once. Raises RegistryError for
    outcomes that their scale cannot hold.
    """
    pass_gate(records)
    unused: Counter[str] = Counter()
    kept: dict[str, tuple[RunRecord, RunSpec]] = {}
    for record in records:
        if record.spec is None or not isinstance(record.data, Counted):
            unused["runs without a spec (published or imported): nothing says what else differs"] += 1
        elif record.status != "completed":
            unused[f"{record.status} runs"] += 1
        elif record.run_id not in kept:
            spec = RunSpec.model_validate(record.spec)
            if not random_ranks(record, spec):
                unused["runs whose class ranks are not those that the data seed draws"] += 1
                continue
            kept[record.run_id] = record, spec
    by_configuration: dict[str, list[tuple[RunRecord, RunSpec]]] = defaultdict(list)
    for record, spec in kept.values():
        by_configuration[record.configuration_id].append((record, spec))
    found: dict[str, list[Configuration]] = defaultdict(list)
    for runs in by_configuration.values():
        found[_context(runs[0][1])].append(_configuration(runs))
    return [group for alike in found.values() for group in _by_protocol(alike)], dict(unused)


def regrouped(found: Sequence[Sequence[Configuration]], across: str) -> list[list[Configuration]]:
    """The configurations of `groups` again, in groups that may also differ in `across`, see `Claim`."""
    if not across:
        return [list(group) for group in found]
    by_context: dict[str, list[Configuration]] = defaultdict(list)
    for configuration in (each for group in found for each in group):
        by_context[_context(configuration.spec, across)].append(configuration)
    return [group for alike in by_context.values() for group in _by_protocol(alike)]


def _by_protocol(configurations: Sequence[Configuration]) -> list[list[Configuration]]:
    """Those apart that no one protocol trains as they were trained."""
    found: dict[int, list[Configuration]] = defaultdict(list)
    protocols = compared_as([configuration.spec for configuration in configurations])
    for configuration, protocol in zip(configurations, protocols, strict=True):
        found[protocol].append(configuration)
    return list(found.values())


def random_ranks(record: RunRecord, spec: RunSpec) -> bool:
    """Whether the recorded class sizes are in the order that the data seed draws at random.

    Else the same classes may be the large ones in every run, and their difficulty would pass for an effect of size.
    A few images that could not be read change no order.
    """
    assert isinstance(record.data, Counted)
    if not spec.stages[-1].data.samples_per_class:
        return True
    planned = target_counts(spec)
    recorded: Counter[str] = Counter()
    stage = record.data.stages[-1]
    for name, count in zip(stage.classes, stage.counts, strict=True):
        recorded[name] += count
    order = sorted(planned, key=lambda name: -planned[name])
    least = math.inf
    for _, same in groupby(order, key=lambda name: planned[name]):
        sizes = [recorded[name] for name in same]
        if max(sizes) > least:
            return False
        least = min(sizes)
    return True


def _configuration(runs: Sequence[tuple[RunRecord, RunSpec]]) -> Configuration:
    values: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    ids: dict[int, tuple[str, ...]] = defaultdict(tuple)
    for record, spec in runs:
        ids[spec.seeds.data] += (record.run_id,)
        for name, outcome in record.outcomes.items():
            if outcome.scale == "accuracy":
                values[spec.seeds.data][name].append(outcome.value)
    outcomes = {
        seed: {name: sum(each) / len(each) for name, each in own.items()} for seed, own in sorted(values.items())
    }
    return Configuration(runs[0][1], outcomes, dict(ids), runs[0][0].domain)


def _context(spec: RunSpec, across: str = "") -> str:
    """All beside the protocol that a comparison holds fixed. Shifts may differ: one with added classes is dropped."""
    data = spec.stages[-1].data
    content = {
        "target": spec.target.model_dump(mode="json", exclude={"shifts"}),
        "train": [data.source, data.split],
        "digests": [spec.sources.get(spec.target.test.source), spec.sources.get(data.source)],
        "model": spec.model.model_dump(mode="json"),
        "recipe": spec.recipe.model_dump(mode="json", exclude=set(ACTION_FIELDS) if across == "actions" else None),
    }
    if across == "recipes":
        del content["model"], content["recipe"]
    return canonical_json(content)
