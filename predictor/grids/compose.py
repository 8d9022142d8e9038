"""The one builder of grids: what a grid needs beside its blocks, from a spec that was trained or from what is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from predictor.spec import Recipe, RunSpec, StageData, TestSet

Block = Mapping[str, Any]


def compose(
    *,
    study: str,
    protocol: int,
    sources: Mapping[str, Mapping[str, Any]],
    target_sets: Mapping[str, Mapping[str, Any]],
    model: Mapping[str, Any],
    recipe: Mapping[str, Any],
    seeds: Sequence[int | Mapping[str, int]] | Mapping[str, Any],
    blocks: Iterable[Block],
    stage_plans: Mapping[str, Any] | None = None,
    held_out: bool = False,
) -> dict[str, Any]:
    """A grid as plain data, in the order in which its file states it; `grids.write.grid_text` makes the file.

    protocol : of the runs that it stands beside, or `spec.PROTOCOL` of runs that stand alone
    sources, target_sets : see `source` and `target_set`; those that no block names are left out
    seeds : each one, or how many are drawn for each configuration: {n: 3, drawn: each}
    """
    blocks = [dict(block) for block in blocks]
    named = {name for block in blocks for name in _listed(block["target_set"])}
    used = {name: dict(entry) for name, entry in target_sets.items() if name in named}
    content: dict[str, Any] = {"study": study, "protocol": protocol}
    if held_out:
        content["held_out"] = True
    wanted = sources_of(used.values(), blocks)
    return content | {
        "sources": {name: dict(entry) for name, entry in sources.items() if name in wanted},
        "target_sets": used,
        "model": dict(model),
        "recipe": dict(recipe),
        "seeds": dict(seeds) if isinstance(seeds, Mapping) else [_plain(seed) for seed in seeds],
        **({"stage_plans": dict(stage_plans)} if stage_plans else {}),
        "grid": blocks,
    }


def _plain(seed: int | Mapping[str, int]) -> int | dict[str, int]:
    return dict(seed) if isinstance(seed, Mapping) else seed


def sources_of(target_sets: Iterable[Mapping[str, Any]], blocks: Iterable[Block]) -> set[str]:
    """Names of the sources that target sets train and test on, and that blocks take other classes from.

    >>> sorted(sources_of([{"source": "a", "shifts": {"tiny": {"source": "b"}}}], [{"others": [[{"source": "c"}]]}]))
    ['a', 'b', 'c']
    """
    found = set()
    for target in target_sets:
        tests = [target, *target.get("shifts", {}).values()]
        found |= {test["source"] if isinstance(test, Mapping) else test for test in tests}
    for block in blocks:
        for level in (*_listed(block.get("others")), *_listed(block.get("blend"))):
            found |= {group["source"] for group in _listed(level) if isinstance(group, Mapping)}
    return found


def source(name: str, digest: str, file: str | None = None) -> dict[str, str]:
    """A source of a grid; a digest of bytes belongs to a file, named as its source unless it is stated.

    >>> source("mine", "sha256:0123"), source("digits", "builtin:digits")
    ({'file': 'mine.parquet', 'digest': 'sha256:0123'}, {'digest': 'builtin:digits'})
    """
    file = file or (f"{name}.parquet" if digest.startswith("sha256:") else None)
    return {"digest": digest} if file is None else {"file": file, "digest": digest}


def target_set(
    *,
    domain: str,
    source: str,
    classes: Sequence[str],
    train_split: str = "train",
    test_split: str = "test",
    shifts: Mapping[str, TestSet] | None = None,
    flip: bool | None = None,
    ranks: str = "drawn",
    short: str = "error",
) -> dict[str, Any]:
    """A target set of a grid, without what is so by default.

    >>> target_set(domain="digits", source="mine", classes=["0", "1"])
    {'domain': 'digits', 'source': 'mine', 'classes': ['0', '1']}
    """
    content: dict[str, Any] = {"domain": domain, "source": source, "classes": list(classes)}
    if train_split != "train":
        content["train_split"] = train_split
    if test_split != "test":
        content["test_split"] = test_split
    if shifts:
        content["shifts"] = {name: shifts[name].model_dump(mode="json") for name in sorted(shifts)}
    if flip is not None and flip != Recipe.model_fields["flip"].default:
        content["flip"] = flip
    defaults = StageData.model_fields
    how = {"ranks": ranks, "short": short}
    return content | {name: value for name, value in how.items() if value != defaults[name].default}


def target_set_of(
    spec: RunSpec, domain: str, shifts: Mapping[str, TestSet], *, trained: tuple[str, str] | None = None
) -> dict[str, Any]:
    """The target set that a spec trains and tests, with these shifts.

    trained : (source, split) of its images; those of the spec's first stage where left out
    """
    source, split = trained or (spec.stages[0].data.source, spec.stages[0].data.split)
    return target_set(
        domain=domain, source=source, classes=spec.target.classes, train_split=split,
        test_split=spec.target.test.split, shifts=shifts, flip=spec.recipe.flip,
        ranks=spec.stages[0].data.ranks, short=spec.stages[0].data.short,
    )  # fmt: skip


def recipe_of(spec: RunSpec) -> dict[str, Any]:
    """The recipe that a spec states, without what is so by default; flips go by the target set."""
    return spec.recipe.model_dump(mode="json", exclude_defaults=True, exclude={"flip"})


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
