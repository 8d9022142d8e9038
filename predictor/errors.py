"""Errors that a user can act on: where, what was found, what is needed, how to fix it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

SHOWN = 10  # problems printed in full before the rest is only counted
LONGEST = 1_000  # characters of a name that is compared with others
HANDFUL = 5  # problems that one line holds


class PredictorError(Exception):
    """A fault of the input, not of the program. The commands print it alone and exit with 2.

    >>> str(PredictorError("missing column 'label'", where="new.csv", remedy="name it with --label"))
    "new.csv: missing column 'label'. name it with --label"
    """

    def __init__(self, problem: str, *, where: str | None = None, remedy: str | None = None):
        self.problem, self.where, self.remedy = problem, where, remedy
        text = f"{where}: {problem}" if where else problem
        super().__init__(f"{text}. {remedy}" if remedy else text)


class ManifestError(PredictorError):
    """A manifest cannot be read as a list of labels."""


class SpecError(PredictorError):
    """A grid or run spec says something impossible."""


class RegistryError(PredictorError):
    """A registry, or a record in it, is missing or damaged."""


class FitError(PredictorError):
    """A fit cannot be made, read or applied."""


class DataError(PredictorError):
    """Images cannot be found, read or selected."""


def listed(problems: Sequence[str]) -> str:
    """Join problems into one message; the first ten are shown, the rest counted.

    >>> listed(["a", "b"])
    'a; b'
    >>> listed([str(i) for i in range(12)])[-13:]
    '9; and 2 more'
    """
    shown = "; ".join(problems[:SHOWN])
    return shown if len(problems) <= SHOWN else f"{shown}; and {len(problems) - SHOWN} more"


def all_listed(head: str, problems: Sequence[str]) -> str:
    """What `listed` does, with every problem shown: a handful in one line, more on a line each.

    >>> all_listed("missing", ["a", "b"])
    'missing: a; b'
    >>> print(all_listed("missing", ["a", "b", "c", "d", "e", "f"])[:16])
    missing:
      a
      b
    """
    if len(problems) <= HANDFUL:
        return f"{head}: {'; '.join(problems)}"
    return "\n  ".join([f"{head}:", *problems])


def near(name: str, known: Iterable[str], n: int = 3, *, cutoff: float = 0.6) -> list[str]:
    """At most n known names that look like `name`, the likeliest first; capitals and blanks around do not count.

    >>> near("Airplan", ["airplane", "bird"]), near("zebra", ["airplane", "bird"])
    (['airplane'], [])
    """
    import difflib  # only where something went wrong

    by_form = {item.strip().casefold(): item for item in known if len(item) <= LONGEST}
    return [
        by_form[form] for form in difflib.get_close_matches(name.strip()[:LONGEST].casefold(), list(by_form), n, cutoff)
    ]


def with_near(names: Sequence[str], known: Sequence[str]) -> str:
    """The names, each with what the known ones have that looks like it.

    >>> with_near(["Airplan", "zebra"], ["airplane", "bird"])
    "'Airplan' (near: 'airplane'); 'zebra'"
    """
    found = [(name, near(name, known)) for name in names[:SHOWN]]
    shown = [f"{name!r}" + (f" (near: {', '.join(map(repr, close))})" if close else "") for name, close in found]
    return listed([*shown, *map(repr, names[SHOWN:])])


def package_version(name: str) -> str:
    """The version of an installed package; 'unknown' where it runs from its source.

    >>> package_version("no-such-package")
    'unknown'
    """
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "unknown"
