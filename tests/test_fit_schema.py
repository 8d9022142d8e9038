"""fit.json of a wrong shape, with a right digest: one message that names the place, never a KeyError."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from predictor.errors import FitError
from predictor.models.fit import content_digest, load_fit, parse_fit, shipped_fit
from predictor.models.fit_schema import KINDS, shape_faults

FREE = {"validation", "versions"}  # printed by nobody who reads a fit, or any text


def shortened(value: Any, longest: int = 80) -> Any:
    """A copy whose lists are cut: those of a value a configuration all alike, so that they still belong together."""
    if isinstance(value, dict):
        return {key: shortened(inside, longest) for key, inside in value.items()}
    return [shortened(inside, longest) for inside in value[:longest]] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    """The fit that ships, with one outcome and fewer configurations: it is looked at thousands of times."""
    whole = shortened(shipped_fit().content)
    whole["outcomes"] = {"accuracy": whole["outcomes"]["accuracy"]}
    del whole["recipe_families"]  # of the same shape
    return whole


def places(value: Any, alike: set[str], place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """One place of every kind: of long lists and of mappings from names to alike things, the first.

    alike : names whose values look as those of a name that is not among them
    """
    if place:
        yield place
    if isinstance(value, dict):
        for key in list(value)[: 1 if len(value) > 16 else None]:
            if key not in alike:
                yield from places(value[key], alike, (*place, key))
    elif isinstance(value, list) and value:
        yield from places(value[0], alike, (*place, 0))


def changed(content: dict[str, Any], place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """A copy with one value changed; only what leads there is copied."""
    copied = inside = dict(content)
    for key in place[:-1]:
        inside[key] = copy.copy(inside[key])
        inside = inside[key]
    inside[place[-1]] = value
    return copied


def at(content: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        content = content[key]
    return content


def test_the_fit_that_ships_has_the_shape(content):
    assert shape_faults(content) == []
    kinds = {parameters["kind"] for parameters in content["outcomes"]["accuracy"]["families"].values()}
    assert kinds <= set(KINDS)


def test_no_value_of_another_type_passes(content):
    kinds = list(places(content, alike=set(sorted(shipped_fit().domains)[1:])))
    assert len(kinds) > 150
    passed = []
    for place in kinds:
        if place[0] in FREE:
            continue
        own = at(content, place)
        others = ["x", True, None, [["x"]], {"a": {"b": "c"}}]
        wrong = [other for other in others if not isinstance(other, type(own)) and (other is not True or own != 1)]
        passed += [(place, other) for other in wrong if not shape_faults(changed(content, place, other))]
    optional = {"joint", "extrapolation", "per_class", "scale", "configuration", "target_set", "model", "image_size"}
    optional |= {
        "image_steps",
        "quantiles",
        "covered",
        "level_sd",
        "probed",
        "width",
        "domain",
        "usual_steps",
        "network",
        "learning_rate",
        "calibrates",
        "mapping",
        "new_domain",
        "new_target_set",
    }  # None where there is nothing to say
    assert [(p, v) for p, v in passed if v is not None or not optional & {str(part) for part in p}] == []


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        (("recipe",), "DELETED", "recipe: Field required"),
        (("outcomes", "accuracy", "families", "linear", "low"), [], "low has 0 entries"),
        (("outcomes", "accuracy", "families", "boosting", "trees", 0, "left", 0), 0, r"node 0 leads to \[0, \d+\]"),
        (("outcomes", "accuracy", "families", "boosting", "trees", 0, "left", 0), 10**9, "node 0 leads to"),
        (("outcomes", "accuracy", "families", "boosting", "trees", 0, "feature", 0), 99, r"not among the \d+ stated"),
        (("outcomes", "accuracy", "families", "linear", "scale", 0), 0.0, "a scale is not above 0"),
        (("outcomes", "accuracy", "configuration", "family"), "none", "names the family 'none', of which it holds no"),
        (("outcomes", "accuracy", "configuration", "residuals"), [0.1], "residuals has 1 entries"),
        (("target_sets", "\ud800"), {}, "target_sets"),
        (("levels", 0), "x" * 100_000, "at most 1000 characters"),
    ],
)
def test_the_fault_is_named_with_its_place(content, tmp_path, place, value, problem):
    edited = changed(content, place, value)
    if value == "DELETED":
        del edited[place[0]]
    file = tmp_path / "fit.json"
    file.write_text(json.dumps({**edited, "digest": content_digest(edited)}))
    with pytest.raises(FitError, match=problem) as raised:
        load_fit(file)
    text = str(raised.value)
    assert text.startswith(f"{file}: has not the shape of a fit: ") and len(text) < 4_000
    assert text.endswith("fit again: predictor fit RUNS --output FIT")


def test_parameters_of_own_families_are_free(content):
    mine = {"kind": "mine", "features": ["n_samples"], "whatever": [{"a": None}]}
    assert shape_faults(changed(content, ("outcomes", "accuracy", "families", "mine"), mine)) == []


def test_numbers_that_no_computer_holds(tmp_path):
    for text in ('{"kind": ' + "9" * 5000 + "}", "[" * 100_000, '{"kind": "predictor-fit", "schema_version": 1e999}'):
        with pytest.raises(FitError, match="fit again"):
            parse_fit(text, where="fit.json")
