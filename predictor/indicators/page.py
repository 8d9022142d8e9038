"""The page that documents every indicator, written from the registry: docs/indicators.md."""

from __future__ import annotations

from predictor.indicators.registry import DIRECTIONS, registered

HEAD = """# Indicators

Written from the registry, like `predictor indicators --list`; change the functions, not this page, and write it again:

    python -m predictor.indicators

Over the tested classes where it says target, else over all classes that are trained on. An indicator that has no value
for a data set says why. A name with `@` is a family: any parameter may stand behind it, `long_tail@20`,
`left_skew@12.5`, `power_difficulty@0.3`; a `k` may be relative to the mean target class size, `long_tail@0.4mean`.
"""


def documentation() -> str:
    """The page in Markdown.

    >>> documentation().splitlines()[0]
    '# Indicators'
    """
    parts = [HEAD]
    for entry in registered():
        name = entry.name if entry.parse is None else f"{entry.name}@{entry.parameter}"
        default = f" By default: {', '.join(f'`{entry.name}@{d}`' for d in entry.defaults)}." if entry.defaults else ""
        parts.append(
            f"## {name}\n\n{entry.definition}\n\n"
            f"Unit: {entry.unit}. Range: {entry.range}. Expectation: {DIRECTIONS[entry.direction]}.{default} "
            f"Source: {entry.source}.\n"
        )
    return "\n".join(parts)
