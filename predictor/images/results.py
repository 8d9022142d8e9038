"""What a probe found, as an object and as JSON. Reading one needs neither Pillow nor scipy."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from predictor.errors import DataError
from predictor.images.diversity import Diversity
from predictor.images.duplicates import Duplicates
from predictor.reading import MIB, read_text
from predictor.text import command

SCHEMA_VERSION = 1
MAX_PROBES = 64 * MIB  # bytes of a file of probes
METHOD = "patches+gradients/1"  # what is computed; figures of another method are not comparable
FLOOR = 0.005  # shares above chance are kept this far from 0 and 1 before their logit


@dataclass(frozen=True, kw_only=True)
class Size:
    """The probe at one number of training images a class.

    n_classes : that have so many; accuracy, standard_error : class-balanced, mean over the draws
    margin : mean score of the right class above the best other, -1 to 1; n_tested : test images of a draw
    """

    samples_per_class: int
    n_classes: int
    n_tested: int
    accuracy: float
    standard_error: float
    margin: float

    @property
    def level(self) -> float:
        """The accuracy as the logit of its share above chance.

        >>> Size(samples_per_class=5, n_classes=2, n_tested=60, accuracy=0.75, standard_error=0, margin=0).level
        0.0
        """
        return above_chance(self.accuracy, self.n_classes)


@dataclass(frozen=True, kw_only=True)
class Probed:
    """One class. accuracy : {images a class: share of its test images that are right}, of the sizes it has"""

    name: str
    n_images: int
    accuracy: dict[int, float]


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What training images look like before any training.

    digest : of the source; split : what was taken as training images; group : how images were grouped by their names
    n_images, n_draws : images looked at; random splits of them
    left_out : {class: why it could not be tested}
    confused : (class, taken for, share of its test images), at most ten, at `confused_at` images a class
    notes : what was left out of the images, in words; seconds : it took
    duplicates, diversity : None where there is nothing to compare
    """

    method: str = METHOD
    digest: str
    split: str
    image_size: int
    group: str | int | None = None
    n_images: int
    n_draws: int
    sizes: tuple[Size, ...]
    classes: tuple[Probed, ...]
    left_out: dict[str, str]
    confused: tuple[tuple[str, str, float], ...] = ()
    confused_at: int | None = None
    duplicates: Duplicates | None = None
    diversity: Diversity | None = None
    notes: tuple[str, ...] = ()
    seconds: float | None = None

    @property
    def key(self) -> str:
        """What the images and classes are, in 16 letters: equal for two probes of the same thing."""
        return key_of(self.digest, self.split, [*(c.name for c in self.classes), *self.left_out], self.method)

    @property
    def names(self) -> tuple[str, ...]:
        """The classes that were asked for, sorted."""
        return tuple(sorted([*(c.name for c in self.classes), *self.left_out]))

    def at(self, samples_per_class: int) -> Size | None:
        """The probe at one size; None where there are not enough images."""
        return next((size for size in self.sizes if size.samples_per_class == samples_per_class), None)

    def level(self, samples_per_class: float = 20) -> float | None:
        """Level at a number of images a class: measured there, between two sizes, or from the nearest by the slope."""
        if not self.sizes:
            return None
        import numpy as np

        x, y = self._growth()
        at = math.log(samples_per_class)
        if x[0] <= at <= x[-1]:
            return float(np.interp(at, x, y))
        near = 0 if at < x[0] else -1
        slope = self.slope
        return None if slope is None else y[near] + slope * (at - x[near])

    @property
    def slope(self) -> float | None:
        """Least-squares growth of the level with the logarithm of the images a class; None below two sizes."""
        if len(self.sizes) < 2:
            return None
        x, y = self._growth()
        mean = sum(x) / len(x)
        return sum((a - mean) * b for a, b in zip(x, y, strict=True)) / sum((a - mean) ** 2 for a in x)

    def _growth(self) -> tuple[list[float], list[float]]:
        """(log images a class, level) of the sizes that all classes of the smallest one have; of all where that is one.

        Where small classes drop out, what is left is another question.
        """
        same = [size for size in self.sizes if size.n_classes == self.sizes[0].n_classes]
        chosen = same if len(same) > 1 else self.sizes
        return [math.log(size.samples_per_class) for size in chosen], [size.level for size in chosen]

    def to_dict(self) -> dict[str, Any]:
        """As JSON, with a schema version."""
        return {"schema_version": SCHEMA_VERSION, "key": self.key, "slope": self.slope, **asdict(self)}

    def to_json(self) -> str:
        """The text of probe.json, full precision."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False, indent=1) + "\n"

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], where: str) -> Self:
        """The inverse of `to_dict`. Raises DataError for what is no probe, or one of another version."""
        try:
            version = content["schema_version"]
            if version != SCHEMA_VERSION:
                raise DataError(
                    f"has schema version {version!r}; this program reads {SCHEMA_VERSION}",
                    where=where,
                    remedy="probe the images again: predictor probe IMAGES --output FILE",
                )
            given = {field.name: content[field.name] for field in fields(cls)}
            given["sizes"] = tuple(Size(**size) for size in given["sizes"])
            given["classes"] = tuple(
                Probed(**{**one, "accuracy": {int(n): float(v) for n, v in one["accuracy"].items()}})
                for one in given["classes"]
            )
            if (copies := given["duplicates"]) is not None:
                pairs = tuple((a, c, b, d, float(r)) for a, c, b, d, r in copies["pairs"])
                given["duplicates"] = Duplicates(**{**copies, "pairs": pairs})
            if (spread := given["diversity"]) is not None:
                given["diversity"] = Diversity(**spread)
            given["notes"] = tuple(map(str, given["notes"]))
            given["confused"] = tuple((a, b, float(share)) for a, b, share in given["confused"])
            probe = cls(**given)
            _check(probe)
        except DataError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"is no probe: {type(error).__name__} {error}",
                where=where,
                remedy="probe the images again: predictor probe IMAGES --output FILE",
            ) from None
        return probe


def above_chance(accuracy: float, n_classes: int) -> float:
    """Logit of the share above chance, (accuracy - 1/C) / (1 - 1/C), kept inside [.005, .995].

    >>> above_chance(0.55, 10)
    0.0
    """
    chance = 1 / n_classes
    share = min(max((accuracy - chance) / (1 - chance), FLOOR), 1 - FLOOR)
    return round(math.log(share / (1 - share)), 15)


def key_of(digest: str, split: str, classes: Sequence[str], method: str = METHOD) -> str:
    """See `Probe.key`.

    >>> len(key_of("sha256:0", "train", ["cat", "dog"]))
    16
    """
    text = json.dumps([method, digest, split, sorted(classes)], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_probe(path: Path) -> Probe:
    """A probe that `predictor probe --output` wrote. Raises DataError for anything else."""
    return Probe.from_dict(_content(path), str(path))


def read_probes(path: Path) -> dict[str, Probe]:
    """{key: probe} of a file of several. Raises DataError where it is none, or a probe in it is damaged."""
    content = _content(path)
    entries = content.get("probes")
    if not isinstance(entries, list):
        raise DataError("holds no list of probes", where=str(path), remedy="write it with predictor probe GRID.yaml")
    found = [Probe.from_dict(entry, f"{path}, probe {i + 1}") for i, entry in enumerate(entries)]
    return {probe.key: probe for probe in found}


def probes_text(probes: Mapping[str, Probe]) -> str:
    """The text of a file of several probes, one a line, sorted by key."""
    lines = [json.dumps(probes[key].to_dict(), ensure_ascii=False, allow_nan=False) for key in sorted(probes)]
    return '{"schema_version": 1, "probes": [\n' + ",\n".join(lines) + "\n]}\n"


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text(path, limit=MAX_PROBES))
    except OSError as error:
        raise DataError(
            f"cannot be read: {error.strerror}",
            where=str(path),
            remedy=f"write it: {command('predictor', 'probe', 'IMAGES', '--output', path)}",
        ) from None
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"is no JSON: {error}", where=str(path), remedy="write it with predictor probe IMAGES --output FILE"
        ) from None
    if not isinstance(content, dict):
        raise DataError("is no probe: no JSON object", where=str(path), remedy="write it with predictor probe")
    return content


def _check(probe: Probe) -> None:
    """Raise ValueError where figures are impossible."""
    for size in probe.sizes:
        shares = (size.accuracy, *(one.accuracy.get(size.samples_per_class, 0.0) for one in probe.classes))
        if not all(0 <= share <= 1 for share in shares) or size.n_classes < 2 or size.samples_per_class < 1:
            raise ValueError(f"impossible figures at {size.samples_per_class} images a class")
    if [size.samples_per_class for size in probe.sizes] != sorted({size.samples_per_class for size in probe.sizes}):
        raise ValueError("sizes are not in order")
