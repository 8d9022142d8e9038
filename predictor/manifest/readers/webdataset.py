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
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from itertools import islice, repeat
from pathlib import Path

from predictor.errors import ManifestError, listed
from predictor.manifest.counted import Counted, Request
from predictor.manifest.readers.files import common_folder, first_file, stems
from predictor.manifest.readers.limits import Faults, refuse, without_label
from predictor.manifest.readers.paths import files_of
from predictor.manifest.readers.splits import chosen_splits, split_in
from predictor.manifest.readers.tar import MAX_READ, is_tar, members
from predictor.manifest.table import MAX_KEYS, MAX_NAME, USUAL, check_keys

ENDINGS = (".tar", ".tar.gz", ".tgz")
LABELS = (".cls", ".json", ".txt", ".id")  # members that may hold a label
MEMBER = "cls"  # the member that holds the label, by default
KEYS = ("label", "cls", *USUAL[1:])  # of a .json member, the first it has
MANY = 100  # members, endings or keys looked at where a few tell
MAX_SHARDS = 1_000_000
WORTH = 1 << 26  # bytes of shards that are worth starting processes
_RANGE = re.compile(r"\{(\d{1,9})\.\.(\d{1,9})\}")


@dataclass
class Shard:
    """Labels of one shard, by origin: '.cls', or "key 'label' of .json"."""

    samples: int = 0
    labels: dict[str, Counter[str]] = field(default_factory=dict)
    labelled: Counter[str] = field(default_factory=Counter)  # samples with a label of this origin
    endings: set[str] = field(default_factory=set)  # of members, some of them
    keys: set[str] = field(default_factory=set)  # of .json members without a label, some of them
    faults: Faults = field(default_factory=Faults)

    def add(self, origin: str, found: list[str]) -> None:
        """Count the labels of one sample."""
        if found:
            self.labels.setdefault(origin, Counter()).update(found)
            self.labelled[origin] += 1

    def join(self, other: Shard) -> None:
        """Add another shard."""
        self.samples += other.samples
        for origin, labels in other.labels.items():
            self.labels.setdefault(origin, Counter()).update(labels)
        self.labelled.update(other.labelled)
        self.endings |= other.endings
        self.keys |= other.keys
        self.faults.join(other.faults)


def recognises(path: Path, head: bytes) -> bool:
    """A tar file, a pattern that tar files fit, or a folder of tar files that hold labels."""
    if path.is_file():
        return is_tar(head) or path.name.lower().endswith(ENDINGS)
    if path.is_dir():
        shard = first_file(path, ENDINGS)
        return shard is not None and _has_labels(shard)
    shards = _shards(path)
    return bool(shards) and all(shard.name.lower().endswith(ENDINGS) for shard in shards)


def read(path: Path, request: Request) -> Counted:
    """Count the labels of all shards: a file, a folder, a pattern (`*.tar`) or a range (`{000000..000009}.tar`).

    The label of a sample is its member `.cls`, or else the key `label` (`cls`, `class`, ...) of its member `.json`;
    `request.label` names another member or key. A .json value that is a list gives the sample several labels;
    `request.several` says which of them count.

    Raises ManifestError for a shard that cannot be read to its end, and for labels that cannot be used.
    """
    refuse(request, "WebDataset shards", str(path), "count", "weight", "where")
    shards = _shards(path)
    if not shards:
        raise ManifestError("no shard found", where=str(path), remedy="name .tar files, a folder or a pattern of them")
    base = path if path.is_dir() else common_folder(shards)
    splits = {shard: split_in(stems(shard, base)) for shard in shards}
    taken, notes = chosen_splits(splits.values(), request, str(path))
    total = Shard()
    for shard in _read_all([shard for shard in shards if splits[shard] in taken], request):
        total.join(shard)
        for origin, labels in total.labels.items():
            if len(labels) > MAX_KEYS:
                check_keys(list(labels), str(path), origin)
    return _counted(total, path, request, notes)


def read_shard(path: Path, request: Request) -> Shard:
    """Count the labels of one shard."""
    ending, keys = _origins(request.label)
    first = slice(1 if request.several == "first" else None)
    shard, before, seen = Shard(), "", set[str]()
    for name, size, content in members(path, lambda name: name.lower().endswith((f".{ending}", ".json"))):
        folder, slash, file = name.rpartition("/")
        stem, dot, end = file.partition(".")
        if not dot or not stem or name.startswith("__"):  # as webdataset.tariterators leaves them out
            continue
        key = folder + slash + stem
        if key != before:
            before = key
            seen.clear()
            shard.samples += 1
        end = end.lower()
        if end not in (ending, "json"):
            if len(shard.endings) < MANY:
                shard.endings.add(end)
            continue
        try:
            if end in seen:
                raise ValueError(f"is the second .{end} of its sample")
            if content is None:
                raise ValueError(f"holds {size:,} bytes; the limit is {MAX_READ:,}")
            if end == ending:
                shard.add(f".{ending}", _strings(content.decode("utf-8-sig")))
            elif ending not in seen:
                _add_json(shard, content, keys, first)
        except (ValueError, RecursionError) as error:
            shard.faults.add(f"{path.name}: {name!r} {_problem(error)}")
        seen.add(end)
    return shard


def _origins(label: str | None) -> tuple[str, tuple[str, ...]]:
    """(ending of the members, keys of the .json members) that may hold the label."""
    return (label.lower().removeprefix("."), (label,)) if label else (MEMBER, KEYS)


def _of_key(key: str) -> str:
    return f"key {key!r} of .json"


def _add_json(shard: Shard, content: bytes, keys: tuple[str, ...], first: slice) -> None:
    values = json.loads(content)
    if not isinstance(values, dict):
        raise ValueError("holds no keys and values")
    for key in keys:
        if key in values:
            shard.add(_of_key(key), _strings(values[key])[first])
            return
    if len(shard.keys) < MANY:
        shard.keys.update(key for key in list(values)[:20])


def _strings(value: object) -> list[str]:
    """Labels as text, without blanks around them; none where the value is missing."""
    if isinstance(value, str):
        text = value.strip()
        if len(text) > MAX_NAME:
            raise ValueError(f"holds {len(text):,} characters; a label has {MAX_NAME:,} at most")
        return [text] if text else []
    if value is None:
        return []
    if isinstance(value, list):
        return [text for each in value for text in _strings(each)]
    if isinstance(value, bool | int):
        return [json.dumps(value)]
    if isinstance(value, float) and value.is_integer():  # what a table with missing cells makes of whole numbers
        return [str(int(value))]
    raise ValueError(f"{json.dumps(value)[:50]} is no label")


def _problem(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "is not UTF-8"
    if isinstance(error, json.JSONDecodeError):
        return f"is no JSON: {error}"
    return "is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _read_all(shards: list[Path], request: Request) -> Iterator[Shard]:
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


def _counted(total: Shard, path: Path, request: Request, notes: tuple[str, ...]) -> Counted:
    total.faults.check(str(path), "a label is text, a whole number or a list of them")
    ending, keys = _origins(request.label)
    origin = next((each for each in (f".{ending}", *map(_of_key, keys)) if total.labelled[each]), None)
    if origin is None:
        raise ManifestError(
            f"{total.samples:,} samples, none with a member .{ending} or a .json with a key "
            f"{' or '.join(map(repr, keys))}; found {_found(total)}",
            where=str(path),
            remedy="name the member or the key of .json that holds the class with --label NAME; "
            "a packed image folder has to be unpacked",
        )
    labels, n = total.labels[origin], total.labelled[origin]
    if origin != f".{MEMBER}":
        notes += (f"labels taken from {origin}",)
    if labels.total() != n:
        notes += (f"{labels.total():,} labels on {n:,} images: each counts for all of its labels",)
    notes += without_label(total.samples - n, request, str(path))
    return Counted(rows=[(name, "", k) for name, k in labels.items()], n_samples=n, notes=notes)


def _found(total: Shard) -> str:
    endings = [f".{end}" for end in sorted(total.endings)]
    keys = [f"key {key!r}" for key in sorted(total.keys)]
    return listed([*keys, *endings]) if keys or endings else "no member named key.ending"
