"""Run specs: ids that depend on content alone, planned counts, impossible specs refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError, create_model
from pydantic.fields import FieldInfo

from predictor.profiles import Profile, SharedPart
from predictor.spec import (
    Blend,
    Recipe,
    RunSpec,
    StageData,
    blended_count,
    canonical_json,
    planned_counts,
    ranked_classes,
    seeded,
    spec_id,
    target_counts,
)

CLASSES = ("bee", "bus", "cat", "NO")


def content(**data: Any) -> dict[str, Any]:
    return {
        "protocol": 1,
        "sources": {"photos": "sha256:00", "sketches": "sha256:11"},
        "target": {
            "name": "photos/a",
            "classes": list(CLASSES),
            "test": {"source": "photos"},
            "shifts": {"sketch": {"source": "sketches"}},
        },
        "stages": [{"data": {"source": "photos", "samples_per_class": 10, **data}, "image_steps": 600}],
        "model": {"name": "predictor_small", "head": 16},
        "recipe": {"learning_rate": 0.001},
        "seeds": {"data": 3, "training": 4},
    }


def spec(**data: Any) -> RunSpec:
    return RunSpec.model_validate(content(**data))


def changed(path: str, value: Any) -> dict[str, Any]:
    whole = content()
    *way, last = path.split(".")
    inner: Any = whole
    for step in way:
        inner = inner[int(step) if step.isdecimal() else step]
    inner[last] = value
    return whole


def shuffled(value: Any, draw: Any) -> Any:
    if isinstance(value, dict):
        return {key: shuffled(value[key], draw) for key in draw(st.permutations(list(value)))}
    return [shuffled(item, draw) for item in value] if isinstance(value, list) else value


# Ids that were given once must never change: registries are full of them. Never edit these two.
GOLDEN_RUN = "eff711fd0b653d1d"
GOLDEN_CONFIGURATION = "880e0ed8a2cb444b"


def test_golden_ids() -> None:
    given_once = spec(profile={"shape": "step", "ratio": 10, "share": 0.5})
    assert (given_once.run_id, given_once.configuration_id) == (GOLDEN_RUN, GOLDEN_CONFIGURATION)


@given(st.data())
def test_ids_do_not_depend_on_the_order_of_keys(data) -> None:
    whole = content(profile={"shape": "step", "ratio": 10, "share": 0.5}, blend={"source": "sketches", "share": 0.2})
    again = RunSpec.model_validate(shuffled(whole, data.draw))
    assert again.run_id == RunSpec.model_validate(whole).run_id


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("recipe.learning_rate", float("1e-3")),
        ("recipe.learning_rate", 0.0010),
        ("stages.0.image_steps", 600.0),
        ("recipe.batch_size", 128),  # a default, stated
        ("stages.0.data.profile", {"shape": "balanced", "edits": []}),
        ("model.image_size", 32.0),
        ("model.image_size", 32),
        ("target.test", {"source": "photos", "split": "test"}),
    ],
)
def test_ids_do_not_depend_on_how_a_number_or_a_default_is_written(path, value) -> None:
    assert RunSpec.model_validate(changed(path, value)).run_id == spec().run_id


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("protocol", 2),
        ("sources.photos", "sha256:99"),
        ("target.classes", ["bus", "bee", "cat", "NO"]),  # the order decides the ranks
        ("recipe.learning_rate", 0.002),
        ("recipe.flip", False),
        ("stages.0.image_steps", 601),
        ("stages.0.data.split", "other"),
        ("model.head", 17),
    ],
)
def test_ids_depend_on_everything_that_decides_a_run(path, value) -> None:
    assert RunSpec.model_validate(changed(path, value)).configuration_id != spec().configuration_id


DIGEST = "sha256:" + "2" * 64
EDITS = [{"truncate_head": 12}, {"rebalance_tail": 3}, {"rebalance_middle": [2, 5]}, {"delete_proportionally": 11}]
RICH = [  # between them every field can be changed alone
    ({"shape": "step", "ratio": 10, "share": 0.5, "edits": EDITS}, {"name": "predictor_small", "head": 16}),
    (
        {"shape": "zipf", "exponent": 1.5},
        {"name": "resnet18", "head": 16, "weights": {"name": "a1", "digest": DIGEST}, "train": "last:2"},
    ),
    ({"shape": "natural", "counts": [9, 5, 2, 1]}, {"name": "predictor_small", "head": 16}),
]


def rich(profile: dict[str, Any], model: dict[str, Any]) -> RunSpec:
    """A spec with every optional part in it."""
    whole = content(
        profile=profile,
        blend={"source": "sketches", "share": 0.2},
        others=[{"source": "sketches", "n_classes": 2, "samples_per_class": 3}],
    )
    whole["stages"].append({"data": {"source": "photos", "samples_per_class": 5}, "image_steps": 100, "head": "fresh"})
    whole["stages"][1]["recipe"] = {"learning_rate": 0.002, "optimiser": "adamw"}
    whole["recipe"] |= {"sampling": "sqrt", "deferred": 0.5, "logit_adjustment": 1.0}
    return RunSpec.model_validate(whole | {"model": model})


def leaves(part: SharedPart, way: tuple[Any, ...] = ()) -> Iterator[tuple[type[SharedPart], str, tuple[Any, ...]]]:
    """(class, field, path) of every field of a spec that holds no parts itself."""
    for name in type(part).model_fields:
        value = getattr(part, name)
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, tuple) else ()
        parts = [((name, key), item) for key, item in inner if isinstance(item, SharedPart)]
        parts += [((name,), value)] if isinstance(value, SharedPart) else []
        for path, item in parts:
            yield from leaves(item, way + path)
        if not parts:
            yield type(part), name, (*way, name)


def others_of(value: Any, field: FieldInfo) -> list[Any]:
    """Values that the field may have instead."""
    named = [item for kind in (field.annotation, *get_args(field.annotation)) for item in get_args(kind)]
    found: list[Any] = [item for item in named if isinstance(item, str)]
    if isinstance(value, bool):
        found += [not value]
    elif isinstance(value, int | float):
        found += [value + 1, value * 2, value / 2, 0.25, 0.75, 9]
    elif isinstance(value, str):
        found += [value + "x", value[:-1] + "3", "photos", "sketches", "all", "last:1", "inverse"]
    elif isinstance(value, list):
        found += [value[::-1], value[:-1], [item + 1 for item in value if isinstance(item, int)]]
        found += [[{"rebalance_tail": 3}], [{"source": "sketches", "n_classes": 2, "samples_per_class": 3}]]
    elif isinstance(value, dict):
        found += [{key: item + "x" for key, item in value.items() if isinstance(item, str)}]
    else:  # unset
        found += [0.5, 2, "x", [1, 2], {"source": "sketches", "share": 0.5}, {"learning_rate": 0.5}]
        found += [[{"rebalance_tail": 3}], {"name": "a1", "digest": DIGEST}]
    return [item for item in found if item != value]


def test_the_id_changes_with_every_single_field() -> None:
    """A field that no id depends on would make two different runs one."""
    fields, changed_alone = set(), set()
    for profile, model in RICH:
        original = rich(profile, model)
        plain = original.model_dump(mode="json")
        for kind, name, path in leaves(original):
            fields.add((kind.__name__, name))
            inner: Any = plain
            for step in path[:-1]:
                inner = inner[step]
            for value in others_of(inner[name], kind.model_fields[name]):
                before, inner[name] = inner[name], value
                try:
                    found = RunSpec.model_validate(plain)
                except ValidationError:
                    continue
                finally:
                    inner[name] = before
                if found != original:
                    changed_alone.add((kind.__name__, name))
                    assert found.run_id != original.run_id, (path, value)
                    alike = found.configuration_id == original.configuration_id
                    assert alike == (path[0] == "seeds"), (path, value)
    assert len(fields) > 40 and fields - changed_alone == set(), "each of them needs a value that it can have instead"


def test_seeds_are_in_the_run_id_and_not_in_the_configuration() -> None:
    a, b = spec(), RunSpec.model_validate(changed("seeds", {"data": 3, "training": 5}))
    assert a.run_id != b.run_id and a.configuration_id == b.configuration_id


def test_a_field_added_later_changes_no_id() -> None:
    later = create_model("Recipe", __base__=Recipe, ema=(float, 0.0))
    recipe = spec().recipe.model_dump(exclude_defaults=True)
    assert later.model_validate(recipe).model_dump(exclude_defaults=True) == recipe == {"learning_rate": 0.001}


def test_a_spec_comes_back_from_its_record() -> None:
    original = spec(others=[{"source": "sketches", "n_classes": 2, "samples_per_class": 3}])
    again = RunSpec.model_validate(json.loads(original.canonical()))
    assert again == original and again.run_id == original.run_id == spec_id(canonical_json(original.content()))
    assert len(original.run_id) == 16 and int(original.run_id, 16) >= 0


def test_canonical_json_refuses_what_is_no_number() -> None:
    with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
        canonical_json({"a": float("nan")})


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "sources",
            {"photos": "sha256:00"},
            r"uses sources \['photos', 'sketches'\] and states digests of \['photos'\]",
        ),
        ("sources.unused", "sha256:22", r"and states digests of \['photos', 'sketches', 'unused'\]"),
        ("target.classes", ["bee", "bee"], "target set 'photos/a' names a class twice"),
        ("target.classes", ["bee"], "at least 2 items"),
        ("model.head", 3, "4 classes do not fit a head of width 3"),
        ("stages", [], "at least 1 item"),
        ("stages.0.image_steps", 0, "greater than or equal to 1"),
        ("stages.0.image_steps", "600", "needs a number"),
        ("recipe.learning_rate", float("inf"), "finite number"),
        ("recipe.learning_rate", 0, "greater than 0"),
        ("recipe.learning_rat", 0.1, "Extra inputs are not permitted"),
        ("recipe.augmentation", "all", "Input should be 'simclr'"),
        ("seeds.data", -1, "greater than or equal to 0"),
        ("seeds.data", True, "needs a number"),
    ],
)
def test_impossible_specs(path, value, message) -> None:
    with pytest.raises(ValidationError, match=message):
        RunSpec.model_validate(changed(path, value))


def test_a_spec_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        spec().protocol = 2


def test_planned_counts_name_classes_and_sources() -> None:
    planned = planned_counts(
        spec(
            profile={"shape": "step", "ratio": 9, "share": 0.5},
            blend={"source": "sketches", "share": 0.25},
            others=[{"source": "sketches", "n_classes": 2, "samples_per_class": 3}],
        )
    )
    assert sorted(planned.target_counts.tolist()) == [2, 2, 18, 18] and planned.target_names == tuple(sorted(CLASSES))
    assert planned.other_counts.tolist() == [3, 3]
    assert planned.class_names[-2:] == ("other/sketches/000000", "other/sketches/000001")
    assert planned.counts_by_source() == {"photos": 28, "sketches": 12 + 6}  # a quarter, half up: 5 of 18, 1 of 2


@given(st.integers(0, 5000), st.floats(0.01, 1))
def test_a_blend_takes_its_share_of_each_class(count, share) -> None:
    taken = blended_count(count, Blend(source="s", share=share))
    assert 0 <= taken <= count and abs(taken - count * share) <= 0.5
    assert blended_count(count, None) == 0


@given(st.integers(0, 50), st.integers(1, 40), st.integers(1, 40))
def test_ranks_are_the_same_for_every_size(seed, small, large) -> None:
    def counts(size: int) -> dict[str, int]:
        whole = content(samples_per_class=size, profile={"shape": "exponential", "ratio": 5})
        return target_counts(RunSpec.model_validate({**whole, "seeds": {"data": seed, "training": 0}}))

    a, b = counts(min(small, large)), counts(max(small, large))
    assert list(a) == list(b) and all(a[name] <= b[name] for name in CLASSES)


def test_ranks_follow_the_data_seed_and_the_target_set() -> None:
    target = spec().target
    orders = {tuple(ranked_classes(target, seed)) for seed in range(30)}
    assert len(orders) > 10 and all(sorted(order) == sorted(CLASSES) for order in orders)
    renamed = target.model_copy(update={"name": "photos/b"})
    assert any(ranked_classes(target, seed) != ranked_classes(renamed, seed) for seed in range(10))
    assert ranked_classes(target, 3) == RANKS_OF_SEED_3


@pytest.mark.parametrize("seed", [0, 1])
def test_counts_stand_with_the_classes_that_a_target_set_lists(seed) -> None:
    """With `ranks: listed` a manifest is trained as it is, whatever the data seed."""

    def counts(profile: dict[str, object]) -> dict[str, int]:
        whole = content(samples_per_class=5, profile=profile)
        whole["stages"][0]["data"]["ranks"] = "listed"
        return target_counts(RunSpec.model_validate({**whole, "seeds": {"data": seed, "training": 0}}))

    stated = [2, 9, 4, 9]
    assert counts({"shape": "explicit", "counts": stated}) == dict(zip(CLASSES, stated, strict=True))
    assert list(counts({"shape": "exponential", "ratio": 8})) == list(CLASSES)


RANKS_OF_SEED_3 = ["bee", "NO", "bus", "cat"]  # these decide which images a run saw: never edit them


def test_a_seeded_generator_depends_on_its_key_alone() -> None:
    assert seeded("a", 1).integers(1 << 30) == seeded("a", 1).integers(1 << 30)
    assert len({int(seeded(*key).integers(1 << 30)) for key in [("a", 1), ("a", 2), ("b", 1), ("a", "1")]}) == 4


def test_parts_state_their_defaults() -> None:
    data = StageData(source="s", samples_per_class=1)
    assert data.profile == Profile() and data.blend is None and data.others == ()
