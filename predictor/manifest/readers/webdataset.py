"""WebDataset shards: tar files whose members `key.cls`, `key.json` and `key.jpg` make one sample."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice, repeat
from pathlib import Path

from predictor.errors import ManifestError, listed
from predictor.manifest.cells import NO_SEPARATOR, Cells, decoded
from predictor.manifest.counted import ManifestRequest
from predictor.manifest.parts import Cell, ListedPart, Opened, Row
from predictor.manifest.readers.files import chosen_files, first_file
from predictor.manifest.readers.folder_tree import IMAGE_ENDINGS
from predictor.manifest.readers.limits import LabelFaults, refuse
from predictor.manifest.readers.paths import files_of
from predictor.manifest.readers.tar import MAX_READ, is_tar, members
from predictor.manifest.table import USUAL

ENDINGS = (".tar", ".tar.gz", ".tgz")
LABELS = (".cls", ".json", ".txt", ".id")  # members that may hold a label
MEMBER = "cls"  # the member that holds the label, by default
KEYS = ("label", "cls", *USUAL[1:])  # of a .json member, the first it has
MANY = 100  # members, endings or keys looked at where a few tell
MAX_SHARDS = 1_000_000
WORTH = 1 << 26  # bytes of shards that are worth starting processes
_RANGE = re.compile(r"\{(\d{1,9})\.\.(\d{1,9})\}")


Sample = dict[str, str]  # {origin: label as JSON}; an origin is '.cls', or "key 'label' of .json"


@dataclass
class Shard:
    """Labels of one shard.

    samples : {labels of a sample by origin: number of such samples}; first : the key of the first of these
    """

    path: Path
    samples: Counter[tuple[tuple[str, str], ...]] = field(default_factory=Counter)
    first: dict[tuple[tuple[str, str], ...], str] = field(default_factory=dict)
    endings: set[str] = field(default_factory=set)  # of members, some of them
    keys: set[str] = field(default_factory=set)  # of .json members without a label, some of them
    faults: LabelFaults = field(default_factory=LabelFaults)


def recognises(path: Path, head: bytes) -> bool:
    """A tar file, a pattern that tar files fit, or a folder of tar files that hold labels."""
    if path.is_file():
        return is_tar(head) or path.name.lower().endswith(ENDINGS)
    if path.is_dir():
        shard = first_file(path, ENDINGS)
        return shard is not None and _has_labels(shard)
    shards = _shards(path)
    return bool(shards) and all(shard.name.lower().endswith(ENDINGS) for shard in shards)


@contextmanager
def opened(path: Path, request: ManifestRequest) -> Iterator[Opened]:
    """All shards: a file, a folder, a pattern (`*.tar`) or a range (`{000000..000009}.tar`).

    The label of a sample is its member `.cls`, or else the key `label` (`cls`, `class`, ...) of its member `.json`;
    `request.label` names another member or key. Members of one sample are found by their key, wherever in the shard
    they lie. A .json value that is a list gives the sample several labels; `request.several` says which of them count.

    Raises ManifestError for a shard that cannot be read to its end, for labels that cannot be used, and where two
    origins say different labels and only some samples have both.
    """
    refuse(request, "WebDataset shards", str(path), "count", "weight", "where", "header", "sheet", "instances")
    found = _shards(path)
    if not found:
        raise ManifestError("no shard found", where=str(path), remedy="name .tar files, a folder or a pattern of them")
    files, notes = chosen_files(path, found, request)
    shards = list(_read_all([file.path for file in files], request))
    faults = LabelFaults()
    for shard in shards:
        faults.join(shard.faults)
    faults.check(str(path), "a label is text, a whole number or a list of them")
    origins, said = _origins_of(shards, path, request)
    parts = [
        ListedPart(
            where=str(path),
            file=file.path,
            listing=partial(_rows, file.path, request, origins),
            counted=partial(_cells, shard, origins),
            split=file.split,
            json=True,
        )
        for file, shard in zip(files, shards, strict=True)
    ]
    yield Opened(parts, [*notes, *said], "image")


def _cells(shard: Shard, origins: Sequence[str]) -> Iterator[Cell]:
    for labels, n in shard.samples.items():
        yield _first(dict(labels), origins), "", "", n


def _rows(path: Path, request: ManifestRequest, origins: Sequence[str]) -> Iterator[Row]:
    for row, (key, (labels, image)) in enumerate(_samples(Shard(path), request).items()):
        yield _first(labels, origins), "", "", image or key, row


def _first(labels: Sample, origins: Sequence[str]) -> str | None:
    return next((labels[origin] for origin in origins if origin in labels), None)


def _origins_of(shards: Sequence[Shard], path: Path, request: ManifestRequest) -> tuple[list[str], list[str]]:
    """(where labels are taken from, first the one that counts where a sample has both; notes)."""
    ending, keys = _origins(request.label)
    known = [f".{ending}", *map(_of_key, keys)]
    n: Counter[str] = Counter()
    samples = both = n_differ = 0
    differ: list[str] = []
    cells = Cells(replace(request, several_separator=NO_SEPARATOR))
    for shard in shards:
        for found, times in shard.samples.items():
            samples += times
            n.update(dict.fromkeys((origin for origin, _ in found), times))
            if len(found) > 1:
                both += times
                said = {origin: cells.of(decoded(text)) for origin, text in found}
                if len(set(said.values())) > 1:
                    n_differ += times
                    both_say = ", ".join(f"{' '.join(names)!r} ({origin})" for origin, names in said.items())
                    differ.append(f"{shard.first[found]!r} {both_say}")
    origins = [origin for origin in known if n[origin]]
    if not origins:
        total = {f".{end}" for shard in shards for end in shard.endings} | {
            f"key {key!r}" for shard in shards for key in shard.keys
        }
        raise ManifestError(
            f"{samples:,} samples, none with a member .{ending} or a .json with a key "
            f"{' or '.join(map(repr, keys))}; found {listed(sorted(total, reverse=True)) or 'no member key.ending'}",
            where=str(path),
            remedy="name the member or the key of .json that holds the class with --label NAME; "
            "a packed image folder has to be unpacked",
        )
    notes = []
    if differ:
        if n[origins[0]] < max(samples, 1) and any(n[o] > both for o in origins[1:]):
            raise ManifestError(
                f"{n_differ:,} samples have two labels that differ, and others only one of them: {listed(differ)}",
                where=str(path),
                remedy="choose one with --label cls, or --label KEY of .json",
            )
        notes.append(f"labels taken from {origins[0]}; {n_differ:,} samples have another beside it, first {differ[0]}")
    elif len(origins) > 1:
        notes.append(f"labels taken from {' and '.join(origins)}")
    elif origins[0] != f".{MEMBER}":
        notes.append(f"labels taken from {origins[0]}")
    return origins, notes


def read_shard(path: Path, request: ManifestRequest) -> Shard:
    """The labels of one shard, counted."""
    shard = Shard(path)
    for key, (labels, _) in _samples(shard, request).items():
        found = tuple(sorted(labels.items()))
        shard.samples[found] += 1
        shard.first.setdefault(found, key)
    return shard


def _samples(shard: Shard, request: ManifestRequest) -> dict[str, tuple[Sample, str]]:
    """{key: (labels, name of the image, or of a member that is no label)}, in the order of their first members."""
    ending, keys = _origins(request.label)
    samples: dict[str, tuple[Sample, str]] = {}
    cells = Cells(ManifestRequest(several_separator=NO_SEPARATOR))
    seen: set[tuple[str, str]] = set()
    for name, size, content in members(shard.path, lambda name: name.lower().endswith((f".{ending}", ".json"))):
        folder, slash, file = name.rpartition("/")
        stem, dot, end = file.partition(".")
        if not dot or not stem or name.startswith("__"):  # as webdataset.tariterators leaves them out
            continue
        key, end = folder + slash + stem, end.lower()
        labels, image = samples.setdefault(key, ({}, ""))
        if end not in (ending, "json"):
            if not image or (_is_image(name) and not _is_image(image)):  # captions and masks may lie before it
                samples[key] = labels, name
            if len(shard.endings) < MANY:
                shard.endings.add(end)
            continue
        try:
            if (key, end) in seen:
                raise ValueError(f"is the second .{end} of its sample")
            seen.add((key, end))
            if content is None:
                raise ValueError(f"holds {size:,} bytes; the limit is {MAX_READ:,}")
            if end == ending:
                if text := _checked(content.decode("utf-8-sig").strip(), cells):
                    labels[f".{ending}"] = text
            else:
                _add_json(shard, labels, content, keys, cells)
        except (ValueError, RecursionError) as error:
            shard.faults.add(f"{shard.path.name}: {name!r} {_problem(error)}")
    return samples


def _is_image(name: str) -> bool:
    return name.rpartition(".")[2].lower() in IMAGE_ENDINGS


def _origins(label: str | None) -> tuple[str, tuple[str, ...]]:
    """(ending of the members, keys of the .json members) that may hold the label."""
    return (label.lower().removeprefix("."), (label,)) if label else (MEMBER, KEYS)


def _of_key(key: str) -> str:
    return f"key {key!r} of .json"


def _add_json(shard: Shard, labels: Sample, content: bytes, keys: tuple[str, ...], cells: Cells) -> None:
    values = json.loads(content)
    if not isinstance(values, dict):
        raise ValueError("holds no keys and values")
    for key in keys:
        if key in values:
            if text := _checked(values[key], cells):
                labels[_of_key(key)] = text
            return
    if len(shard.keys) < MANY:
        shard.keys.update(key for key in list(values)[:20])


def _checked(value: object, cells: Cells) -> str:
    """The value as JSON, '' where it is missing. Raises ValueError where it is no label."""
    if value in (None, "", []):
        return ""
    cells.of(value)
    return json.dumps(value)


def _problem(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "is not UTF-8"
    if isinstance(error, json.JSONDecodeError):
        return f"is no JSON: {error}"
    return "is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _read_all(shards: list[Path], request: ManifestRequest) -> Iterator[Shard]:
    """Every shard's labels, in order; large ones in processes of their own, which threads would only slow down."""
    alone = sys.platform != "linux" or multiprocessing.current_process().daemon  # which may have no children
    processes = 1 if alone else min(len(shards), len(os.sched_getaffinity(0)))
    if processes < 2 or sum(shard.stat().st_size for shard in shards if shard.is_file()) < WORTH:
        for shard in shards:
            yield read_shard(shard, request)
        return
    context = multiprocessing.get_context("fork")  # a fresh interpreter would run a script's main file again
    with warnings.catch_warnings():  # newer Pythons warn of threads; a child only reads its shard
        warnings.simplefilter("ignore", DeprecationWarning)
        pool = ProcessPoolExecutor(processes, context, _quiet)
        try:
            yield from pool.map(read_shard, shards, repeat(request))
        except BrokenProcessPool:
            raise ManifestError("a process that read a shard was ended", remedy="free memory, and try again") from None
        finally:
            pool.shutdown(cancel_futures=True)


def _quiet() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its children


def _shards(path: Path) -> list[Path]:
    """The shards of a file, a folder (its own and those of its folders), a pattern or a range."""
    if path.is_dir():
        return files_of(path, *ENDINGS)
    if not path.exists() and (span := _RANGE.search(str(path))):
        low, high = span[1], span[2]
        if int(high) - int(low) >= MAX_SHARDS:
            raise ManifestError(f"a range of more than {MAX_SHARDS:,} shards", where=str(path))
        before, after = str(path)[: span.start()], str(path)[span.end() :]
        return [Path(f"{before}{i:0{len(low)}d}{after}") for i in range(int(low), int(high) + 1)]
    return files_of(path)


def _has_labels(shard: Path) -> bool:
    """Whether a member among the first could hold a label; a tar file of images alone may lie beside their folder."""
    try:
        return any(name.lower().endswith(LABELS) for name, _, _ in islice(members(shard, lambda _: False), MANY))
    except ManifestError:
        return True  # read() says what is wrong with it
