"""Probes of the target sets of a grid or a registry: which images they are of, and where they are kept.

The probes of a registry stand beside its studies in one file, `probes.json`: see `predictor.images.results`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from predictor.errors import SpecError, with_near
from predictor.grids.expand import load_grid
from predictor.images.results import METHOD, Probe, key_of

if TYPE_CHECKING:
    from predictor.images.listing import Images
    from predictor.images.probe import Described

FILE = "probes.json"


@dataclass(frozen=True, kw_only=True)
class ProbeAsked:
    """The training images of one target set. file : as the grid names it, below the image folder; None: it has none"""

    target_set: str
    file: str | None
    digest: str
    split: str
    classes: tuple[str, ...]

    def key(self, method: str = METHOD) -> str:
        """As `Probe.key`."""
        return key_of(self.digest, self.split, self.classes, method)


def images_of(spec: Mapping[str, Any]) -> tuple[str, str, str, tuple[str, ...]] | None:
    """(source, digest, split, tested classes) of a spec as records keep it: what the target classes are trained on.

    None where no stage has images of the target classes.
    """
    for stage in reversed(spec.get("stages", ())):
        data = stage["data"]
        if data.get("samples_per_class"):
            source = data["source"]
            classes = tuple(sorted(spec["target"]["classes"]))
            return source, spec["sources"][source], data.get("split", "train"), classes
    return None


def spec_key(spec: Mapping[str, Any] | None, method: str = METHOD) -> str | None:
    """The key of the probe of a spec's training images; None where it has none."""
    found = images_of(spec) if spec else None
    return key_of(*found[1:], method) if found else None


def target_sets(path: Path, names: Sequence[str] = ()) -> list[ProbeAsked]:
    """The target sets of a grid, in its order.

    names : only these
    Raises SpecError for a faulty grid and for a target set that it does not train.
    """
    grid = load_grid(path)
    found: dict[str, ProbeAsked] = {}
    for run in grid.runs:
        images = images_of(run.spec.content()) if run.target_set not in found else None
        if images is not None:
            source, digest, split, classes = images
            found[run.target_set] = ProbeAsked(
                target_set=run.target_set, file=grid.sources[source].file, digest=digest, split=split, classes=classes
            )
    if missing := [name for name in names if name not in found]:
        raise SpecError(f"trains no target set {with_near(missing, list(found))}", where=str(path))
    return [one for name, one in found.items() if not names or name in names]


def probe_grid(
    asked: Sequence[ProbeAsked],
    data: Path,
    *,
    group: str | int | None = None,
    known: Mapping[str, Probe] | None = None,
    method: str = METHOD,
    describe: Callable[[Images], Described] | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> dict[str, Probe]:
    """{key: probe} of target sets; those of `known` that are grouped in the same way are not probed again.

    data : folder of the images
    method, describe : where images are described by other features than the probe's own
    Raises SpecError for an image file that is missing or has other content than the grid says, DataError as
    `probe_images`.
    """
    from predictor.images.listing import below
    from predictor.images.probe import probe_images
    from predictor.images.published import open_stated

    found: dict[str, Probe] = {}
    for number, one in enumerate(asked):
        before = (known or {}).get(one.key(method))
        if before is not None and before.group == group:
            found[before.key] = before
            continue
        if one.file is None:
            raise SpecError(
                f"the images of {one.target_set} are in no file",
                where=one.digest,
                remedy="name target sets of files with --target-set",
            )
        images = open_stated(below(data, one.file), one.digest)
        if images.digest != one.digest:
            raise SpecError(
                f"has other content than the grid says; found {images.digest}, needed {one.digest}",
                where=str(data / one.file),
                remedy="use the file the grid was written for, or state the new digest in the grid",
            )

        def tell(line: str, share: float, name: str = one.target_set, done: int = number) -> None:
            if progress:
                progress(f"{name}: {line}" if share else name, (done + share) / len(asked))

        probe = probe_images(
            images, classes=one.classes, split=one.split, group=group, cache=True,
            described=describe(images) if describe else None, progress=tell,
        )  # fmt: skip
        found[probe.key] = probe
    return found
