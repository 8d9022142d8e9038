"""Files of a wrong shape, and options beyond every number."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import Attack
from made import STUDY, fit_content, grid, manifest, records, registry

VALUES: tuple[Any, ...] = (
    "x",
    None,
    True,
    -1,
    0,
    1e308,
    10**30,
    [],
    {},
    [None],
    ["x"],
    {"a": 1},
    [[1]],
    3.5,
    "\ud800",
    "x" * 5_000,
)
HUGE = (
    "9" * 400,
    "-1",
    "0",
    "1e400",
    "nan",
    "inf",
    "-inf",
    "9223372036854775808",
    "",
    " ",
    "\u0661",
    "1_000",
    "0x10",
    "\x1b[2J",
)


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if place:
        yield place
    if isinstance(value, dict):
        for key in list(value)[: 2 if len(value) > 13 else None]:
            yield from _places(value[key], (*place, key))
    elif isinstance(value, list) and value:
        yield from _places(value[0], (*place, 0))


def _changed(text: str, place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    content = inside = json.loads(text)
    for key in place[:-1]:
        inside = inside[key]
    if value == "deleted":
        del inside[place[-1]]
    else:
        inside[place[-1]] = value
    return content


def fits(n: int) -> Iterator[Attack]:
    """fit.json with one value changed and a right digest: a result, or a message."""
    from predictor.models.fit import content_digest

    text, dice = fit_content(), random.Random(0)
    kinds = list(_places(json.loads(text)))
    for _ in range(n):
        place, value = dice.choice(kinds), dice.choice((*VALUES, "deleted"))

        def prepare(folder: Path, place=place, value=value) -> None:
            manifest(folder)
            content = _changed(text, place, value)
            (folder / "fit.json").write_text(json.dumps({**content, "digest": content_digest(content)}))

        where, said = ".".join(map(str, place))[:80], repr(value)[:20]
        yield Attack(kind="wrong shapes", what=f"fit: {where} = {said!a}", prepare=prepare, codes=(0, 2),
                     args=["predict", "m.csv", "--fit", "fit.json", "--classes"])  # fmt: skip


def registries(n: int) -> Iterator[Attack]:
    """A record with one value changed."""
    dice = random.Random(1)
    text = records(1)[0]
    kinds = list(_places(json.loads(text)))
    commands = (
        ["runs", "list", "runs"],
        ["runs", "check", "runs"],
        ["agreement", "runs"],
        ["fit", "runs"],
        ["runs", "pack", "runs"],
    )
    for number in range(n):
        place, value = dice.choice(kinds), dice.choice((*VALUES, "deleted"))

        def prepare(folder: Path, place=place, value=value) -> None:
            study = registry(folder)
            content = _changed(text, place, value)
            (study / f"{json.loads(text)['run_id']}.json").write_text(json.dumps(content) + "\n")

        args = commands[number % len(commands)]
        where, said = ".".join(map(str, place))[:80], repr(value)[:20]
        yield Attack(
            kind="wrong shapes",
            what=f"record: {where} = {said!a}: {args[-2]}",
            args=args,
            prepare=prepare,
            codes=(0, 2),
        )


OPTIONS: dict[str, list[str]] = {
    "predict m.csv": ["--level", "--image-size", "--image-steps", "--recipe"],
    "advise m.csv --budget 9": ["--level", "--reach", "--image-size", "--image-steps", "--recipe", "--merge-below", "--drop-below", "--other"],
    "fit runs": ["--recipe", "--base"],
    "advise m.csv": ["--budget"], "agreement runs": ["--level", "--draws", "--seed"], "design runs": ["--next"],
    "pilots m.csv --source s --digest sha256:" + "0" * 64: ["--next"],
    "pilots m.csv --next 1 --source s --digest sha256:" + "0" * 64: ["--share", "--seeds", "--image-steps", "--level"],
    "rates g.yaml": ["--rate", "--image-steps", "--samples-per-class", "--neighbours", "--seeds"],
    "indicators m.csv": ["--name", "--split", "--label"],
}  # fmt: skip
NAMES = (
    "gini",
    "long_tail@" + "9" * 400,
    "long_tail@nan",
    "left_skew@-1",
    "zipf_exponent@1",
    "coverage@1e308",
    "tail_mass@",
)


def options() -> Iterator[Attack]:
    """Numbers that no computer holds, and text where a number belongs."""
    for command, names in OPTIONS.items():
        for name in names:
            for value in HUGE:
                yield Attack(
                    kind="options", what=f"{command[:30]} {name} {value[:20]!a}", args=[*command.split(), name, value], codes=(0, 2),
                    prepare=lambda folder: (manifest(folder), registry(folder), grid(folder)),
                )  # fmt: skip
    for name in NAMES:
        yield Attack(
            kind="options",
            what=f"--name {name[:20]}",
            args=["indicators", "m.csv", "--name", name],
            prepare=manifest,
            codes=(0, 2),
        )
    for name in ("workers", "threads", "timeout", "memory-limit", "retry"):
        for value in ("9" * 400, "-1", "nan", "x", ""):
            yield Attack(kind="options", what=f"trainer run --{name} {value[:9]}", program="trainer", prepare=_finished,
                         args=["run", "g.yaml", f"--{name}", value], codes=(0, 2))  # fmt: skip


def _finished(folder: Path) -> None:
    """A grid whose study has other records: nothing is trained, whatever the option says."""
    grid(folder, "protocol: 3", "protocol: 99")
    (folder / "runs" / STUDY).mkdir(parents=True)
