"""The run spec: everything that decides a training run, and the id that follows from it. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from predictor.distribution import LabelDistribution
from predictor.profiles import Images, Profile, SharedPart, profile_counts

PROTOCOL = 3  # of the numbers that runs give, raised when the trainer changes them; new grids state it
PROTOCOLS = (2, 3)  # those that the trainer trains: studies of an older one are continued
STAGES_APART = LAST_JOINED = SMOOTHED_OVER_TRAINED = 3  # the protocols that brought these, see `protocols_of`
ID_LENGTH = 16  # hex digits: collisions among a billion runs are below 1 in 10


class TestSet(SharedPart):
    """Images to test on: a source and its split."""

    __test__ = False  # not a test class, whatever its name says to pytest

    source: str
    split: str = "test"


class TargetSet(SharedPart):
    """The tested classes together with their test images and shifts."""

    name: str
    classes: Annotated[tuple[str, ...], Field(min_length=2)]
    test: TestSet
    shifts: dict[str, TestSet] = {}  # noqa: RUF012 - pydantic copies a default

    @model_validator(mode="after")
    def _distinct(self) -> TargetSet:
        if len(set(self.classes)) < len(self.classes):
            raise ValueError(f"target set {self.name!r} names a class twice")
        return self


class Others(SharedPart):
    """Classes that are only trained on: how many, how large, from where."""

    source: str
    n_classes: Annotated[int, Field(ge=1, le=10**6)]
    samples_per_class: Images
    split: str = "train"


class Blend(SharedPart):
    """Share of every target class's images that comes from a second source."""

    source: str
    share: Annotated[float, Field(gt=0, le=1)]
    split: str = "train"


class StageData(SharedPart):
    """What one stage trains on. `samples_per_class` is the mean over the target classes, before edits.

    With 0 the stage trains on other classes alone: pretraining on another label set.
    ranks : which class is large: drawn by the data seed; as in the source, where a profile has the shape of a source;
        or as the target set lists its classes: explicit counts are theirs in that order, else the first is the largest
    short : a class with fewer images than asked for ends the run, or gives all it has (sizes are upper bounds then)
    """

    source: str
    samples_per_class: Annotated[int, Field(ge=0, le=10**9)]
    split: str = "train"
    profile: Profile = Profile()
    blend: Blend | None = None
    others: tuple[Others, ...] = ()
    ranks: Literal["drawn", "source", "listed"] = "drawn"
    short: Literal["error", "take"] = "error"

    @model_validator(mode="after")
    def _something(self) -> StageData:
        if not self.samples_per_class and not self.others:
            raise ValueError("a stage without target images (samples_per_class 0) needs other classes")
        if not self.samples_per_class and (self.blend or self.profile != Profile()):
            raise ValueError("a stage without target images (samples_per_class 0) has neither profile nor blend")
        return self


class Recipe(SharedPart):
    """Optimiser, schedule, augmentation and what is done about imbalance.

    optimiser : SGD with Nesterov momentum, or AdamW (Loshchilov & Hutter 2019) with beta1, beta2 and eps
    warmup : a share of the steps; warmup_steps : a number of steps instead; flip : allows mirrored images
    learning_rate : every recipe states one, except that of a frozen network, whose head is solved for
    head_rate : rate of the classifier over that of the rest, where the rest begins with pretrained weights
    sampling : how often an image is drawn: each as often (natural), each class as often (balanced), or in proportion
        to the root of the class's size (sqrt)
    class_weights : of the loss: inverse to the class size, or to the effective number (1 - beta^n) / (1 - beta) of
        Cui et al. 2019; scaled so that the mean over the images is 1
    logit_adjustment : tau of Menon et al. 2021: tau * log(share of the class) is added to the logits in the loss, or
        taken off at test time
    deferred : sampling and class weights begin after this share of the steps (deferred re-weighting, Cao et al. 2019)
    """

    batch_size: Annotated[int, Field(ge=2, le=10**6)] = 128
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    augmentation: Literal["simclr", "simclr-mild", "crop", "none"] = "simclr"
    flip: bool = True
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    head_rate: Annotated[float, Field(gt=0, le=1e4)] = 1.0
    sampling: Literal["natural", "sqrt", "balanced"] = "natural"
    class_weights: Annotated[str, Field(pattern=r"^(none|inverse|effective:0?\.[0-9]+)$")] = "none"
    logit_adjustment: Annotated[float, Field(ge=0, le=10)] = 0.0
    logit_adjustment_at: Literal["loss", "test"] = "loss"
    deferred: Annotated[float, Field(ge=0, lt=1)] = 0.0
    optimiser: Literal["sgd", "adamw"] = "sgd"
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    eps: Annotated[float, Field(gt=0, le=1)] = 1e-8
    warmup_steps: Annotated[int, Field(ge=1, le=10**9)] | None = None


class Stage(SharedPart):
    """One stage of training: data and the number of images shown, counted with repetition.

    recipe : of this stage alone; without one the stage takes the recipe of the spec
    head : whether the stage keeps the classifier of the one before or begins with a fresh one, as fine-tuning on
        another label set usually does: logits that an earlier stage pushed down are far off for classes it never saw
    """

    data: StageData
    image_steps: Annotated[int, Field(ge=1, le=10**15)]
    recipe: Recipe | None = None
    head: Literal["kept", "fresh"] = "kept"


class Weights(SharedPart):
    """Pretrained weights: their name, and the digest of their file. Where that lies is no part of a spec."""

    name: Annotated[str, Field(min_length=1)]
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class Model(SharedPart):
    """A network by its timm name; `head` is the width of the classifier, unused logits allowed.

    weights : where training begins; none: at random
    train : everything, the classifier alone on a frozen network, or the classifier and the last N blocks
    exif : whether it sees images as they are stored, or turned upright as their EXIF orientation says
    decode : a JPEG image of twice the image size or more may be decoded at half its size (a quarter, an eighth), which
        is faster and gives slightly other pixels
    """

    name: str
    image_size: Annotated[int, Field(ge=8, le=4096)] = 32
    head: Annotated[int, Field(ge=2, le=10**6)] = 1000
    weights: Weights | None = None
    train: Annotated[str, Field(pattern=r"^(all|head|last:[1-9][0-9]?)$")] = "all"
    exif: Literal["ignore", "apply"] = "ignore"
    decode: Literal["full", "reduced"] = "full"

    @model_validator(mode="after")
    def _begins_somewhere(self) -> Model:
        if self.train != "all" and self.weights is None:
            raise ValueError(f"train: {self.train} freezes what nothing has trained; name weights, or train: all")
        return self

    @property
    def frozen(self) -> bool:
        """Whether the classifier alone is trained."""
        return self.train == "head"


def network_name(model: Mapping[str, Any]) -> str:
    """A network in words, as a spec writes it: its timm name, its weights, and what of it is trained.

    >>> network_name({"name": "resnet18"})
    'resnet18'
    >>> network_name({"name": "resnet18", "weights": {"name": "a1"}, "train": "head"})
    'resnet18 (a1, head)'
    """
    weights = model.get("weights")
    return f"{model['name']} ({weights['name']}, {model.get('train', 'all')})" if weights else str(model["name"])


class Seeds(SharedPart):
    """data: which images, which class gets which rank. training: initial weights, order, augmentation."""

    data: Annotated[int, Field(ge=0)]
    training: Annotated[int, Field(ge=0)]


class RunSpec(SharedPart):
    """Everything that decides a training run. Sources stand with their content digests, never with a path.

    Raises pydantic.ValidationError for anything impossible.
    """

    protocol: Annotated[int, Field(ge=1)]
    sources: dict[str, str]
    target: TargetSet
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]
    model: Model
    recipe: Recipe
    seeds: Seeds

    @model_validator(mode="after")
    def _consistent(self) -> RunSpec:
        if self.stages[0].head == "fresh":
            raise ValueError("the first stage has a fresh head anyway; head: fresh belongs to a later stage")
        self._check_recipes()
        used = {self.target.test.source, *(shift.source for shift in self.target.shifts.values())}
        others: dict[tuple[str, str], int] = {}  # of one source a smaller number of classes is part of a larger one
        for stage in self.stages:
            if stage.data.samples_per_class:
                used.add(stage.data.source)
            used |= {stage.data.blend.source} if stage.data.blend else set()
            for other in stage.data.others:
                used.add(other.source)
                key = other.source, other.split
                others[key] = max(others.get(key, 0), other.n_classes)
        width = len(self.target.classes) + sum(others.values())
        if width > self.model.head:
            raise ValueError(f"{width} classes do not fit a head of width {self.model.head}")
        if used != set(self.sources):
            raise ValueError(f"the spec uses sources {sorted(used)} and states digests of {sorted(self.sources)}")
        return self

    def _check_recipes(self) -> None:
        recipes = {self.recipe, *(stage.recipe for stage in self.stages if stage.recipe)}
        for recipe in recipes:  # here and not in the recipe: axes of a grid are read one by one
            if recipe.deferred and recipe.sampling == "natural" and recipe.class_weights == "none":
                raise ValueError("deferred says when sampling or class_weights begin; name one of them")
            if recipe.logit_adjustment_at == "test" and not recipe.logit_adjustment:
                raise ValueError("logit_adjustment_at is stated, but logit_adjustment, how much, is 0")
            _check_optimiser(recipe)
        if not self.model.frozen:
            if any(recipe.learning_rate is None for recipe in recipes):
                raise ValueError("the recipe names no learning_rate")
            return
        if len(self.stages) > 1:
            raise ValueError("a frozen network has one stage: its head is solved for, not trained on and on")
        if any(recipe.deferred for recipe in recipes):
            raise ValueError("deferred needs steps; the head of a frozen network is solved for")

    def content(self) -> dict[str, Any]:
        """The spec as plain data with defaults left out: what a record keeps."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def canonical(self, *, seeds: bool = True) -> str:
        """Canonical JSON: sorted keys, defaults left out, so a field added later changes no id."""
        content = self.content()
        if not seeds:
            del content["seeds"]
        return canonical_json(content)

    def recipe_of(self, stage: int) -> Recipe:
        """The recipe of one stage."""
        return self.stages[stage].recipe or self.recipe

    @property
    def run_id(self) -> str:
        """Hash of the spec: 16 hex digits of SHA-256."""
        return spec_id(self.canonical())

    @property
    def configuration_id(self) -> str:
        """Hash of the spec without its seeds."""
        return spec_id(self.canonical(seeds=False))


def _check_optimiser(recipe: Recipe) -> None:
    """Refuse what an optimiser does not have: it would give one run two ids."""
    strange = ("momentum",) if recipe.optimiser == "adamw" else ("beta1", "beta2", "eps")
    for name in strange:
        found, default = getattr(recipe, name), Recipe.model_fields[name].default
        if found != default:
            raise ValueError(f"{recipe.optimiser} has no {name}; leave it out (found {found}, not {default})")
    if recipe.warmup_steps is not None and recipe.warmup != Recipe.model_fields["warmup"].default:
        raise ValueError("warmup is a share of the steps and warmup_steps their number; name one of them")


def canonical_json(content: dict[str, Any]) -> str:
    """One text for equal content: keys sorted, no blanks, whole floats as integers, NaN refused.

    >>> canonical_json({"b": 1.0, "a": 1e-3})
    '{"a":0.001,"b":1}'
    """
    return json.dumps(_plain(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def spec_id(canonical: str) -> str:
    """Shortened SHA-256 of a canonical text."""
    return hashlib.sha256(canonical.encode()).hexdigest()[:ID_LENGTH]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def last_alone(image_steps: int, batch_size: int) -> bool:
    """Whether the last batch of a stage would be a single image, of which batch norm has no variance.

    >>> last_alone(65, 32), last_alone(64, 32), last_alone(1, 32)
    (True, False, False)
    """
    return image_steps > batch_size and image_steps % batch_size == 1


def seeded(*key: str | int) -> np.random.Generator:
    """A counter-based generator that depends on nothing but its key.

    >>> bool(seeded(1, "a").integers(9) == seeded(1, "a").integers(9))
    True
    """
    text = json.dumps(key, ensure_ascii=False)
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
    return np.random.Generator(np.random.Philox(key=number))


def ranked_classes(target: TargetSet, data_seed: int) -> list[str]:
    """The target classes in the order of their size; which class is large is random by the data seed."""
    order = seeded("rank", data_seed, target.name).permutation(len(target.classes))
    return [target.classes[i] for i in order]


def target_counts(spec: RunSpec, stage: int = -1) -> dict[str, int]:
    """{class: images wanted} of the target classes in one stage; with `ranks: source` the names are yet to be given."""
    data = spec.stages[stage].data
    if not data.samples_per_class:
        return {}
    counts: NDArray[np.int64] = profile_counts(data.profile, len(spec.target.classes), data.samples_per_class)
    if data.ranks == "listed":
        names = _listed_classes(spec.target.classes, data.profile)
    else:
        names = ranked_classes(spec.target, spec.seeds.data)
    return dict(zip(names, counts.tolist(), strict=True))


def _listed_classes(classes: Sequence[str], profile: Profile) -> list[str]:
    """Classes in the order of their size, where counts are stated for each of them."""
    if profile.shape != "explicit" or profile.counts is None:
        return list(classes)
    order = np.argsort(-np.array(profile.counts), kind="stable")
    return [classes[i] for i in order]


def planned_counts(spec: RunSpec, stage: int = -1) -> LabelDistribution:
    """The label distribution that a stage will be trained on.

    The names of other classes are drawn from their source at training; here they are placeholders.
    """
    data = spec.stages[stage].data
    rows: list[tuple[str, str, int]] = []
    for name, count in target_counts(spec, stage).items():
        blended = blended_count(count, data.blend)
        rows.append((name, data.source, count - blended))
        if data.blend:
            rows.append((name, data.blend.source, blended))
    for other in data.others:
        rows += [
            (f"other/{other.source}/{i:06d}", other.source, other.samples_per_class) for i in range(other.n_classes)
        ]
    return LabelDistribution.from_counts(rows, targets=spec.target.classes)


def blended_count(count: int, blend: Blend | None) -> int:
    """How many of a class's images come from the blend's source (half up)."""
    return int(count * blend.share + 0.5) if blend else 0
