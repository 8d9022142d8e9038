"""What every reader says of options its format cannot do, and of labels it cannot use."""

from __future__ import annotations

from dataclasses import dataclass, field

from predictor.errors import SHOWN, ManifestError
from predictor.manifest.counted import ManifestRequest
from predictor.manifest.table import shown


def refuse(request: ManifestRequest, format: str, where: str, *options: str) -> None:
    """Raise ManifestError where the request sets one of these fields, which the format has no use for.

    >>> refuse(ManifestRequest(where="a > 1"), "an image folder", "data", "count", "where")
    Traceback (most recent call last):
    predictor.errors.ManifestError: data: --where says nothing about an image folder. leave --where out
    """
    for option in options:
        if getattr(request, option) != getattr(_DEFAULT, option):
            name = "--no-header" if option == "header" else "--" + option.replace("_", "-")
            raise ManifestError(f"{name} says nothing about {format}", where=where, remedy=f"leave {name} out")


_DEFAULT = ManifestRequest()
NO_TABLE = ("label", "count", "weight", "where", "one_hot", "several_separator", "header", "sheet")  # has no columns


@dataclass
class LabelFaults:
    """Labels that cannot be used: the first ten are kept, the rest counted."""

    first: list[str] = field(default_factory=list)
    n: int = 0

    def add(self, problem: str) -> None:
        """Note one bad label: where it stands and what is wrong."""
        self.n += 1
        if len(self.first) < SHOWN:
            self.first.append(problem)

    def join(self, other: LabelFaults) -> None:
        """Note those of another part of the manifest."""
        self.n += other.n
        self.first = [*self.first, *other.first][:SHOWN]

    def check(self, where: str, remedy: str) -> None:
        """Raise ManifestError where there is one."""
        if self.n:
            kind = "bad label" if self.n == 1 else "bad labels"
            raise ManifestError(f"{self.n:,} {kind}: {shown(self.first, self.n)}", where=where, remedy=remedy)
